//! Accounts: organizations, users, members, projects, API keys and sessions,
//! which all products share.

mod convert;
mod entity;
mod grants;
mod key_change;
mod keys;
mod operator;
mod organizations;
mod people;
mod projects;
mod provision;
mod sessions;
mod setup;
mod tokens;
mod trial;
mod upkeep;
mod usage;

pub use people::{Person, Who};
pub use tokens::{NewToken, Token};

use std::sync::Arc;

pub use trial::{NewTrial, Trial};

use futures_util::future::BoxFuture;
use prost::Message;

use crate::api::{
    ApiKeyServiceEndpoint, OperatorServiceEndpoint, OrganizationServiceEndpoint,
    ProjectServiceEndpoint, SessionServiceEndpoint,
};
use crate::auth::{Directory, OrganizationId, Passwords, UserId};
use crate::config::Door;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::events::EventLog;
use crate::policy::Role;
use crate::server::dispatch::Endpoint;
use crate::server::{Call, Shared};

/// The account product. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Account(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    events: EventLog,
    passwords: Passwords,
    signup: Door,
    /// Products a scope may name.
    products: Vec<&'static str>,
}

impl Account {
    /// Makes the product.
    pub fn new(shared: Arc<Shared>, events: EventLog, signup: Door) -> Self {
        let mut products: Vec<&str> = crate::api::METHODS
            .iter()
            .filter_map(|spec| spec.scope.map(|scope| scope.product))
            .collect();
        products.sort_unstable();
        products.dedup();
        Self(Arc::new(Inner {
            shared,
            events,
            passwords: Passwords::new(),
            signup,
            products,
        }))
    }

    /// Its services.
    pub fn endpoints(&self) -> Vec<Arc<dyn Endpoint>> {
        vec![
            Arc::new(SessionServiceEndpoint::new(self.clone())),
            Arc::new(OrganizationServiceEndpoint::new(self.clone())),
            Arc::new(ProjectServiceEndpoint::new(self.clone())),
            Arc::new(ApiKeyServiceEndpoint::new(self.clone())),
            Arc::new(OperatorServiceEndpoint::new(self.clone())),
        ]
    }

    fn db(&self) -> &Db {
        &self.0.shared.db
    }

    fn now(&self) -> i64 {
        self.0.shared.directory.clock().micros()
    }

    /// Changes what the directory holds: in turn with every other change, and known
    /// to this node before it is answered.
    async fn change<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let changed = self.db().write(move |tx| {
            Box::pin(async move {
                Directory::changed(tx).await?;
                work(tx).await
            })
        });
        let answer = changed.await?;
        self.0.shared.directory.reload().await?;
        Ok(answer)
    }

    /// The same, and only once for a request that is repeated.
    pub async fn change_once<T, F>(&self, call: &Call, work: F) -> Result<T>
    where
        T: Message + Default + Send + 'static,
        F: for<'t> FnOnce(&'t Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let changed = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                Directory::changed(tx).await?;
                work(tx).await
            })
        });
        let answer = changed.await?;
        self.0.shared.directory.reload().await?;
        Ok(answer)
    }

    /// What the caller may do in an organization that a request names. One the
    /// caller has no part in is not there at all.
    fn role_in(&self, call: &Call, id: i64) -> Result<(OrganizationId, Role)> {
        let organization = OrganizationId(id);
        let principal = call.principal();
        let snapshot = self.0.shared.directory.snapshot();
        let known = snapshot.organizations.contains_key(&organization);
        let role = match principal.user {
            _ if !known => None,
            None if principal.is_operator() => Some(Role::Owner),
            None => None,
            // A key is bound to its organization, whoever it acts as.
            Some(_) if !principal.is_session() && principal.organization != Some(organization) => {
                None
            }
            Some(user) => snapshot.role(organization, user),
        };
        let role = role.ok_or_else(|| Error::not_found("Organization not found"))?;
        Ok((organization, role))
    }

    /// The organization a request names, if the caller may do so much in it.
    fn organization_for(&self, call: &Call, id: i64, least: Role) -> Result<OrganizationId> {
        let (organization, role) = self.role_in(call, id)?;
        if role < least {
            return Err(Error::forbidden("Your role does not allow this"));
        }
        Ok(organization)
    }

    /// The user the caller acts as; the operator acts as the organization's owner.
    async fn acting_user(&self, call: &Call) -> Result<UserId> {
        if let Some(user) = call.principal().user {
            return Ok(user);
        }
        organizations::first_owner(self, call.organization()?).await
    }
}

/// An e-mail as it is kept and compared.
fn normal_email(email: &str) -> String {
    email.trim().to_lowercase()
}
