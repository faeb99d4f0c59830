//! Everything needed to recognise a caller, in memory: organizations, members,
//! projects, keys and revoked sessions. It is reloaded when the generation in the
//! database changes, which every node looks for every two seconds, and at once
//! after a change of its own.

mod snapshot;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use sea_orm::ConnectionTrait as _;

use super::principal::{Actor, OrganizationId, Principal};
use super::tokens;
use crate::clock::{Clock, MICROS};
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::policy::{MethodSpec, Role};

use snapshot::generation;
pub use snapshot::{KeyRecord, Organization, ProjectRef, Snapshot};

/// The directory, as it is now.
#[derive(Debug)]
pub struct Directory {
    db: Db,
    clock: Clock,
    current: ArcSwap<Snapshot>,
    /// Only one reload at a time, so that an older one never replaces a newer.
    reloading: tokio::sync::Mutex<()>,
}

impl Directory {
    /// Loads the directory.
    pub async fn load(db: Db, clock: Clock) -> Result<Self> {
        let directory = Self {
            db,
            clock,
            current: ArcSwap::default(),
            reloading: tokio::sync::Mutex::default(),
        };
        directory.reload().await?;
        Ok(directory)
    }

    /// The directory at this moment.
    pub fn snapshot(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The server's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Counts the generation up, in the transaction of a change. It comes first in
    /// every one: PostgreSQL then runs them one after another, so that each sees
    /// what went before (that an owner left, which slugs are taken) and no two wait
    /// for each other.
    pub async fn changed(tx: &Tx) -> Result<()> {
        let sql = "UPDATE credential_generation SET generation = generation + 1 WHERE id = 1";
        tx.execute_unprepared(sql).await?;
        Ok(())
    }

    /// Reloads if another node changed something.
    pub async fn refresh(&self) -> Result<()> {
        let read = self.db.read(None).await?;
        let generation = generation(&read).await?;
        drop(read);
        if generation == self.snapshot().generation {
            return Ok(());
        }
        self.reload().await
    }

    /// Reloads, after a change of this node's own.
    pub async fn reload(&self) -> Result<()> {
        let _turn = self.reloading.lock().await;
        let read = self.db.snapshot(None).await?;
        let mut fresh = Snapshot::read(&read, self.clock.micros()).await?;
        drop(read);
        // What has not been flushed yet must not be forgotten.
        let old = self.current.load();
        for (hash, key) in &mut fresh.keys {
            if let Some(known) = old.keys.get(hash) {
                let used = known.last_used_at.load(Ordering::Relaxed);
                key.last_used_at.fetch_max(used, Ordering::Relaxed);
                let flushed = known.flushed_at.load(Ordering::Relaxed);
                key.flushed_at.fetch_max(flushed, Ordering::Relaxed);
            }
        }
        self.current.store(Arc::new(fresh));
        Ok(())
    }

    /// Whether somebody has been here: there is a user.
    pub fn is_set_up(&self) -> bool {
        !self.snapshot().users.is_empty()
    }

    /// The caller an API key stands for.
    pub fn key(&self, token: &str) -> Option<Principal> {
        let begins = [tokens::KEY_PREFIX, tokens::TOKEN_PREFIX];
        if !begins.iter().any(|own| token.starts_with(own)) || token.len() > 128 {
            return None;
        }
        let now = self.clock.micros();
        let snapshot = self.snapshot();
        let key = snapshot.keys.get(&tokens::hash(token))?;
        if key.expires_at.is_some_and(|at| at <= now) {
            return None;
        }
        let role = snapshot.role(key.organization, key.user)?;
        key.last_used_at.store(now, Ordering::Relaxed);
        Some(Principal {
            actor: Actor::Key {
                number: key.number,
                id: key.id.clone(),
                scopes: key.scopes.clone(),
            },
            organization: Some(key.organization),
            user: Some(key.user),
            project: key.project,
            role: Some(role),
        })
    }

    /// The caller a session stands for. `choice` names one of its organizations;
    /// naming another's is the same as naming none that exists.
    pub fn session(
        &self,
        claims: &super::Claims,
        choice: Option<OrganizationId>,
    ) -> Result<Option<Principal>> {
        let snapshot = self.snapshot();
        let Some(user) = claims.user() else {
            return Ok(None);
        };
        let alive = snapshot
            .users
            .get(&user)
            .is_some_and(|state| !state.disabled && claims.iat >= state.sessions_from / MICROS);
        if !alive || snapshot.revoked_sessions.contains(&claims.sid) {
            return Ok(None);
        }
        let own = snapshot.organizations_of(user);
        let organization = match choice {
            Some(named) if own.contains(&named) => Some(named),
            Some(_) => return Err(Error::not_found("Organization not found")),
            None => own.first().copied(),
        };
        Ok(Some(Principal {
            actor: Actor::Session {
                id: claims.sid.clone(),
            },
            organization,
            user: Some(user),
            project: None,
            role: organization.and_then(|organization| snapshot.role(organization, user)),
        }))
    }

    /// Whether the caller's role was granted what a method does, or not; `None` where it
    /// is as the role has it by default. What takes more than a member cannot be granted.
    pub fn grant(&self, principal: &Principal, spec: &MethodSpec) -> Option<bool> {
        let action = spec.action.filter(|_| spec.role <= Role::Member)?;
        self.granted(principal, action)
    }

    fn granted(&self, principal: &Principal, action: &str) -> Option<bool> {
        let (organization, role) = principal.organization.zip(principal.role)?;
        self.snapshot().grant(organization, role, action)
    }

    /// Refuses an action, such as `view contacts`, that was taken from the caller's role:
    /// for methods whose requests name the resource.
    pub fn permit(&self, principal: &Principal, action: &str) -> Result<()> {
        match self.granted(principal, action) {
            Some(false) => Err(super::principal::refused(action)),
            Some(true) | None => Ok(()),
        }
    }

    /// Resources the caller may not view.
    pub fn hidden(&self, principal: &Principal) -> Vec<String> {
        let place = principal.organization.zip(principal.role);
        let hidden = place.map(|(organization, role)| self.snapshot().hidden(organization, role));
        hidden.unwrap_or_default()
    }

    /// Whether a caller who was let in would be let in still: the key or session and the
    /// user's place in the organization are what streams look at while they last.
    pub fn knows(&self, principal: &Principal) -> bool {
        let snapshot = self.snapshot();
        let alive = match &principal.actor {
            Actor::Key { number, .. } => snapshot
                .key(*number)
                .is_some_and(|key| key.expires_at.is_none_or(|at| at > self.clock.micros())),
            Actor::Session { id } => !snapshot.revoked_sessions.contains(id),
            Actor::Anonymous | Actor::Page | Actor::Operator => return true,
        };
        let place = principal.organization.zip(principal.user);
        let role = place.and_then(|(organization, user)| snapshot.role(organization, user));
        alive && role >= principal.role
    }

    /// The project a call is for: the caller's own, the one it names by id or
    /// public key, or the only one of the organization.
    pub fn project_of(&self, principal: &Principal, choice: Option<&str>) -> Result<ProjectRef> {
        let snapshot = self.snapshot();
        let unknown = || Error::not_found("Project not found");
        if let Some(own) = principal.project {
            let project = snapshot.projects.get(&own).ok_or_else(unknown)?;
            // Naming another than one's own is naming one that is not there.
            return match choice {
                Some(named) if snapshot.find_project(named) != Some(own) => Err(unknown()),
                Some(_) | None => Ok(project.clone()),
            };
        }
        let organization = principal.organization;
        if let Some(named) = choice {
            let project = snapshot
                .find_project(named)
                .and_then(|id| snapshot.projects.get(&id));
            let project = project.ok_or_else(unknown)?;
            let allowed = principal.is_operator() && organization.is_none()
                || organization == Some(project.organization);
            return if allowed {
                Ok(project.clone())
            } else {
                Err(unknown())
            };
        }
        let organization =
            organization.ok_or_else(|| Error::invalid("Name a project with X-Project"))?;
        match snapshot.projects_of(organization) {
            [only] => snapshot.projects.get(only).cloned().ok_or_else(unknown),
            [] => Err(Error::invalid("The organization has no project yet")),
            _ => Err(Error::invalid(
                "The organization has several projects: name one with the header X-Project \
                 or the parameter project",
            )),
        }
    }

    /// The project of a page: the one whose public key it names, else the one that
    /// names its origin among those it allows, else the only one that allows any.
    pub fn project_of_page(&self, key: Option<&str>, origin: &str) -> Result<ProjectRef> {
        let stranger = || Error::forbidden("Invalid origin").reason("ORIGIN_NOT_ALLOWED");
        if let Some(key) = key {
            let unknown = || Error::invalid_field("projectKey", "projectKey is not known");
            let project = self.project_key(key)?.ok_or_else(unknown)?;
            return Some(project)
                .filter(|own| own.allows(origin))
                .ok_or_else(stranger);
        }
        let snapshot = self.snapshot();
        match snapshot.projects_of_origin(origin) {
            [] => Err(stranger()),
            [one] => snapshot.project(*one).cloned().ok_or_else(stranger),
            [_, _, ..] => Err(Error::invalid(
                "Several projects allow this origin: name one in the tag, \
                 as in sdk.js?key=pk_live_demo",
            )
            .reason("WEBSITE_NOT_FOUND")),
        }
    }

    /// The project a public key stands for. `Err` is a key that was revoked.
    pub fn project_key(&self, key: &str) -> Result<Option<ProjectRef>> {
        let snapshot = self.snapshot();
        match snapshot.project_keys.get(key) {
            None => Ok(None),
            Some((_, false)) => Err(Error::forbidden("This project key was revoked")),
            Some((id, true)) => Ok(snapshot.projects.get(id).cloned()),
        }
    }
}
