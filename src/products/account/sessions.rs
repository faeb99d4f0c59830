//! Signing up, in and out.

use http::header::SET_COOKIE;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::entity::user;
use super::provision::{self, NewProject, NewUser};
use super::{Account, convert, normal_email};
use crate::api::SessionService;
use crate::api::apex::account::v1 as pb;
use crate::auth::{Actor, Plan, Secret, UserId};
use crate::clock::MICROS;
use crate::config::Door;
use crate::error::{Error, Kind, Result};
use crate::limit::Subject;
use crate::server::{Call, Reply};

impl SessionService for Account {
    async fn complete_setup(
        &self,
        _call: Call,
        request: pb::CompleteSetupRequest,
    ) -> Result<Reply<pb::CompleteSetupResponse>> {
        Account::complete_setup(self, request).await
    }

    async fn sign_up(
        &self,
        call: Call,
        request: pb::SignUpRequest,
    ) -> Result<Reply<pb::SignUpResponse>> {
        if self.0.signup == Door::Closed {
            return Err(Error::forbidden(
                "Sign-up is closed; ask an admin to add you",
            ));
        }
        let password_hash = self.0.passwords.hash(&request.password).await?;
        let now = self.now();
        let sessions = self.0.shared.sessions.clone();
        let made = self.change(move |tx| {
            Box::pin(async move {
                let new = NewUser {
                    email: normal_email(&request.email),
                    name: request.name,
                    password_hash,
                    password_by: None,
                };
                let owner = provision::user(tx, new, now).await?;
                let name = &request.organization;
                let plan = (Plan::Scale, None);
                let own = provision::organization(tx, name, plan, owner.id, now).await?;
                provision::project(tx, own.id, NewProject::first(), now).await?;
                let token = sessions.begin(tx, UserId(owner.id)).await?;
                Ok((owner, token))
            })
        });
        let (owner, token) = made.await?;
        let answer = pb::SignUpResponse {
            user: Some(convert::user(&owner)),
            organizations: self.memberships(UserId(owner.id)),
        };
        Ok(self.with_cookie(&call, answer, &token))
    }

    async fn sign_in(
        &self,
        call: Call,
        request: pb::SignInRequest,
    ) -> Result<Reply<pb::SignInResponse>> {
        let user = self
            .user_by_password(&call, &request.email, &request.password)
            .await?;
        let (sessions, known) = (self.0.shared.sessions.clone(), user.clone());
        let (id, now) = (UserId(user.id), self.now());
        let begun = self.db().write(move |tx| {
            Box::pin(async move {
                // The password may have been changed while this one was verified.
                let user = provision::find_user(tx, &known.email).await?;
                let user = user.filter(|user| {
                    user.password_hash == known.password_hash && user.disabled_at.is_none()
                });
                let user = user.ok_or_else(wrong)?;
                // In the second of a new password, sessions begin with the next one.
                let from = now.max(user.sessions_from);
                sessions.begin_at(tx, id, from).await
            })
        });
        let token = begun.await?;
        let answer = pb::SignInResponse {
            user: Some(convert::user(&user)),
            organizations: self.memberships(id),
        };
        Ok(self.with_cookie(&call, answer, &token))
    }

    async fn sign_out(
        &self,
        call: Call,
        _request: pb::SignOutRequest,
    ) -> Result<Reply<pb::SignOutResponse>> {
        let Actor::Session { id } = call.principal().actor.clone() else {
            return Err(Error::unauthenticated("There is no session to end"));
        };
        let sessions = self.0.shared.sessions.clone();
        let ended = self.change(move |tx| Box::pin(async move { sessions.end(tx, &id).await }));
        ended.await?;
        let cookie = self.0.shared.sessions.no_cookie(call.client().secure);
        Ok(Reply::from(pb::SignOutResponse { success: true }).header(SET_COOKIE, cookie))
    }

    async fn change_password(
        &self,
        call: Call,
        request: pb::ChangePasswordRequest,
    ) -> Result<Reply<pb::ChangePasswordResponse>> {
        let user = call.principal().user;
        let user = user.ok_or_else(|| Error::unauthenticated("There is no user to change"))?;
        let row = self.user(user).await?;
        self.limit_account(&row.email).await?;
        let right = self
            .0
            .passwords
            .verify(&request.current, Some(&row.password_hash))
            .await?;
        if !right {
            return Err(not_current());
        }
        let hash = self.0.passwords.hash_of("new", &request.new).await?;
        let token = self.replace_password(row, hash, true).await?;
        let answer = pb::ChangePasswordResponse { success: true };
        Ok(match token {
            Some(token) => self.with_cookie(&call, answer, &token),
            None => answer.into(),
        })
    }

    async fn get_me(
        &self,
        call: Call,
        _request: pb::GetMeRequest,
    ) -> Result<Reply<pb::GetMeResponse>> {
        let principal = call.principal();
        let user = match principal.user {
            Some(user) => Some(convert::user(&self.user(user).await?)),
            None => None,
        };
        let organizations = principal.user.map(|user| self.memberships(user));
        let organizations = organizations.unwrap_or_default();
        let current = principal.organization;
        let organization = organizations
            .iter()
            .find(|own| Some(own.id) == current.map(|id| id.0));
        let project = match (current, call.project()) {
            (Some(organization), Ok(project)) => Some(
                self.project_message(organization, &project.public_id)
                    .await?,
            ),
            // One that was named and is not there, rather than none that is clear.
            (_, Err(error)) if error.kind() == Kind::NotFound => return Err(error),
            _ => None,
        };
        let answer = pb::GetMeResponse {
            user,
            organization: organization.cloned(),
            organizations: match principal.is_session() {
                true => organizations,
                // A key knows of no organization but its own.
                false => organization.cloned().into_iter().collect(),
            },
            project,
        };
        Ok(answer.into())
    }
}

/// One answer for whatever is wrong: it tells nothing of who has an account.
pub(super) fn wrong() -> Error {
    Error::unauthenticated("The e-mail or the password is wrong")
}

fn not_current() -> Error {
    Error::invalid_field("current", "The current password is wrong")
}

impl Account {
    /// Tries on one account are limited wherever they come from.
    pub(super) async fn limit_account(&self, email: &str) -> Result<()> {
        let standing = self
            .0
            .shared
            .limits
            .take("sign_in_account", Subject::Named(email))
            .await;
        match standing.filter(|standing| !standing.allowed) {
            None => Ok(()),
            Some(standing) => Err(Error::new(
                Kind::ResourceExhausted,
                format!(
                    "Too many tries on this account. Retry after {} seconds.",
                    standing.retry_after.as_secs()
                ),
            )
            .retry_after(standing.retry_after)),
        }
    }

    #[allow(clippy::disallowed_methods)] // users are no tenant's
    async fn user(&self, id: UserId) -> Result<user::Model> {
        let read = self.db().read(None).await?;
        let user = user::Entity::find_by_id(id.0).one(&read).await?;
        user.ok_or_else(|| Error::not_found("User not found"))
    }

    /// Sets a password and ends the sessions begun so far. With `keep` it is the user
    /// who sets it: the password that was verified must still be the one there is,
    /// and a new session begins.
    pub(super) async fn replace_password(
        &self,
        row: user::Model,
        hash: String,
        keep: bool,
    ) -> Result<Option<Secret>> {
        let sessions = self.0.shared.sessions.clone();
        let id = UserId(row.id);
        let from = self.sessions_from();
        let replaced = self.change(move |tx| {
            Box::pin(async move {
                let mut change = user::Entity::update_many()
                    .col_expr(user::Column::PasswordHash, Expr::value(hash))
                    .col_expr(user::Column::PasswordBy, Expr::value(None::<i64>))
                    .col_expr(user::Column::SessionsFrom, Expr::value(from))
                    .filter(user::Column::Id.eq(row.id));
                if keep {
                    change = change.filter(user::Column::PasswordHash.eq(row.password_hash));
                }
                if change.exec(tx).await?.rows_affected == 0 {
                    return Err(not_current());
                }
                sessions.end_all(tx, id).await?;
                match keep {
                    true => sessions.begin_at(tx, id, from).await.map(Some),
                    false => Ok(None),
                }
            })
        });
        let token = replaced.await?;
        Ok(token)
    }

    /// From when on the sessions count that begin after a change made now: they know
    /// to the second when they began.
    pub(super) fn sessions_from(&self) -> i64 {
        (self.now() / MICROS + 1) * MICROS
    }

    /// The organizations of a user, in the order the user came to them.
    pub(super) fn memberships(&self, user: UserId) -> Vec<pb::Membership> {
        let snapshot = self.0.shared.directory.snapshot();
        let own = snapshot.organizations_of(user).iter().filter_map(|id| {
            let organization = snapshot.organizations.get(id)?;
            Some(pb::Membership {
                id: id.0,
                name: organization.name.clone(),
                plan: convert::plan(organization.plan).into(),
                role: snapshot.role(*id, user)? as i32,
            })
        });
        own.collect()
    }

    fn with_cookie<T>(&self, call: &Call, answer: T, token: &Secret) -> Reply<T> {
        let cookie = self.0.shared.sessions.cookie(token, call.client().secure);
        Reply::from(answer).header(SET_COOKIE, cookie)
    }
}
