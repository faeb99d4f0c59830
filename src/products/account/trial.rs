//! Trials: an organization anybody can begin, with a key for one product and an owner
//! who cannot sign in. It has no project: who may be begun by anybody must not be one
//! more to whom a page without a key could belong. Keys of any organization can be rotated by whoever has one.

use super::provision::{self, NewUser};
use super::{Account, keys, normal_email};
use crate::auth::{self, Actor, OrganizationId, Plan, Scopes, UserId};
use crate::clock::DAY;
use crate::error::{Error, Result};
use crate::server::Call;

/// A trial to begin.
#[derive(Debug)]
pub struct NewTrial {
    /// Name of the organization.
    pub organization: String,
    /// E-mail of its owner.
    pub email: String,
    /// Name of its owner.
    pub name: String,
    /// Days it lasts, to the midnight after.
    pub days: u32,
    /// The product its key is for.
    pub product: &'static str,
}

/// A trial that began.
#[derive(Debug)]
pub struct Trial {
    /// Public name of the organization.
    pub slug: String,
    /// The key, shown once.
    pub key: auth::Secret,
    /// When it ends, in microseconds since 1970.
    pub ends_at: i64,
}

impl Account {
    /// Begins a trial.
    pub async fn begin_trial(&self, new: NewTrial) -> Result<Trial> {
        let email = normal_email(&new.email);
        let taken = || Error::exists("This e-mail is registered already");
        let read = self.db().read(None).await?;
        if provision::find_user(&read, &email).await?.is_some() {
            return Err(taken());
        }
        drop(read);
        // Nobody knows it: the owner is there to be named, not to sign in.
        let password = auth::password();
        let password_hash = self.0.passwords.hash(password.reveal()).await?;
        let scopes = ["read", "write"].map(|verb| format!("{}.{verb}", new.product));
        let scopes = Scopes::parse(scopes.iter().map(String::as_str), &self.0.products)?;
        let (now, key) = (self.now(), auth::api_key());
        let ends_at = (now + i64::from(new.days) * DAY + DAY - 1).div_euclid(DAY) * DAY;
        let secret = key.clone();
        let made = self.change(move |tx| {
            Box::pin(async move {
                if provision::find_user(tx, &email).await?.is_some() {
                    return Err(taken());
                }
                let owner = NewUser {
                    email,
                    name: new.name,
                    password_hash,
                    password_by: None,
                };
                let owner = provision::user(tx, owner, now).await?;
                let plan = (Plan::Trial, Some(ends_at));
                let name = &new.organization;
                let own = provision::organization(tx, name, plan, owner.id, now).await?;
                let own_key = keys::NewKey {
                    name: "Trial".to_owned(),
                    organization: OrganizationId(own.id),
                    user: UserId(owner.id),
                    project_id: None,
                    scopes,
                    expires_at: None,
                };
                keys::make(tx, own_key, &secret, now).await?;
                Ok(own.slug)
            })
        });
        let slug = made.await?;
        Ok(Trial { slug, key, ends_at })
    }

    /// Makes a key in place of the one that calls, and revokes that.
    pub async fn rotate_key(&self, call: &Call) -> Result<auth::Secret> {
        let organization = call.organization()?;
        let Actor::Key { id, .. } = call.principal().actor.clone() else {
            return Err(Error::forbidden("This needs an API key"));
        };
        let (now, key) = (self.now(), auth::api_key());
        let secret = key.clone();
        let changed = self.change(move |tx| {
            Box::pin(async move { keys::replace(tx, organization, &id, &secret, now).await })
        });
        changed.await?;
        Ok(key)
    }

    /// The organization a call is for, and its plan.
    pub fn plan_of(&self, call: &Call) -> Option<(OrganizationId, Plan)> {
        let organization = call.principal().organization?;
        let snapshot = self.0.shared.directory.snapshot();
        let known = snapshot.organizations.get(&organization)?;
        Some((organization, known.plan))
    }
}
