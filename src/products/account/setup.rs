//! The first set-up of an empty database. The server prints a token once; whoever
//! has it makes the first organization. Of two at once, one wins.

use sea_orm::{EntityTrait as _, PaginatorTrait as _};

use super::entity::user;
use super::provision::{self, NewProject, NewUser};
use super::{Account, convert, normal_email};
use crate::api::apex::account::v1 as pb;
use crate::auth::{self, Plan, Secret};
use crate::db::Tx;
use crate::db::sql::{execute, row};
use crate::error::{Error, Result};
use crate::server::Reply;

impl Account {
    /// A one-time token for the first set-up, and whether one that was made before,
    /// by another node perhaps, is over with it; `None` once there are users.
    pub async fn setup_token(&self) -> Result<Option<(Secret, bool)>> {
        let token = auth::setup_token();
        let hash = auth::hash(token.reveal()).to_vec();
        let written = self.db().write(move |tx| {
            Box::pin(async move {
                if has_users(tx).await? {
                    return Ok(None);
                }
                let sql = "SELECT 1 AS one FROM setup WHERE id = 1";
                let before = row(tx, sql, []).await?.is_some();
                let sql = "INSERT INTO setup (id, token_hash) VALUES (1, $1) \
                           ON CONFLICT (id) DO UPDATE SET token_hash = excluded.token_hash \
                           WHERE setup.used_at IS NULL";
                let made = execute(tx, sql, [hash.into()]).await? == 1;
                Ok(made.then_some(before))
            })
        });
        Ok(written.await?.map(|before| (token, before)))
    }

    pub(super) async fn complete_setup(
        &self,
        request: pb::CompleteSetupRequest,
    ) -> Result<Reply<pb::CompleteSetupResponse>> {
        let done = || Error::not_found("There is no such path");
        // No work, and no hint about the token, once it is over.
        let read = self.db().read(None).await?;
        let over = count_users(&read).await? > 0;
        drop(read);
        if over {
            return Err(done());
        }
        let hash = self.0.passwords.hash(&request.password).await?;
        let now = self.now();
        let answer = self.change(move |tx| {
            Box::pin(async move {
                if has_users(tx).await? {
                    return Err(done());
                }
                let sql = "UPDATE setup SET used_at = $1 WHERE id = 1 AND used_at IS NULL \
                           AND token_hash = $2";
                let values = [now.into(), auth::hash(&request.token).to_vec().into()];
                if execute(tx, sql, values).await? == 0 {
                    // Somebody else's set-up may have been waited for.
                    if has_users(tx).await? {
                        return Err(done());
                    }
                    return Err(Error::forbidden("The set-up token is wrong"));
                }
                let new = NewUser {
                    email: normal_email(&request.email),
                    name: request.name,
                    password_hash: hash,
                    password_by: None,
                };
                let owner = provision::user(tx, new, now).await?;
                let name = &request.organization;
                let plan = (Plan::Scale, None);
                let own = provision::organization(tx, name, plan, owner.id, now).await?;
                let first = NewProject::first();
                let (project, key) = provision::project(tx, own.id, first, now).await?;
                Ok(pb::CompleteSetupResponse {
                    user: Some(convert::user(&owner)),
                    organization: Some(convert::organization(&own)?),
                    project: Some(convert::project(&project, key)),
                })
            })
        });
        let answer = answer.await?;
        Ok(answer.into())
    }
}

async fn has_users(tx: &Tx) -> Result<bool> {
    Ok(count_users(tx).await? > 0)
}

#[allow(clippy::disallowed_methods)] // users are no tenant's
async fn count_users(connection: &impl sea_orm::ConnectionTrait) -> Result<u64> {
    Ok(user::Entity::find().count(connection).await?)
}
