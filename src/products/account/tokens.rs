//! Keys for one product alone, made and ended by whom they belong to: what a product
//! calls its tokens. They are API keys in all other respects.

use sea_orm::{ColumnTrait as _, QueryFilter as _, QueryOrder as _};

use super::entity::{api_key, user};
use super::grants::{end_of, no_longer};
use super::keys::{self, NewKey};
use super::{Account, normal_email, provision, sessions};
use crate::auth::{self, OrganizationId, Scopes, UserId};
use crate::db::tenancy;
use crate::error::{Error, Result};
use crate::policy::Role;
use crate::server::Call;

/// A token of a product.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// How it begins.
    pub prefix: String,
    /// When it was made.
    pub created_at: i64,
    /// When it was used last, as far as this node knows.
    pub last_used_at: Option<i64>,
}

/// A token in clear, with what is said of it.
#[derive(Debug)]
pub struct NewToken {
    /// The token itself.
    pub secret: auth::Secret,
    /// What is said of it.
    pub token: Token,
}

impl Account {
    /// Makes a token for the caller with these scopes, which begins as `prefix` says.
    pub async fn make_token(
        &self,
        call: &Call,
        (name, prefix): (&str, &'static str),
        scopes: &[&str],
    ) -> Result<NewToken> {
        let organization = call.organization()?;
        let user = self.acting_user(call).await?;
        let asked: Vec<String> = scopes.iter().map(|&scope| scope.to_owned()).collect();
        let new = NewKey {
            name: name.to_owned(),
            organization,
            user,
            project_id: None,
            scopes: self.scopes(call, &asked)?,
            expires_at: None,
        };
        if call.principal().project.is_some() {
            return Err(Error::forbidden(
                "A key of one project cannot grant what is the whole organization's",
            ));
        }
        self.token(call, new, prefix).await
    }

    /// Makes a token for who signs in, in the organization the user came to first.
    pub async fn make_first_token(
        &self,
        call: &Call,
        (email, password): (&str, &str),
        (name, prefix): (&str, &'static str),
        scopes: &[&str],
    ) -> Result<NewToken> {
        let user = UserId(self.user_by_password(call, email, password).await?.id);
        let organization = self.memberships(user).first().map(|own| own.id);
        let organization = organization.ok_or_else(|| Error::forbidden(NO_ORGANIZATION))?;
        let organization = OrganizationId(organization);
        if self.role_of(organization, user) < Some(Role::Member) {
            return Err(Error::forbidden("Your role does not allow this"));
        }
        let scopes = Scopes::parse(scopes.iter().copied(), &self.0.products)?;
        let new = NewKey {
            name: name.to_owned(),
            organization,
            user,
            project_id: None,
            scopes,
            expires_at: None,
        };
        self.token(call, new, prefix).await
    }

    async fn token(&self, call: &Call, new: NewKey, prefix: &'static str) -> Result<NewToken> {
        let secret = auth::token(prefix);
        let (own, now, actor) = (secret.clone(), self.now(), call.principal().actor.clone());
        let made = self.change(move |tx| {
            Box::pin(async move {
                let end = end_of(tx, new.organization, &actor).await?;
                let expires_at = new.expires_at.or(end);
                no_longer(expires_at, end)?;
                keys::make(tx, NewKey { expires_at, ..new }, &own, now).await
            })
        });
        let token = Token::of(&made.await?, None);
        Ok(NewToken { secret, token })
    }

    /// The user with an e-mail and a password. One answer, after one hash, whether or
    /// not there is such a user.
    pub(super) async fn user_by_password(
        &self,
        call: &Call,
        email: &str,
        password: &str,
    ) -> Result<user::Model> {
        let email = normal_email(email);
        self.limit_account(&email).await?;
        let read = self.db().read(call.deadline()).await?;
        let user = provision::find_user(&read, &email).await?;
        drop(read);
        let user = user.filter(|user| user.disabled_at.is_none());
        let hash = user.as_ref().map(|user| user.password_hash.as_str());
        let right = self.0.passwords.verify(password, hash).await?;
        user.filter(|_| right).ok_or_else(sessions::wrong)
    }

    /// The tokens of the caller's user that begin as `prefix` says, oldest first.
    pub async fn tokens(&self, call: &Call, prefix: &str) -> Result<Vec<Token>> {
        let (organization, user) = (call.organization()?, self.acting_user(call).await?);
        let read = self.db().read(call.deadline()).await?;
        let rows = tenancy::of::<api_key::Entity>(organization)
            .filter(api_key::Column::UserId.eq(user.0))
            .filter(api_key::Column::Prefix.starts_with(prefix))
            .order_by_asc(api_key::Column::Number)
            .all(&read)
            .await?;
        let used = self.last_used();
        let tokens = rows
            .iter()
            .map(|row| Token::of(row, used.get(&row.number).copied()));
        Ok(tokens.collect())
    }

    /// Ends a token of the caller's user.
    pub async fn end_token(&self, call: &Call, prefix: &str, id: &str) -> Result<()> {
        let known = self.tokens(call, prefix).await?;
        if !known.iter().any(|token| token.id == id) {
            return Err(Error::not_found("Token not found"));
        }
        let (account, organization) = (self.clone(), call.organization()?);
        let id = id.to_owned();
        let ended = self.change(move |tx| {
            Box::pin(async move { account.revoke_key(tx, (organization, None), &id).await })
        });
        ended.await
    }
}

const NO_ORGANIZATION: &str = "You belong to no organization";

impl Token {
    fn of(row: &api_key::Model, used_at: Option<i64>) -> Self {
        Self {
            id: row.id.clone(),
            name: row.name.clone(),
            prefix: row.prefix.clone(),
            created_at: row.created_at,
            last_used_at: row.last_used_at.max(used_at).filter(|at| *at > 0),
        }
    }
}
