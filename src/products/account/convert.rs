//! From rows to messages.

use super::entity::{api_key, member, organization, project, user};
use crate::api::apex::account::v1 as pb;
use crate::auth::Plan;
use crate::error::{Error, Result};
use crate::policy::Role;
use crate::products::timestamp;

pub(super) fn user(row: &user::Model) -> pb::User {
    pb::User {
        id: row.id,
        email: row.email.clone(),
        name: row.name.clone(),
        created_at: Some(timestamp(row.created_at)),
        disabled: row.disabled_at.is_some(),
    }
}

pub(super) fn organization(row: &organization::Model) -> Result<pb::Organization> {
    Ok(pb::Organization {
        id: row.id,
        name: row.name.clone(),
        slug: row.slug.clone(),
        plan: plan(row.plan.parse()?).into(),
        trial_ends_at: row.trial_ends_at.map(timestamp),
        created_at: Some(timestamp(row.created_at)),
    })
}

pub(super) fn member(row: &member::Model, user: &user::Model) -> pb::Member {
    pb::Member {
        user_id: user.id,
        email: user.email.clone(),
        name: user.name.clone(),
        role: row.role.into(),
        created_at: Some(timestamp(row.created_at)),
        password: None,
    }
}

pub(super) fn project(row: &project::Model, key: String) -> pb::Project {
    let consent = match row.consent_mode.as_str() {
        "required" => pb::ConsentMode::Required,
        _ => pb::ConsentMode::Off,
    };
    pb::Project {
        id: row.id.clone(),
        name: row.name.clone(),
        key,
        timezone: row.timezone.clone(),
        allowed_origins: serde_json::from_str(&row.allowed_origins).unwrap_or_default(),
        consent_mode: consent.into(),
        created_at: Some(timestamp(row.created_at)),
    }
}

/// `project_id` is the public id of the key's project, `used_at` when it was used
/// last, as far as this node knows.
pub(super) fn api_key(
    row: &api_key::Model,
    project_id: Option<String>,
    used_at: Option<i64>,
) -> pb::ApiKey {
    pb::ApiKey {
        id: row.id.clone(),
        name: row.name.clone(),
        prefix: row.prefix.clone(),
        key: None,
        scopes: row.scopes.split(' ').map(str::to_owned).collect(),
        project_id,
        user_id: row.user_id,
        created_at: Some(timestamp(row.created_at)),
        expires_at: row.expires_at.map(timestamp),
        last_used_at: row
            .last_used_at
            .max(used_at)
            .filter(|at| *at > 0)
            .map(timestamp),
        active: row.disabled_at.is_none(),
    }
}

pub(super) fn plan(plan: Plan) -> pb::Plan {
    match plan {
        Plan::Trial => pb::Plan::Trial,
        Plan::Starter => pb::Plan::Starter,
        Plan::Scale => pb::Plan::Scale,
    }
}

/// The plan a message names; `None` when it names none.
pub(super) fn plan_of(number: i32) -> Result<Option<Plan>> {
    match pb::Plan::try_from(number) {
        Ok(pb::Plan::Unspecified) => Ok(None),
        Ok(pb::Plan::Trial) => Ok(Some(Plan::Trial)),
        Ok(pb::Plan::Starter) => Ok(Some(Plan::Starter)),
        Ok(pb::Plan::Scale) => Ok(Some(Plan::Scale)),
        Err(_) => Err(no_plan()),
    }
}

pub(super) fn no_plan() -> Error {
    Error::invalid_field("plan", "plan must be one of trial, starter, scale")
}

/// The role a message names; `None` when it names none.
pub(super) fn role_of(number: i32) -> Result<Option<Role>> {
    if number == 0 {
        return Ok(None);
    }
    let unknown =
        || Error::invalid_field("role", "role must be one of viewer, member, admin, owner");
    Role::from_number(number).map(Some).ok_or_else(unknown)
}
