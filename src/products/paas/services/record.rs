//! Services as they are kept, and as they are shown.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, QueryResult, Value};
use serde::{Deserialize, Serialize};

use super::super::access::Viewer;
use super::super::proxy::Front;
use crate::api::apex::paas::v1 as pb;
use crate::auth::OrganizationId;
use crate::db::sql::{row, rows};
use crate::error::{Error, Result};
use crate::products::timestamp;

/// Seconds a container may take until it is ready, unless somebody said.
const PATIENCE: u32 = 60;

pub(in super::super) use pb::ServiceStatus as Status;

/// The words of statuses, in the database.
const STATUSES: [(Status, &str); 6] = [
    (Status::Pending, "pending"),
    (Status::Deploying, "deploying"),
    (Status::Running, "running"),
    (Status::Paused, "paused"),
    (Status::Failed, "failed"),
    (Status::Stopped, "stopped"),
];

/// The word of a status, in the database.
pub(in super::super) fn word(status: Status) -> &'static str {
    let known = STATUSES.iter().find(|(own, _)| *own == status);
    known.map_or("pending", |(_, word)| word)
}

/// The status of a word.
pub(in super::super) fn status_of(word: &str) -> Status {
    let known = STATUSES.iter().find(|(_, own)| *own == word);
    known.map_or(Status::Unspecified, |(status, _)| *status)
}

/// How containers of a service are run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Plan {
    pub(in super::super) port: u16,
    pub(in super::super) command: Vec<String>,
    pub(in super::super) health_path: String,
    pub(in super::super) patience_s: u32,
    pub(in super::super) memory_mb: u32,
    pub(in super::super) cpus: f64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            port: 80,
            command: Vec::new(),
            health_path: String::new(),
            patience_s: PATIENCE,
            memory_mb: 512,
            cpus: 1.0,
        }
    }
}

impl Plan {
    pub(in super::super) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(Error::internal)
    }

    pub(in super::super) fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(Error::internal)
    }

    /// Takes over how it is found out whether a container is ready.
    pub(super) fn check(&mut self, given: Option<&pb::HealthCheck>) -> Result<()> {
        let path = given.map_or("", |own| own.path.as_str());
        super::super::rules::path("healthCheck.path", path)?;
        self.health_path = path.to_owned();
        let patience = given.and_then(|own| own.timeout_seconds);
        self.patience_s = patience.map_or(PATIENCE, i32::unsigned_abs);
        Ok(())
    }
}

/// A service as it is kept.
#[derive(Debug, Clone)]
pub(in super::super) struct Row {
    pub(in super::super) number: i64,
    pub(in super::super) id: String,
    pub(in super::super) organization: OrganizationId,
    pub(in super::super) team: Option<i64>,
    pub(in super::super) name: String,
    pub(in super::super) status: Status,
    pub(in super::super) message: Option<String>,
    pub(in super::super) public: bool,
    pub(in super::super) paused: bool,
    pub(in super::super) replicas: i64,
    pub(in super::super) ready: i64,
    pub(in super::super) image: String,
    pub(in super::super) env_names: Vec<String>,
    pub(in super::super) plan: Plan,
    pub(in super::super) env: Vec<u8>,
    pub(in super::super) target: String,
    pub(in super::super) current: Option<String>,
    pub(in super::super) deleted: bool,
    created_at: i64,
    updated_at: i64,
}

const COLUMNS: &str = "number, id, organization, team, name, status, message, public, paused, \
     replicas, ready, image, env_names, plan, env, target, current, created_at, updated_at, \
     deleted_at";

impl Row {
    fn of(row: &QueryResult) -> Result<Self> {
        let flag = |name: &str| row.try_get::<i16>("", name).map(|value| value != 0);
        let status: String = row.try_get("", "status")?;
        let (names, plan): (String, String) =
            (row.try_get("", "env_names")?, row.try_get("", "plan")?);
        Ok(Self {
            number: row.try_get("", "number")?,
            id: row.try_get("", "id")?,
            organization: OrganizationId(row.try_get("", "organization")?),
            team: row.try_get("", "team")?,
            name: row.try_get("", "name")?,
            status: status_of(&status),
            message: row.try_get("", "message")?,
            public: flag("public")?,
            paused: flag("paused")?,
            replicas: row.try_get("", "replicas")?,
            ready: row.try_get("", "ready")?,
            image: row.try_get("", "image")?,
            env_names: serde_json::from_str(&names).map_err(Error::internal)?,
            plan: Plan::parse(&plan)?,
            env: row.try_get("", "env")?,
            target: row.try_get("", "target")?,
            current: row.try_get("", "current")?,
            deleted: row.try_get::<Option<i64>>("", "deleted_at")?.is_some(),
            created_at: row.try_get("", "created_at")?,
            updated_at: row.try_get("", "updated_at")?,
        })
    }

    /// How many containers there are to be at the moment.
    pub(in super::super) fn wanted(&self) -> u32 {
        // What never ran is not tried again by itself.
        let failed = self.status == Status::Failed;
        match self.paused || self.deleted || failed {
            true => 0,
            false => u32::try_from(self.replicas).unwrap_or_default(),
        }
    }
}

/// A service somebody may see.
pub(in super::super) async fn find(
    connection: &impl ConnectionTrait,
    viewer: Viewer,
    id: &str,
) -> Result<Row> {
    let sql = format!(
        "SELECT {COLUMNS} FROM paas_service WHERE {} AND id = $4 AND deleted_at IS NULL",
        Viewer::SEES
    );
    let [a, b, c] = viewer.values();
    let found = row(connection, &sql, [a, b, c, id.into()]).await?;
    Row::of(&found.ok_or_else(not_found)?)
}

/// A service somebody may change.
pub(in super::super) async fn find_own(
    connection: &impl ConnectionTrait,
    viewer: Viewer,
    id: &str,
) -> Result<Row> {
    let found = find(connection, viewer, id).await?;
    viewer.may_write(connection, found.team).await?;
    Ok(found)
}

pub(in super::super) fn not_found() -> Error {
    Error::not_found("Service not found")
}

/// Services somebody may see, oldest first.
pub(super) async fn list(
    connection: &impl ConnectionTrait,
    viewer: Viewer,
    after: i64,
    most: Option<i32>,
) -> Result<Vec<Row>> {
    let most = most.map_or(String::new(), |most| format!("LIMIT {most}"));
    let sql = format!(
        "SELECT {COLUMNS} FROM paas_service WHERE {} AND number > $4 AND deleted_at IS NULL \
         ORDER BY number {most}",
        Viewer::SEES
    );
    let [a, b, c] = viewer.values();
    let found = rows(connection, &sql, [a, b, c, after.into()]).await?;
    found.iter().map(Row::of).collect()
}

/// Services with these numbers, of whatever organization, deleted ones too: what the
/// reconciler looks after. All of them without numbers.
pub(in super::super) async fn all(connection: &impl ConnectionTrait) -> Result<Vec<Row>> {
    let sql = format!("SELECT {COLUMNS} FROM paas_service ORDER BY number");
    let found = rows(connection, &sql, []).await?;
    found.iter().map(Row::of).collect()
}

/// A service by its id, of whatever organization, deleted ones too.
pub(in super::super) async fn any(
    connection: &impl ConnectionTrait,
    id: &str,
) -> Result<Option<Row>> {
    let sql = format!("SELECT {COLUMNS} FROM paas_service WHERE id = $1");
    let found = row(connection, &sql, [id.into()]).await?;
    found.as_ref().map(Row::of).transpose()
}

/// Services as callers see them.
pub(super) async fn messages(
    connection: &impl ConnectionTrait,
    front: &Front,
    viewer: Viewer,
    services: &[Row],
) -> Result<Vec<pb::Service>> {
    let one = match services {
        [only] => Some(only.number),
        _ => None,
    };
    let mut groups = groups(connection, viewer.organization, one).await?;
    let teams = match services.iter().any(|own| own.team.is_some()) {
        true => teams(connection, viewer.organization).await?,
        false => HashMap::new(),
    };
    let shown = services.iter().map(|own| {
        let team = own.team.and_then(|team| teams.get(&team).cloned());
        own.message(front, groups.remove(&own.number).unwrap_or_default(), team)
    });
    Ok(shown.collect())
}

/// One service as callers see it.
pub(in super::super) async fn message(
    connection: &impl ConnectionTrait,
    front: &Front,
    viewer: Viewer,
    id: &str,
) -> Result<pb::Service> {
    let found = find(connection, viewer, id).await?;
    let shown = messages(connection, front, viewer, &[found]).await?;
    shown.into_iter().next().ok_or_else(not_found)
}

/// The groups attached to services, by the service's number.
async fn groups(
    connection: &impl ConnectionTrait,
    organization: OrganizationId,
    one: Option<i64>,
) -> Result<HashMap<i64, Vec<String>>> {
    let only = match one {
        Some(_) => "AND a.service = $2",
        None => "",
    };
    let sql = format!(
        "SELECT a.service, g.id FROM paas_attachment a \
         JOIN paas_env_group g ON g.number = a.env_group \
         WHERE a.organization = $1 {only} ORDER BY a.number"
    );
    let values: Vec<Value> = std::iter::once(organization.into())
        .chain(one.map(Value::from))
        .collect();
    let mut all: HashMap<i64, Vec<String>> = HashMap::new();
    for row in rows(connection, &sql, values).await? {
        let service = all.entry(row.try_get("", "service")?).or_default();
        service.push(row.try_get("", "id")?);
    }
    Ok(all)
}

async fn teams(
    connection: &impl ConnectionTrait,
    organization: OrganizationId,
) -> Result<HashMap<i64, String>> {
    let sql = "SELECT number, id FROM paas_team WHERE organization = $1";
    let found = rows(connection, sql, [organization.into()]).await?;
    let pair = |row: &QueryResult| Ok((row.try_get("", "number")?, row.try_get("", "id")?));
    found.iter().map(pair).collect()
}

impl Row {
    fn message(
        &self,
        front: &Front,
        env_groups: Vec<String>,
        team_id: Option<String>,
    ) -> pb::Service {
        let public = self.public;
        pb::Service {
            id: self.id.clone(),
            name: self.name.clone(),
            image: self.image.clone(),
            status: self.status.into(),
            replicas: i32::try_from(self.replicas).unwrap_or(i32::MAX),
            container_port: self.plan.port.into(),
            public,
            url: public
                .then(|| front.url(&self.name, self.organization))
                .flatten(),
            env: self.env_names.clone(),
            env_groups,
            team_id,
            ready_replicas: i32::try_from(self.ready).unwrap_or(i32::MAX),
            current_deployment_id: self.current.clone(),
            message: self.message.clone(),
            health_check: Some(pb::HealthCheck {
                path: self.plan.health_path.clone(),
                timeout_seconds: i32::try_from(self.plan.patience_s).ok(),
            }),
            created_at: Some(timestamp(self.created_at)),
            updated_at: Some(timestamp(self.updated_at)),
        }
    }
}
