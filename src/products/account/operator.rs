//! What only the operator may do.

use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Set,
};

use super::entity::user;
use super::keys::{self, NewKey};
use super::provision::{self, NewProject, NewUser};
use super::{Account, convert, normal_email};
use crate::api::OperatorService;
use crate::api::apex::account::v1 as pb;
use crate::auth::{self, OrganizationId, Plan, Scopes, UserId};
use crate::error::{Error, Result};
use crate::server::{Call, Reply};

impl OperatorService for Account {
    async fn provision_organization(
        &self,
        _call: Call,
        request: pb::ProvisionOrganizationRequest,
    ) -> Result<Reply<pb::ProvisionOrganizationResponse>> {
        self.provision(request).await.map(Reply::from)
    }

    #[allow(clippy::disallowed_methods)] // the operator sees all users
    async fn list_users(
        &self,
        call: Call,
        request: pb::ListUsersRequest,
    ) -> Result<Reply<pb::ListUsersResponse>> {
        let read = self.db().read(call.deadline()).await?;
        let rows = user::Entity::find()
            .filter(user::Column::Id.gt(request.after))
            .limit(request.limit.map(|most| most.unsigned_abs().into()))
            .order_by_asc(user::Column::Id)
            .all(&read)
            .await?;
        let users = rows.iter().map(convert::user).collect();
        Ok(pb::ListUsersResponse { users }.into())
    }

    async fn set_password(
        &self,
        _call: Call,
        request: pb::SetPasswordRequest,
    ) -> Result<Reply<pb::SetPasswordResponse>> {
        let row = self.user_by_email(&request.email).await?;
        let generated = request.password.is_empty().then(auth::password);
        let password = generated
            .as_ref()
            .map_or(request.password.as_str(), |own| own.reveal());
        let hash = self.0.passwords.hash(password).await?;
        self.replace_password(row, hash, false).await?;
        let password = generated.map(|own| own.reveal().to_owned());
        Ok(pb::SetPasswordResponse { password }.into())
    }

    async fn set_user_disabled(
        &self,
        _call: Call,
        request: pb::SetUserDisabledRequest,
    ) -> Result<Reply<pb::SetUserDisabledResponse>> {
        let row = self.user_by_email(&request.email).await?;
        let (now, from) = (self.now(), self.sessions_from());
        let sessions = self.0.shared.sessions.clone();
        let changed = self.change(move |tx| {
            Box::pin(async move {
                let mut change: user::ActiveModel = row.into();
                change.disabled_at = Set(request.disabled.then_some(now));
                if request.disabled {
                    // Who is let in again signs in again.
                    change.sessions_from = Set(from);
                }
                let row = change.update(tx).await?;
                if request.disabled {
                    sessions.end_all(tx, UserId(row.id)).await?;
                }
                Ok(row)
            })
        });
        let row = changed.await?;
        let user = Some(convert::user(&row));
        Ok(pb::SetUserDisabledResponse { user }.into())
    }
}

impl Account {
    /// Makes an organization with everything it needs to begin.
    pub async fn provision(
        &self,
        request: pb::ProvisionOrganizationRequest,
    ) -> Result<pb::ProvisionOrganizationResponse> {
        let plan = convert::plan_of(request.plan)?.unwrap_or(Plan::Scale);
        let generated = request.password.is_empty().then(auth::password);
        let password = generated
            .as_ref()
            .map_or(request.password.as_str(), |own| own.reveal());
        let password_hash = self.0.passwords.hash(password).await?;
        let secret = auth::api_key();
        let (now, own_secret) = (self.now(), secret.clone());
        let made = self.change(move |tx| {
            Box::pin(async move {
                let email = normal_email(&request.email);
                let known = provision::find_user(tx, &email).await?;
                let fresh = known.is_none();
                let owner = match known {
                    Some(user) => {
                        provision::require_own_password(&user, None)?;
                        user
                    }
                    None => {
                        let new = NewUser {
                            email,
                            name: String::new(),
                            password_hash,
                            password_by: None,
                        };
                        provision::user(tx, new, now).await?
                    }
                };
                let own =
                    provision::organization(tx, &request.name, (plan, None), owner.id, now).await?;
                let (project, key) =
                    provision::project(tx, own.id, NewProject::first(), now).await?;
                let new = NewKey {
                    name: "Default".to_owned(),
                    organization: OrganizationId(own.id),
                    user: UserId(owner.id),
                    project_id: None,
                    scopes: Scopes::from_stored("*"),
                    expires_at: None,
                };
                keys::make(tx, new, &own_secret, now).await?;
                let answer = pb::ProvisionOrganizationResponse {
                    organization: Some(convert::organization(&own)?),
                    owner: Some(convert::user(&owner)),
                    password: None,
                    project: Some(convert::project(&project, key)),
                    api_key: String::new(),
                    owner_existed: !fresh,
                };
                Ok(answer)
            })
        });
        let mut answer = made.await?;
        answer.api_key = secret.reveal().to_owned();
        if !answer.owner_existed {
            answer.password = generated.map(|own| own.reveal().to_owned());
        }
        Ok(answer)
    }

    async fn user_by_email(&self, email: &str) -> Result<user::Model> {
        let read = self.db().read(None).await?;
        let user = provision::find_user(&read, &normal_email(email)).await?;
        user.ok_or_else(|| Error::not_found("There is no user with this e-mail"))
    }
}
