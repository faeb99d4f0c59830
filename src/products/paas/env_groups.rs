//! Environment groups: variables several services share. They are sealed; only their
//! names stand beside, for lists. The answer that makes a group shows its values once.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, QueryResult, Value};
use uuid::Uuid;

use super::access::Viewer;
use super::services::record::{self, Row};
use super::services::rolls;
use super::vault::{Place, Variables, Vault};
use super::{Paas, rules};
use crate::api::EnvGroupService;
use crate::api::apex::paas::v1 as pb;
use crate::auth::OrganizationId;
use crate::db::Tx;
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Result};
use crate::products::timestamp;
use crate::server::{Call, Reply};

/// Groups of an organization at the most, and groups of a service.
const MOST: i64 = 200;
const MOST_ATTACHED: i64 = 20;
/// Variables of a group at the most.
const MOST_VARIABLES: usize = 200;
/// What is shown in place of a value.
const MASK: &str = "********";

/// A group as it is kept.
#[derive(Debug)]
struct Group {
    number: i64,
    id: String,
    name: String,
    names: Vec<String>,
    variables: Vec<u8>,
    created_at: i64,
    updated_at: i64,
}

const COLUMNS: &str = "number, id, name, names, variables, created_at, updated_at";

impl Group {
    fn of(row: &QueryResult) -> Result<Self> {
        let names: String = row.try_get("", "names")?;
        Ok(Self {
            number: row.try_get("", "number")?,
            id: row.try_get("", "id")?,
            name: row.try_get("", "name")?,
            names: serde_json::from_str(&names).map_err(Error::internal)?,
            variables: row.try_get("", "variables")?,
            created_at: row.try_get("", "created_at")?,
            updated_at: row.try_get("", "updated_at")?,
        })
    }

    /// As callers see it, with values masked.
    fn masked(&self, services: Vec<String>) -> pb::EnvGroup {
        let mask = |name: &String| (name.clone(), MASK.to_owned());
        pb::EnvGroup {
            id: self.id.clone(),
            name: self.name.clone(),
            variables: self.names.iter().map(mask).collect(),
            services,
            created_at: Some(timestamp(self.created_at)),
            updated_at: Some(timestamp(self.updated_at)),
        }
    }
}

impl EnvGroupService for Paas {
    async fn list_env_groups(
        &self,
        call: Call,
        _: pb::ListEnvGroupsRequest,
    ) -> Result<Reply<pb::ListEnvGroupsResponse>> {
        let viewer = Viewer::of(&call)?;
        let read = self.db().read(call.deadline()).await?;
        let sql =
            format!("SELECT {COLUMNS} FROM paas_env_group WHERE organization = $1 ORDER BY number");
        let found = rows(&read, &sql, [viewer.organization.into()]).await?;
        let mut attached = attached(&read, viewer, None).await?;
        let mut env_groups = Vec::with_capacity(found.len());
        for row in &found {
            let group = Group::of(row)?;
            env_groups.push(group.masked(attached.remove(&group.number).unwrap_or_default()));
        }
        Ok(pb::ListEnvGroupsResponse { env_groups }.into())
    }

    async fn create_env_group(
        &self,
        call: Call,
        request: pb::CreateEnvGroupRequest,
    ) -> Result<Reply<pb::CreateEnvGroupResponse>> {
        let name = rules::name("name", &request.name)?;
        let variables = rules::variables("variables", request.variables)?;
        let (paas, organization, now) = (self.clone(), call.organization()?, self.now());
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                room(tx, organization).await?;
                free(tx, organization, &name, "").await?;
                let id = Uuid::now_v7().to_string();
                let sealed = paas
                    .vault()
                    .seal(&variables, organization, Place::EnvGroup(&id))?;
                let sql = "INSERT INTO paas_env_group (id, organization, name, names, variables, \
                           created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6)";
                let values: [Value; 6] = [
                    id.as_str().into(),
                    organization.into(),
                    name.as_str().into(),
                    names(&variables)?.into(),
                    sealed.into(),
                    now.into(),
                ];
                execute(tx, sql, values).await?;
                let env_group = Some(pb::EnvGroup {
                    id,
                    name,
                    variables,
                    services: Vec::new(),
                    created_at: Some(timestamp(now)),
                    updated_at: Some(timestamp(now)),
                });
                Ok(pb::CreateEnvGroupResponse { env_group })
            })
        });
        Ok(answer.await?.into())
    }

    async fn get_env_group(
        &self,
        call: Call,
        request: pb::GetEnvGroupRequest,
    ) -> Result<Reply<pb::GetEnvGroupResponse>> {
        let viewer = Viewer::of(&call)?;
        let read = self.db().read(call.deadline()).await?;
        let env_group = Some(masked(&read, viewer, &request.id).await?);
        Ok(pb::GetEnvGroupResponse { env_group }.into())
    }

    async fn update_env_group(
        &self,
        call: Call,
        request: pb::UpdateEnvGroupRequest,
    ) -> Result<Reply<pb::UpdateEnvGroupResponse>> {
        let change = Change {
            name: match request.name.is_empty() {
                true => None,
                false => Some(rules::name("name", &request.name)?),
            },
            set: rules::variables("variables", request.variables)?,
            remove: request.remove,
        };
        let (paas, viewer) = (self.clone(), Viewer::of(&call)?);
        let cause = self.cause(&call, "env-group");
        let answer = self.written(&call, move |tx| {
            Box::pin(async move {
                let group = find(tx, viewer.organization, &request.id).await?;
                let mut redeploying = Vec::new();
                if change
                    .apply(tx, paas.vault(), viewer, &group, cause.now)
                    .await?
                {
                    for service in users(tx, viewer, &group).await? {
                        rolls(tx, &paas, &service, cause).await?;
                        redeploying.push(service.id);
                    }
                }
                let env_group = Some(masked(tx, viewer, &request.id).await?);
                Ok(pb::UpdateEnvGroupResponse {
                    env_group,
                    redeploying,
                })
            })
        });
        let answer = answer.await?;
        Ok(answer.into())
    }

    async fn delete_env_group(
        &self,
        call: Call,
        request: pb::DeleteEnvGroupRequest,
    ) -> Result<Reply<pb::DeleteEnvGroupResponse>> {
        let (paas, viewer) = (self.clone(), Viewer::of(&call)?);
        let cause = self.cause(&call, "env-group");
        let answer = self.written(&call, move |tx| {
            Box::pin(async move {
                let group = find(tx, viewer.organization, &request.id).await?;
                let services = users(tx, viewer, &group).await?;
                let sql = "DELETE FROM paas_attachment WHERE env_group = $1";
                execute(tx, sql, [group.number.into()]).await?;
                let sql = "DELETE FROM paas_env_group WHERE organization = $1 AND number = $2";
                execute(tx, sql, [viewer.organization.into(), group.number.into()]).await?;
                let mut redeploying = Vec::new();
                for service in services {
                    rolls(tx, &paas, &service, cause).await?;
                    redeploying.push(service.id);
                }
                Ok(pb::DeleteEnvGroupResponse {
                    success: true,
                    redeploying,
                })
            })
        });
        let answer = answer.await?;
        Ok(answer.into())
    }
}

/// What changes of a group.
#[derive(Debug)]
struct Change {
    name: Option<String>,
    set: Variables,
    remove: Vec<String>,
}

impl Change {
    /// Says whether variables are others than before.
    async fn apply(
        self,
        tx: &Tx,
        vault: &Vault,
        viewer: Viewer,
        group: &Group,
        now: i64,
    ) -> Result<bool> {
        let organization = viewer.organization;
        let name = self.name.unwrap_or_else(|| group.name.clone());
        free(tx, organization, &name, &group.id).await?;
        let place = Place::EnvGroup(&group.id);
        let before = vault.open(&group.variables, organization, place)?;
        let mut after = before.clone();
        after.extend(self.set);
        after.retain(|name, _| !self.remove.contains(name));
        let after = rules::variables("variables", after)?;
        if after.len() > MOST_VARIABLES {
            let words = format!("variables: a group has at most {MOST_VARIABLES}");
            return Err(Error::invalid_field("variables", words));
        }
        let sql = "UPDATE paas_env_group SET name = $1, names = $2, variables = $3, \
                   updated_at = $4 WHERE organization = $5 AND number = $6";
        let values: [Value; 6] = [
            name.into(),
            names(&after)?.into(),
            vault.seal(&after, organization, place)?.into(),
            now.into(),
            organization.into(),
            group.number.into(),
        ];
        execute(tx, sql, values).await?;
        Ok(before != after)
    }
}

fn names(variables: &Variables) -> Result<String> {
    let names: Vec<&String> = variables.keys().collect();
    serde_json::to_string(&names).map_err(Error::internal)
}

async fn room(tx: &Tx, organization: OrganizationId) -> Result<()> {
    let sql = "SELECT COUNT(*) AS n FROM paas_env_group WHERE organization = $1";
    match row(tx, sql, [organization.into()]).await? {
        Some(found) if found.try_get::<i64>("", "n")? >= MOST => Err(Error::forbidden(format!(
            "An organization has at most {MOST} environment groups"
        ))),
        Some(_) | None => Ok(()),
    }
}

/// Refuses a name that another group has.
async fn free(tx: &Tx, organization: OrganizationId, name: &str, own: &str) -> Result<()> {
    let sql = "SELECT 1 AS one FROM paas_env_group \
               WHERE organization = $1 AND name = $2 AND id <> $3";
    match row(tx, sql, [organization.into(), name.into(), own.into()]).await? {
        None => Ok(()),
        Some(_) => Err(Error::invalid_field(
            "name",
            "name is taken by another environment group",
        )),
    }
}

async fn find(
    connection: &impl ConnectionTrait,
    organization: OrganizationId,
    id: &str,
) -> Result<Group> {
    let sql = format!("SELECT {COLUMNS} FROM paas_env_group WHERE organization = $1 AND id = $2");
    let found = row(connection, &sql, [organization.into(), id.into()]).await?;
    Group::of(&found.ok_or_else(|| Error::not_found("Environment group not found"))?)
}

async fn masked(
    connection: &impl ConnectionTrait,
    viewer: Viewer,
    id: &str,
) -> Result<pb::EnvGroup> {
    let group = find(connection, viewer.organization, id).await?;
    let mut attached = attached(connection, viewer, Some(group.number)).await?;
    Ok(group.masked(attached.remove(&group.number).unwrap_or_default()))
}

/// The services groups are attached to, of those somebody may see.
async fn attached(
    connection: &impl ConnectionTrait,
    viewer: Viewer,
    one: Option<i64>,
) -> Result<HashMap<i64, Vec<String>>> {
    let only = match one {
        Some(_) => "AND env_group = $4",
        None => "",
    };
    let sql = format!(
        "SELECT a.env_group, s.id FROM paas_attachment a \
         JOIN (SELECT number, id FROM paas_service WHERE {} AND deleted_at IS NULL) s \
         ON s.number = a.service WHERE a.organization = $1 {only} ORDER BY a.number",
        Viewer::SEES
    );
    let values = viewer.values().into_iter().chain(one.map(Value::from));
    let mut all: HashMap<i64, Vec<String>> = HashMap::new();
    for row in rows(connection, &sql, values).await? {
        let group = all.entry(row.try_get("", "env_group")?).or_default();
        group.push(row.try_get("", "id")?);
    }
    Ok(all)
}

/// All services a group is attached to, if the caller may change every one of them: who
/// changes a group changes what runs in their containers.
async fn users(tx: &Tx, viewer: Viewer, group: &Group) -> Result<Vec<Row>> {
    let sql = "SELECT s.id, s.organization FROM paas_attachment a \
               JOIN paas_service s ON s.number = a.service \
               WHERE a.env_group = $1 AND s.deleted_at IS NULL ORDER BY s.number";
    let mut services = Vec::new();
    for found in rows(tx, sql, [group.number.into()]).await? {
        let organization = OrganizationId(found.try_get("", "organization")?);
        let id: String = found.try_get("", "id")?;
        let service = record::find(tx, Viewer::server(organization), &id).await?;
        viewer.may_write(tx, service.team).await?;
        services.push(service);
    }
    Ok(services)
}

/// The number of a group.
pub(super) async fn number(tx: &Tx, organization: OrganizationId, id: &str) -> Result<i64> {
    Ok(find(tx, organization, id).await?.number)
}

/// Attaches a group to a service; says whether it was not attached before.
pub(super) async fn attach(tx: &Tx, service: &Row, group: i64) -> Result<bool> {
    let sql = "SELECT env_group FROM paas_attachment WHERE service = $1";
    let known = rows(tx, sql, [service.number.into()]).await?;
    let mut groups = known.iter().map(|row| row.try_get::<i64>("", "env_group"));
    if groups.any(|own| own.is_ok_and(|own| own == group)) {
        return Ok(false);
    }
    if known.len() as i64 >= MOST_ATTACHED {
        return Err(Error::forbidden(format!(
            "A service has at most {MOST_ATTACHED} environment groups"
        )));
    }
    let sql = "INSERT INTO paas_attachment (organization, service, env_group) VALUES ($1, $2, $3)";
    let values = [
        service.organization.into(),
        service.number.into(),
        group.into(),
    ];
    execute(tx, sql, values).await?;
    Ok(true)
}

/// Detaches a group from a service.
pub(super) async fn detach(tx: &Tx, service: &Row, group: i64) -> Result<()> {
    let sql = "DELETE FROM paas_attachment WHERE service = $1 AND env_group = $2";
    match execute(tx, sql, [service.number.into(), group.into()]).await? {
        0 => Err(Error::not_found("Environment group not found")),
        _ => Ok(()),
    }
}

/// What the groups of a service say, later ones over earlier ones.
pub(super) async fn variables_of(
    tx: &Tx,
    vault: &Vault,
    organization: OrganizationId,
    service: i64,
) -> Result<Variables> {
    let sql = "SELECT g.id, g.variables FROM paas_attachment a \
               JOIN paas_env_group g ON g.number = a.env_group \
               WHERE a.service = $1 AND g.organization = $2 ORDER BY a.number";
    let mut all = Variables::new();
    for row in rows(tx, sql, [service.into(), organization.into()]).await? {
        let (id, sealed): (String, Vec<u8>) =
            (row.try_get("", "id")?, row.try_get("", "variables")?);
        all.extend(vault.open(&sealed, organization, Place::EnvGroup(&id))?);
    }
    Ok(all)
}
