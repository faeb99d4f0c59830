//! Makes users, organizations and projects, inside somebody's transaction.

use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, Set};
use uuid::Uuid;

use super::entity::{member, organization, project, project_key, user};
use crate::auth::{self, Plan};
use crate::db::{Tx, is_duplicate};
use crate::error::{Error, Result};
use crate::policy::Role;

/// A user to be made.
pub(super) struct NewUser {
    pub(super) email: String,
    pub(super) name: String,
    pub(super) password_hash: String,
    /// The organization that chose the password, if it was not the user or the
    /// operator.
    pub(super) password_by: Option<i64>,
}

/// Refuses to take in a user whose password another organization chose and may
/// know: with the user, that organization would come in.
pub(super) fn require_own_password(user: &user::Model, organization: Option<i64>) -> Result<()> {
    match user.password_by {
        Some(by) if Some(by) != organization => Err(Error::exists(
            "Another organization chose this user's password: the user must first sign in and \
             change it",
        )
        .reason("PASSWORD_NOT_CHANGED")),
        Some(_) | None => Ok(()),
    }
}

/// The user with an e-mail.
#[allow(clippy::disallowed_methods)] // users are no tenant's
pub(super) async fn find_user(
    connection: &impl sea_orm::ConnectionTrait,
    email: &str,
) -> Result<Option<user::Model>> {
    let query = user::Entity::find().filter(user::Column::Email.eq(email));
    Ok(query.one(connection).await?)
}

/// Makes a user.
pub(super) async fn user(tx: &Tx, new: NewUser, now: i64) -> Result<user::Model> {
    let name = if new.name.trim().is_empty() {
        new.email.clone()
    } else {
        new.name.trim().to_owned()
    };
    let row = user::ActiveModel {
        email: Set(new.email),
        name: Set(name),
        password_hash: Set(new.password_hash),
        password_by: Set(new.password_by),
        sessions_from: Set(0),
        disabled_at: Set(None),
        created_at: Set(now),
        ..Default::default()
    };
    row.insert(tx)
        .await
        .map_err(|error| match is_duplicate(&error) {
            true => Error::exists("There is a user with this e-mail already"),
            false => error.into(),
        })
}

/// Makes an organization with an owner.
pub(super) async fn organization(
    tx: &Tx,
    name: &str,
    (plan, trial_ends_at): (Plan, Option<i64>),
    owner: i64,
    now: i64,
) -> Result<organization::Model> {
    let row = organization::ActiveModel {
        name: Set(name.trim().to_owned()),
        slug: Set(free_slug(tx, name).await?),
        plan: Set(plan.word().to_owned()),
        trial_ends_at: Set(trial_ends_at),
        created_at: Set(now),
        ..Default::default()
    };
    let row = row.insert(tx).await?;
    let owner = member::ActiveModel {
        organization_id: Set(row.id),
        user_id: Set(owner),
        role: Set(Role::Owner as i16),
        created_at: Set(now),
    };
    owner.insert(tx).await?;
    Ok(row)
}

/// `tn_`, the name in lower case, and a counter of two digits or more.
#[allow(clippy::disallowed_methods)] // slugs are unique over all tenants
async fn free_slug(tx: &Tx, name: &str) -> Result<String> {
    let mut stem = String::new();
    for c in name.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => stem.push(c),
            _ if !stem.is_empty() && !stem.ends_with('_') => stem.push('_'),
            _ => {}
        }
    }
    let stem: String = stem.trim_end_matches('_').chars().take(40).collect();
    let stem = if stem.is_empty() {
        "org".to_owned()
    } else {
        stem
    };
    let prefix = format!("tn_{stem}_");
    let taken = organization::Entity::find()
        .filter(organization::Column::Slug.starts_with(&prefix))
        .all(tx)
        .await?;
    let counters = taken
        .iter()
        .filter_map(|row| row.slug.strip_prefix(&prefix)?.parse::<u32>().ok());
    let next = counters.max().unwrap_or(0) + 1;
    Ok(format!("{prefix}{next:02}"))
}

/// A project to be made.
pub(super) struct NewProject {
    pub(super) name: String,
    pub(super) timezone: String,
    pub(super) allowed_origins: Vec<String>,
    pub(super) consent_mode: &'static str,
}

impl NewProject {
    /// The project every organization begins with.
    pub(super) fn first() -> Self {
        Self {
            name: "Default".to_owned(),
            timezone: "UTC".to_owned(),
            allowed_origins: Vec::new(),
            consent_mode: "off",
        }
    }
}

/// Makes a project with a public key.
pub(super) async fn project(
    tx: &Tx,
    organization: i64,
    new: NewProject,
    now: i64,
) -> Result<(project::Model, String)> {
    let row = project::ActiveModel {
        id: Set(format!("prj_{}", Uuid::now_v7().simple())),
        organization_id: Set(organization),
        name: Set(new.name.trim().to_owned()),
        timezone: Set(new.timezone),
        allowed_origins: Set(serde_json::json!(new.allowed_origins).to_string()),
        consent_mode: Set(new.consent_mode.to_owned()),
        created_at: Set(now),
        deleted_at: Set(None),
        ..Default::default()
    };
    let row = row.insert(tx).await?;
    let key = project_key(tx, row.number, now).await?;
    Ok((row, key))
}

/// Makes a public key for a project.
pub(super) async fn project_key(tx: &Tx, project: i64, now: i64) -> Result<String> {
    let key = auth::project_key();
    let row = project_key::ActiveModel {
        key: Set(key.clone()),
        project: Set(project),
        created_at: Set(now),
        revoked_at: Set(None),
    };
    row.insert(tx).await?;
    Ok(key)
}
