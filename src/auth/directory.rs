//! Everything needed to recognise a caller, in memory: organizations, members,
//! projects, keys and revoked sessions. It is reloaded when the generation in the
//! database changes, which every node looks for every two seconds, and at once
//! after a change of its own.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use sea_orm::{ConnectionTrait, QueryResult, Statement};

use super::principal::{OrganizationId, Plan, Principal, ProjectId, Scopes, UserId};
use super::tokens;
use crate::clock::{Clock, MICROS};
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::policy::Role;

/// How long a revoked session is remembered after its token has ended.
const REMEMBER_REVOKED: i64 = 60 * MICROS;

/// The directory, as it is now.
#[derive(Debug)]
pub struct Directory {
    db: Db,
    clock: Clock,
    current: ArcSwap<Snapshot>,
    /// Only one reload at a time, so that an older one never replaces a newer.
    reloading: tokio::sync::Mutex<()>,
}

/// The directory at one generation.
#[derive(Debug, Default)]
pub struct Snapshot {
    generation: i64,
    /// Organizations by id.
    pub organizations: HashMap<OrganizationId, Organization>,
    members: HashMap<(OrganizationId, UserId), Role>,
    organizations_of: HashMap<UserId, Vec<OrganizationId>>,
    users: HashMap<UserId, UserState>,
    projects: HashMap<ProjectId, ProjectRef>,
    projects_of: HashMap<OrganizationId, Vec<ProjectId>>,
    project_ids: HashMap<String, ProjectId>,
    project_keys: HashMap<String, (ProjectId, bool)>,
    keys: HashMap<[u8; 32], Arc<KeyRecord>>,
    revoked_sessions: HashSet<String>,
}

/// An organization.
#[derive(Debug, Clone)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// Its public slug, such as `tn_acme_01`.
    pub slug: String,
    /// Its plan.
    pub plan: Plan,
    /// When its trial ends, in microseconds since 1970.
    pub trial_ends_at: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct UserState {
    /// Sessions that began before are over.
    sessions_from: i64,
    disabled: bool,
}

/// A project.
#[derive(Debug, Clone)]
pub struct ProjectRef {
    /// Its number.
    pub id: ProjectId,
    /// Its public id, `prj_…`.
    pub public_id: Arc<str>,
    /// The organization it belongs to.
    pub organization: OrganizationId,
    /// Its IANA time zone.
    pub timezone: Arc<str>,
    /// Origins whose pages may name it; empty means any.
    pub allowed_origins: Arc<[String]>,
}

/// An API key.
#[derive(Debug)]
pub struct KeyRecord {
    /// Its number.
    pub number: i64,
    organization: OrganizationId,
    user: UserId,
    project: Option<ProjectId>,
    scopes: Scopes,
    expires_at: Option<i64>,
    /// When it was last used; flushed to the database once a minute.
    pub last_used_at: AtomicI64,
    /// What of that the database has.
    pub flushed_at: AtomicI64,
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

    /// The caller an API key stands for.
    pub fn key(&self, token: &str) -> Option<Principal> {
        if !token.starts_with(tokens::KEY_PREFIX) || token.len() > 128 {
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
            actor: super::Actor::Key {
                number: key.number,
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
            actor: super::Actor::Session {
                id: claims.sid.clone(),
            },
            organization,
            user: Some(user),
            project: None,
            role: organization.and_then(|organization| snapshot.role(organization, user)),
        }))
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

impl Snapshot {
    /// What a user may do in an organization.
    pub fn role(&self, organization: OrganizationId, user: UserId) -> Option<Role> {
        let disabled = self.users.get(&user).is_none_or(|state| state.disabled);
        let role = self.members.get(&(organization, user)).copied();
        role.filter(|_| !disabled)
    }

    /// The organizations of a user, in the order the user came to them: being added
    /// to another one does not change which is the first.
    pub fn organizations_of(&self, user: UserId) -> &[OrganizationId] {
        self.organizations_of.get(&user).map_or(&[], Vec::as_slice)
    }

    /// The projects of an organization, oldest first.
    pub fn projects_of(&self, organization: OrganizationId) -> &[ProjectId] {
        self.projects_of
            .get(&organization)
            .map_or(&[], Vec::as_slice)
    }

    /// A project.
    pub fn project(&self, id: ProjectId) -> Option<&ProjectRef> {
        self.projects.get(&id)
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<KeyRecord>> {
        self.keys.values()
    }

    /// The project with this id or public key; a key that was revoked names none.
    pub fn find_project(&self, name: &str) -> Option<ProjectId> {
        let valid = |(id, valid): &'_ (ProjectId, bool)| valid.then_some(*id);
        let by_key = || self.project_keys.get(name).and_then(valid);
        self.project_ids.get(name).copied().or_else(by_key)
    }

    async fn read(connection: &impl ConnectionTrait, now: i64) -> Result<Self> {
        let mut fresh = Self {
            generation: generation(connection).await?,
            ..Self::default()
        };
        let sql = "SELECT id, name, slug, plan, trial_ends_at FROM organization";
        for row in rows(connection, sql, []).await? {
            let id = OrganizationId(row.try_get("", "id")?);
            let plan: String = row.try_get("", "plan")?;
            let organization = Organization {
                id,
                name: row.try_get("", "name")?,
                slug: row.try_get("", "slug")?,
                plan: plan.parse()?,
                trial_ends_at: row.try_get("", "trial_ends_at")?,
            };
            fresh.organizations.insert(id, organization);
        }
        let sql = "SELECT id, sessions_from, disabled_at FROM account_user";
        for row in rows(connection, sql, []).await? {
            let disabled: Option<i64> = row.try_get("", "disabled_at")?;
            let state = UserState {
                sessions_from: row.try_get("", "sessions_from")?,
                disabled: disabled.is_some(),
            };
            fresh.users.insert(UserId(row.try_get("", "id")?), state);
        }
        let sql = "SELECT organization_id, user_id, role FROM member \
                   ORDER BY created_at, organization_id";
        for row in rows(connection, sql, []).await? {
            let organization = OrganizationId(row.try_get("", "organization_id")?);
            let user = UserId(row.try_get("", "user_id")?);
            let role: i16 = row.try_get("", "role")?;
            let role = Role::from_number(role.into())
                .ok_or_else(|| Error::internal("a member has a role this version does not know"))?;
            fresh.members.insert((organization, user), role);
            fresh
                .organizations_of
                .entry(user)
                .or_default()
                .push(organization);
        }
        fresh.read_projects(connection).await?;
        fresh.read_keys(connection).await?;
        // A token is good a little longer than it says: clocks of nodes differ.
        let over = now - REMEMBER_REVOKED;
        let sql = "SELECT id FROM session WHERE revoked_at IS NOT NULL AND expires_at > $1";
        for row in rows(connection, sql, [over.into()]).await? {
            fresh.revoked_sessions.insert(row.try_get("", "id")?);
        }
        Ok(fresh)
    }

    async fn read_projects(&mut self, connection: &impl ConnectionTrait) -> Result<()> {
        let sql = "SELECT number, id, organization_id, timezone, allowed_origins FROM project \
                   WHERE deleted_at IS NULL ORDER BY number";
        for row in rows(connection, sql, []).await? {
            let id = ProjectId(row.try_get("", "number")?);
            let public_id: String = row.try_get("", "id")?;
            let timezone: String = row.try_get("", "timezone")?;
            let organization = OrganizationId(row.try_get("", "organization_id")?);
            let origins: String = row.try_get("", "allowed_origins")?;
            let origins: Vec<String> = serde_json::from_str(&origins).map_err(Error::internal)?;
            let project = ProjectRef {
                id,
                public_id: public_id.as_str().into(),
                organization,
                timezone: timezone.into(),
                allowed_origins: origins.into(),
            };
            self.projects.insert(id, project);
            self.projects_of.entry(organization).or_default().push(id);
            self.project_ids.insert(public_id, id);
        }
        let sql = "SELECT key, project, revoked_at FROM project_key";
        for row in rows(connection, sql, []).await? {
            let revoked: Option<i64> = row.try_get("", "revoked_at")?;
            let project = ProjectId(row.try_get("", "project")?);
            let valid = revoked.is_none() && self.projects.contains_key(&project);
            self.project_keys
                .insert(row.try_get("", "key")?, (project, valid));
        }
        Ok(())
    }

    async fn read_keys(&mut self, connection: &impl ConnectionTrait) -> Result<()> {
        let sql = "SELECT number, organization_id, user_id, project, hash, scopes, expires_at, \
                   last_used_at FROM api_key WHERE revoked_at IS NULL";
        for row in rows(connection, sql, []).await? {
            let hash: Vec<u8> = row.try_get("", "hash")?;
            let Ok(hash) = hash.try_into() else {
                continue;
            };
            let project: Option<i64> = row.try_get("", "project")?;
            let project = project.map(ProjectId);
            // A key of a project that was deleted opens nothing.
            if project.is_some_and(|project| !self.projects.contains_key(&project)) {
                continue;
            }
            let scopes: String = row.try_get("", "scopes")?;
            let used: Option<i64> = row.try_get("", "last_used_at")?;
            let key = KeyRecord {
                number: row.try_get("", "number")?,
                organization: OrganizationId(row.try_get("", "organization_id")?),
                user: UserId(row.try_get("", "user_id")?),
                project,
                scopes: Scopes::from_stored(&scopes),
                expires_at: row.try_get("", "expires_at")?,
                last_used_at: AtomicI64::new(used.unwrap_or(0)),
                flushed_at: AtomicI64::new(used.unwrap_or(0)),
            };
            self.keys.insert(hash, Arc::new(key));
        }
        Ok(())
    }
}

async fn generation(connection: &impl ConnectionTrait) -> Result<i64> {
    let sql = "SELECT generation FROM credential_generation WHERE id = 1";
    let found = rows(connection, sql, []).await?;
    let row = found
        .first()
        .ok_or_else(|| Error::internal("no credential generation"))?;
    Ok(row.try_get("", "generation")?)
}

async fn rows<const N: usize>(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: [sea_orm::Value; N],
) -> Result<Vec<QueryResult>> {
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    Ok(connection.query_all_raw(statement).await?)
}
