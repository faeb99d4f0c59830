//! What one key may grant another: neither scopes nor time that it has not itself.

use sea_orm::{ColumnTrait as _, QueryFilter as _};

use super::Account;
use super::entity::api_key;
use crate::auth::{Actor, OrganizationId, Scopes};
use crate::db::{Tx, tenancy};
use crate::error::{Error, Result};
use crate::policy::Scope;
use crate::server::Call;

/// When the key that calls ends, if a key calls and it does.
pub(super) async fn end_of(
    tx: &Tx,
    organization: OrganizationId,
    actor: &Actor,
) -> Result<Option<i64>> {
    let Actor::Key { number, .. } = actor else {
        return Ok(None);
    };
    let row = tenancy::of::<api_key::Entity>(organization)
        .filter(api_key::Column::Number.eq(*number))
        .one(tx)
        .await?;
    match row {
        Some(row) => Ok(row.expires_at),
        // Revoked since the call came in.
        None => Err(Error::unauthenticated("Invalid API key")),
    }
}

/// Refuses to let a key outlive the one that grants it something.
pub(super) fn no_longer(expires_at: Option<i64>, end: Option<i64>) -> Result<()> {
    let outlives = |end: i64| expires_at.is_none_or(|at| at > end);
    match end.is_some_and(outlives) {
        true => Err(Error::forbidden(
            "This API key cannot grant more time than it has",
        )),
        false => Ok(()),
    }
}

impl Account {
    /// The scopes a request asks for. A key grants nothing it does not have.
    pub(super) fn scopes(&self, call: &Call, asked: &[String]) -> Result<Scopes> {
        let own = match &call.principal().actor {
            Actor::Key { scopes, .. } => Some(scopes),
            Actor::Session { .. } | Actor::Operator | Actor::Page | Actor::Anonymous => None,
        };
        let products = &self.0.products;
        let Some(own) = own else {
            let all = ["*".to_owned()];
            let asked = if asked.is_empty() { &all } else { asked };
            return Scopes::parse(asked.iter().map(String::as_str), products);
        };
        if asked.is_empty() {
            return Ok(own.clone());
        }
        let scopes = Scopes::parse(asked.iter().map(String::as_str), products)?;
        self.within(&call.principal().actor, &scopes)?;
        Ok(scopes)
    }

    /// Refuses scopes that a key does not have itself.
    pub(super) fn within(&self, actor: &Actor, scopes: &Scopes) -> Result<()> {
        let products = &self.0.products;
        let own = match actor {
            Actor::Key { scopes, .. } if !scopes.is_everything() => scopes,
            Actor::Key { .. }
            | Actor::Session { .. }
            | Actor::Operator
            | Actor::Page
            | Actor::Anonymous => return Ok(()),
        };
        let beyond = scopes.words().iter().find(|word| {
            let named = word.split_once('.').map(|(product, verb)| Scope {
                product: products
                    .iter()
                    .find(|known| **known == product)
                    .copied()
                    .unwrap_or(""),
                write: verb == "write",
            });
            !named.is_some_and(|scope| own.allow(scope))
        });
        match beyond {
            None => Ok(()),
            Some(word) => Err(Error::forbidden(format!(
                "This API key cannot grant {word}"
            ))),
        }
    }
}
