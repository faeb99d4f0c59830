//! What the directory holds at one generation, read whole from the database.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use foldhash::HashMap;
use sea_orm::ConnectionTrait;

use super::super::principal::{OrganizationId, Plan, ProjectId, Scopes, UserId};
use crate::clock::MICROS;
use crate::db::sql::{row, rows};
use crate::error::{Error, Result};
use crate::policy::Role;

/// How long a revoked session is remembered after its token has ended.
const REMEMBER_REVOKED: i64 = 60 * MICROS;

/// The directory at one generation.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(super) generation: i64,
    /// Organizations by id.
    pub organizations: HashMap<OrganizationId, Organization>,
    members: HashMap<(OrganizationId, UserId), Role>,
    organizations_of: HashMap<UserId, Vec<OrganizationId>>,
    pub(super) users: HashMap<UserId, UserState>,
    pub(super) projects: HashMap<ProjectId, ProjectRef>,
    projects_of: HashMap<OrganizationId, Vec<ProjectId>>,
    project_ids: HashMap<String, ProjectId>,
    pub(super) project_keys: HashMap<String, (ProjectId, bool)>,
    projects_of_origin: HashMap<String, Vec<ProjectId>>,
    grants: HashMap<OrganizationId, Vec<Granted>>,
    projects_of_any: Vec<ProjectId>,
    pub(super) keys: HashMap<[u8; 32], Arc<KeyRecord>>,
    hashes: HashMap<i64, [u8; 32]>,
    pub(super) revoked_sessions: HashSet<String>,
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
pub(super) struct UserState {
    /// Sessions that began before are over.
    pub(super) sessions_from: i64,
    pub(super) disabled: bool,
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
    /// Whether visitors must consent before anything is recorded.
    pub consent_required: bool,
}

impl ProjectRef {
    /// Whether pages of an origin may name it.
    pub fn allows(&self, origin: &str) -> bool {
        self.allowed_origins.is_empty() || self.allowed_origins.iter().any(|own| own == origin)
    }
}

/// An API key.
#[derive(Debug)]
pub struct KeyRecord {
    /// Its number.
    pub number: i64,
    /// Its public id.
    pub(super) id: Arc<str>,
    pub(super) organization: OrganizationId,
    pub(super) user: UserId,
    pub(super) project: Option<ProjectId>,
    pub(super) scopes: Scopes,
    pub(super) expires_at: Option<i64>,
    /// When it was last used; flushed to the database once a minute.
    pub last_used_at: AtomicI64,
    /// What of that the database has.
    pub flushed_at: AtomicI64,
}

/// What a role may do with a resource instead of what it may by default.
#[derive(Debug)]
struct Granted {
    role: Role,
    resource: String,
    view: bool,
    create: bool,
    update: bool,
    delete: bool,
}

impl Granted {
    /// Whether it is about the things an action names, such as `deal products`.
    fn is_about(&self, things: &str) -> bool {
        self.resource.split('-').eq(things.split([' ', '-']))
    }
}

impl Snapshot {
    /// Whether a role was granted an action, such as `view contacts`; `None` where it is
    /// as the role has it by default.
    pub(super) fn grant(
        &self,
        organization: OrganizationId,
        role: Role,
        action: &str,
    ) -> Option<bool> {
        let (verb, things) = action.split_once(' ')?;
        let mut own = self.grants.get(&organization)?.iter();
        let granted = own.find(|own| own.role == role && own.is_about(things))?;
        match verb {
            "view" => Some(granted.view),
            "create" => Some(granted.create),
            // Who changes a record is answered what it is.
            "update" => Some(granted.view && granted.update),
            "delete" => Some(granted.view && granted.delete),
            _ => None,
        }
    }

    /// Resources a role may not view.
    pub(super) fn hidden(&self, organization: OrganizationId, role: Role) -> Vec<String> {
        let own = self.grants.get(&organization).into_iter().flatten();
        let hidden = own.filter(|own| own.role == role && !own.view);
        hidden.map(|own| own.resource.clone()).collect()
    }

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

    /// The projects that name an origin among those they allow; where there is none,
    /// those that allow any.
    pub(super) fn projects_of_origin(&self, origin: &str) -> &[ProjectId] {
        let own = self.projects_of_origin.get(origin);
        own.unwrap_or(&self.projects_of_any)
    }

    /// A project.
    pub fn project(&self, id: ProjectId) -> Option<&ProjectRef> {
        self.projects.get(&id)
    }

    /// A key by its number.
    pub(super) fn key(&self, number: i64) -> Option<&Arc<KeyRecord>> {
        self.keys.get(self.hashes.get(&number)?)
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

    /// Reads the directory.
    pub(super) async fn read(connection: &impl ConnectionTrait, now: i64) -> Result<Self> {
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
        fresh.read_grants(connection).await?;
        // A token is good a little longer than it says: clocks of nodes differ.
        let over = now - REMEMBER_REVOKED;
        let sql = "SELECT id FROM session WHERE revoked_at IS NOT NULL AND expires_at > $1";
        for row in rows(connection, sql, [over.into()]).await? {
            fresh.revoked_sessions.insert(row.try_get("", "id")?);
        }
        Ok(fresh)
    }

    async fn read_projects(&mut self, connection: &impl ConnectionTrait) -> Result<()> {
        let sql = "SELECT number, id, organization_id, timezone, allowed_origins, consent_mode FROM project \
                   WHERE deleted_at IS NULL ORDER BY number";
        for row in rows(connection, sql, []).await? {
            let id = ProjectId(row.try_get("", "number")?);
            let public_id: String = row.try_get("", "id")?;
            let timezone: String = row.try_get("", "timezone")?;
            let organization = OrganizationId(row.try_get("", "organization_id")?);
            let origins: String = row.try_get("", "allowed_origins")?;
            let origins: Vec<String> = serde_json::from_str(&origins).map_err(Error::internal)?;
            let consent: String = row.try_get("", "consent_mode")?;
            if origins.is_empty() {
                self.projects_of_any.push(id);
            }
            for origin in &origins {
                let own = self.projects_of_origin.entry(origin.clone());
                own.or_default().push(id);
            }
            let project = ProjectRef {
                id,
                public_id: public_id.as_str().into(),
                organization,
                timezone: timezone.into(),
                allowed_origins: origins.into(),
                consent_required: consent == "required",
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

    async fn read_grants(&mut self, connection: &impl ConnectionTrait) -> Result<()> {
        let sql = "SELECT organization_id, role, resource, can_view, can_create, can_update, \
                   can_delete FROM role_grant WHERE deleted_at IS NULL";
        for row in rows(connection, sql, []).await? {
            let flag = |name: &str| Ok::<bool, Error>(row.try_get::<i64>("", name)? != 0);
            let role: String = row.try_get("", "role")?;
            let granted = Granted {
                role: match role.as_str() {
                    "member" => Role::Member,
                    _ => Role::Viewer,
                },
                resource: row.try_get("", "resource")?,
                view: flag("can_view")?,
                create: flag("can_create")?,
                update: flag("can_update")?,
                delete: flag("can_delete")?,
            };
            let organization = OrganizationId(row.try_get("", "organization_id")?);
            self.grants.entry(organization).or_default().push(granted);
        }
        Ok(())
    }

    async fn read_keys(&mut self, connection: &impl ConnectionTrait) -> Result<()> {
        let sql = "SELECT number, id, organization_id, user_id, project, hash, scopes, expires_at, \
                   last_used_at FROM api_key WHERE revoked_at IS NULL AND disabled_at IS NULL";
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
            let id: String = row.try_get("", "id")?;
            let key = KeyRecord {
                number: row.try_get("", "number")?,
                id: id.into(),
                organization: OrganizationId(row.try_get("", "organization_id")?),
                user: UserId(row.try_get("", "user_id")?),
                project,
                scopes: Scopes::from_stored(&scopes),
                expires_at: row.try_get("", "expires_at")?,
                last_used_at: AtomicI64::new(used.unwrap_or(0)),
                flushed_at: AtomicI64::new(used.unwrap_or(0)),
            };
            self.hashes.insert(key.number, hash);
            self.keys.insert(hash, Arc::new(key));
        }
        Ok(())
    }
}

/// The generation of the directory in the database.
pub(super) async fn generation(connection: &impl ConnectionTrait) -> Result<i64> {
    let sql = "SELECT generation FROM credential_generation WHERE id = 1";
    let row = row(connection, sql, []).await?;
    let row = row.ok_or_else(|| Error::internal("no credential generation"))?;
    Ok(row.try_get("", "generation")?)
}
