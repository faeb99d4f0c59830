//! API keys: made once, shown once, kept as a hash.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Select, Set,
};
use uuid::Uuid;

use super::entity::api_key;
use super::grants::{end_of, no_longer};
use super::{Account, convert, projects};
use crate::api::ApiKeyService;
use crate::api::apex::account::v1 as pb;
use crate::auth::{self, OrganizationId, ProjectId, Scopes, Secret, UserId};
use crate::db::{Tx, tenancy};
use crate::error::{Error, Result};
use crate::policy::Role;
use crate::products::micros;
use crate::server::{Call, Reply};

impl ApiKeyService for Account {
    async fn list_api_keys(
        &self,
        call: Call,
        request: pb::ListApiKeysRequest,
    ) -> Result<Reply<pb::ListApiKeysResponse>> {
        let organization = call.organization()?;
        let read = self.db().read(call.deadline()).await?;
        let mut rows = visible(organization, call.principal().project)
            .order_by_asc(api_key::Column::Number)
            .limit(request.limit.map(|most| most.unsigned_abs().into()));
        if !request.after.is_empty() {
            let last = number_of(&read, organization, &request.after).await?;
            rows = rows.filter(api_key::Column::Number.gt(last));
        }
        let rows = rows.all(&read).await?;
        let used = self.last_used();
        let api_keys = rows
            .iter()
            .map(|row| self.key_message(row, &used))
            .collect();
        Ok(pb::ListApiKeysResponse { api_keys }.into())
    }

    async fn create_api_key(
        &self,
        call: Call,
        request: pb::CreateApiKeyRequest,
    ) -> Result<Reply<pb::CreateApiKeyResponse>> {
        let organization = call.organization()?;
        let user = self.acting_user(&call).await?;
        let scopes = self.scopes(&call, &request.scopes)?;
        let expires_at = self.expiry(request.expires_at.as_ref())?;
        // A key of one project makes keys for that project only.
        let bound = call
            .principal()
            .project
            .map(|_| call.project())
            .transpose()?;
        let project_id = match (&request.project_id, &bound) {
            (Some(named), Some(own)) if **named != *own.public_id => {
                return Err(Error::not_found("Project not found"));
            }
            (Some(named), _) => Some(named.clone()),
            (None, own) => own.as_ref().map(|own| own.public_id.to_string()),
        };
        let new = NewKey {
            name: request.name,
            organization,
            user,
            project_id: project_id.clone(),
            scopes,
            expires_at,
        };
        let (now, own) = (self.now(), auth::api_key());
        let actor = call.principal().actor.clone();
        let made = self.change_once(&call, move |tx| {
            Box::pin(async move {
                let end = end_of(tx, organization, &actor).await?;
                // By default as long as the key that makes it, as with scopes.
                let expires_at = new.expires_at.or(end);
                no_longer(expires_at, end)?;
                let row = make(tx, NewKey { expires_at, ..new }, &own, now).await?;
                let mut message = convert::api_key(&row, project_id, None);
                message.key = Some(own.reveal().to_owned());
                let api_key = Some(message);
                Ok(pb::CreateApiKeyResponse { api_key })
            })
        });
        Ok(made.await?.into())
    }

    async fn update_api_key(
        &self,
        call: Call,
        request: pb::UpdateApiKeyRequest,
    ) -> Result<Reply<pb::UpdateApiKeyResponse>> {
        let id = request.id.clone();
        let change = self.key_change(&call, request)?;
        let answer = self.change_once(&call, move |tx| {
            Box::pin(async move {
                let api_key = Some(change.make(tx, &id).await?);
                Ok(pb::UpdateApiKeyResponse { api_key })
            })
        });
        Ok(answer.await?.into())
    }

    async fn delete_api_key(
        &self,
        call: Call,
        request: pb::DeleteApiKeyRequest,
    ) -> Result<Reply<pb::DeleteApiKeyResponse>> {
        let organization = self.organization_of(&call, &request.id).await?;
        let (account, bound) = (self.clone(), call.principal().project);
        let answer = self.change_once(&call, move |tx| {
            Box::pin(async move {
                let of = (organization, bound);
                account.revoke_key(tx, of, &request.id).await?;
                Ok(pb::DeleteApiKeyResponse { success: true })
            })
        });
        Ok(answer.await?.into())
    }
}

/// A key to be made.
pub(super) struct NewKey {
    pub(super) name: String,
    pub(super) organization: OrganizationId,
    pub(super) user: UserId,
    pub(super) project_id: Option<String>,
    pub(super) scopes: Scopes,
    pub(super) expires_at: Option<i64>,
}

/// Makes a key.
pub(super) async fn make(
    tx: &Tx,
    new: NewKey,
    secret: &Secret,
    now: i64,
) -> Result<api_key::Model> {
    let project = match &new.project_id {
        Some(id) => Some(projects::number_of(tx, new.organization, id).await?),
        None => None,
    };
    let row = api_key::ActiveModel {
        id: Set(format!("key_{}", Uuid::now_v7().simple())),
        organization_id: Set(new.organization.0),
        user_id: Set(new.user.0),
        project: Set(project),
        name: Set(new.name.trim().to_owned()),
        prefix: Set(secret.prefix()),
        hash: Set(auth::hash(secret.reveal()).to_vec()),
        scopes: Set(new.scopes.stored()),
        created_at: Set(now),
        expires_at: Set(new.expires_at),
        revoked_at: Set(None),
        last_used_at: Set(None),
        disabled_at: Set(None),
        ..Default::default()
    };
    Ok(row.insert(tx).await?)
}

/// Puts a new key in place of one, which is revoked.
pub(super) async fn replace(
    tx: &Tx,
    organization: OrganizationId,
    id: &str,
    secret: &Secret,
    now: i64,
) -> Result<()> {
    let old = find(tx, organization, None, id).await?;
    let new = api_key::ActiveModel {
        id: Set(format!("key_{}", Uuid::now_v7().simple())),
        organization_id: Set(old.organization_id),
        user_id: Set(old.user_id),
        project: Set(old.project),
        name: Set(old.name.clone()),
        prefix: Set(secret.prefix()),
        hash: Set(auth::hash(secret.reveal()).to_vec()),
        scopes: Set(old.scopes.clone()),
        created_at: Set(now),
        expires_at: Set(old.expires_at),
        revoked_at: Set(None),
        last_used_at: Set(None),
        disabled_at: Set(None),
        ..Default::default()
    };
    new.insert(tx).await?;
    let mut change: api_key::ActiveModel = old.into();
    change.revoked_at = Set(Some(now));
    change.update(tx).await?;
    Ok(())
}

/// Revokes the keys of a project, which goes.
pub(super) async fn revoke_of(
    tx: &Tx,
    organization: OrganizationId,
    project: i64,
    now: i64,
) -> Result<()> {
    let own = api_key::Column::Project.eq(project);
    revoke(tx, organization, own, now).await
}

/// Revokes the keys of a member, who goes.
pub(super) async fn revoke_by(
    tx: &Tx,
    organization: OrganizationId,
    user: i64,
    now: i64,
) -> Result<()> {
    let own = api_key::Column::UserId.eq(user);
    revoke(tx, organization, own, now).await
}

async fn revoke(tx: &Tx, organization: OrganizationId, which: SimpleExpr, now: i64) -> Result<()> {
    api_key::Entity::update_many()
        .col_expr(api_key::Column::RevokedAt, Expr::value(now))
        .filter(api_key::Column::OrganizationId.eq(organization.0))
        .filter(which)
        .filter(api_key::Column::RevokedAt.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

/// The keys a caller sees: one that is bound to a project, those of the project.
fn visible(organization: OrganizationId, bound: Option<ProjectId>) -> Select<api_key::Entity> {
    let own = tenancy::of::<api_key::Entity>(organization);
    match bound {
        Some(project) => own.filter(api_key::Column::Project.eq(project.0)),
        None => own,
    }
}

/// Where a key stands among those of its organization, be it revoked meanwhile.
#[allow(clippy::disallowed_methods)] // revoked ones too
async fn number_of(
    connection: &impl ConnectionTrait,
    organization: OrganizationId,
    id: &str,
) -> Result<i64> {
    let row = api_key::Entity::find()
        .filter(api_key::Column::OrganizationId.eq(organization.0))
        .filter(api_key::Column::Id.eq(id))
        .one(connection)
        .await?;
    row.map(|row| row.number)
        .ok_or_else(|| Error::invalid_field("after", "after is no key's id"))
}

pub(super) async fn find(
    tx: &Tx,
    organization: OrganizationId,
    bound: Option<ProjectId>,
    id: &str,
) -> Result<api_key::Model> {
    let row = visible(organization, bound)
        .filter(api_key::Column::Id.eq(id))
        .one(tx)
        .await?;
    row.ok_or_else(not_found)
}

fn not_found() -> Error {
    Error::not_found("API key not found")
}

impl Account {
    /// Revokes a key, of those a caller sees.
    pub async fn revoke_key(
        &self,
        tx: &Tx,
        (organization, bound): (OrganizationId, Option<ProjectId>),
        id: &str,
    ) -> Result<()> {
        let row = find(tx, organization, bound, id).await?;
        let mut change: api_key::ActiveModel = row.into();
        change.revoked_at = Set(Some(self.now()));
        change.update(tx).await?;
        Ok(())
    }

    /// The organization a call on a key is for. The operator need not name it: the
    /// key's id belongs to no other.
    #[allow(clippy::disallowed_methods)] // the operator sees all keys
    async fn organization_of(&self, call: &Call, id: &str) -> Result<OrganizationId> {
        let principal = call.principal();
        if !principal.is_operator() || principal.organization.is_some() {
            return call.organization();
        }
        let read = self.db().read(call.deadline()).await?;
        let row = api_key::Entity::find()
            .filter(api_key::Column::Id.eq(id))
            .one(&read)
            .await?;
        row.map(|row| OrganizationId(row.organization_id))
            .ok_or_else(not_found)
    }

    pub(super) fn role_of(&self, organization: OrganizationId, user: UserId) -> Option<Role> {
        let snapshot = self.0.shared.directory.snapshot();
        snapshot.role(organization, user)
    }

    pub(super) fn expiry(&self, at: Option<&prost_types::Timestamp>) -> Result<Option<i64>> {
        let Some(at) = at else {
            return Ok(None);
        };
        match micros(at).filter(|at| *at > self.now()) {
            Some(at) => Ok(Some(at)),
            None => Err(Error::invalid_field(
                "expiresAt",
                "expiresAt must be in the future",
            )),
        }
    }

    /// When keys were last used, including what is not flushed yet.
    pub(super) fn last_used(&self) -> HashMap<i64, i64> {
        let snapshot = self.0.shared.directory.snapshot();
        let used = |key: &crate::auth::KeyRecord| key.last_used_at.load(Ordering::Relaxed);
        snapshot.keys().map(|key| (key.number, used(key))).collect()
    }

    pub(super) fn key_message(&self, row: &api_key::Model, used: &HashMap<i64, i64>) -> pb::ApiKey {
        let snapshot = self.0.shared.directory.snapshot();
        let project = row
            .project
            .and_then(|number| snapshot.project(ProjectId(number)));
        let project_id = project.map(|project| project.public_id.to_string());
        convert::api_key(row, project_id, used.get(&row.number).copied())
    }
}
