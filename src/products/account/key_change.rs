//! Changes of API keys: looked at first, made in whichever transaction wants them.

use sea_orm::{ActiveModelTrait as _, Set};

use super::entity::api_key;
use super::grants::{end_of, no_longer};
use super::{Account, keys};
use crate::api::apex::account::v1 as pb;
use crate::auth::{Actor, OrganizationId, ProjectId, Scopes, UserId};
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::policy::Role;
use crate::server::Call;

/// A change of a key, and who makes it; what can be said of it without the key was
/// looked at.
#[derive(Debug)]
pub struct KeyChange {
    account: Account,
    organization: OrganizationId,
    bound: Option<ProjectId>,
    actor: Actor,
    /// The caller's role.
    own: Option<Role>,
    name: Option<String>,
    scopes: Option<Scopes>,
    expiry: Option<Option<i64>>,
    active: Option<bool>,
}

impl KeyChange {
    /// Changes a key; answers how it is then.
    pub async fn make(self, tx: &Tx, id: &str) -> Result<pb::ApiKey> {
        let account = &self.account;
        let row = keys::find(tx, self.organization, self.bound, id).await?;
        let grants = self.scopes.is_some() || self.expiry.is_some() || self.active == Some(true);
        // A key acts as its maker: who is less does not make it do more, or
        // for longer.
        let maker = account.role_of(self.organization, UserId(row.user_id));
        if grants && maker > self.own {
            return Err(Error::forbidden("Your role does not allow this"));
        }
        if grants {
            let end = end_of(tx, self.organization, &self.actor).await?;
            no_longer(self.expiry.unwrap_or(row.expires_at), end)?;
            let kept = Scopes::from_stored(&row.scopes);
            account.within(&self.actor, self.scopes.as_ref().unwrap_or(&kept))?;
        }
        let mut change: api_key::ActiveModel = row.into();
        if let Some(name) = self.name {
            change.name = Set(name);
        }
        if let Some(scopes) = self.scopes {
            change.scopes = Set(scopes.stored());
        }
        if let Some(expiry) = self.expiry {
            change.expires_at = Set(expiry);
        }
        if let Some(active) = self.active {
            change.disabled_at = Set((!active).then_some(account.now()));
        }
        let row = change.update(tx).await?;
        Ok(account.key_message(&row, &account.last_used()))
    }
}

impl Account {
    /// What a request changes of a key, whichever that is.
    pub fn key_change(&self, call: &Call, request: pb::UpdateApiKeyRequest) -> Result<KeyChange> {
        let mask = request.update_mask.unwrap_or_default().paths;
        let has = |name: &str| mask.iter().any(|path| path == name);
        if has("name") && request.name.trim().is_empty() {
            return Err(Error::invalid_field("name", "name is required"));
        }
        let scopes = match has("scopes") {
            // Which means everything only of a new key, and only left out.
            true if request.scopes.is_empty() => {
                return Err(Error::invalid_field("scopes", "scopes must not be empty"));
            }
            true => Some(self.scopes(call, &request.scopes)?),
            false => None,
        };
        let expiry = match has("expires_at") {
            true => Some(self.expiry(request.expires_at.as_ref())?),
            false => None,
        };
        let active =
            match has("active") {
                true => Some(request.active.ok_or_else(|| {
                    Error::invalid_field("active", "active must be true or false")
                })?),
                false => None,
            };
        let principal = call.principal();
        Ok(KeyChange {
            account: self.clone(),
            organization: call.organization()?,
            bound: principal.project,
            actor: principal.actor.clone(),
            own: match principal.is_operator() {
                true => Some(Role::Owner),
                false => principal.role,
            },
            name: has("name").then(|| request.name.trim().to_owned()),
            scopes,
            expiry,
            active,
        })
    }
}
