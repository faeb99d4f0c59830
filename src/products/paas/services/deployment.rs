//! Deployments: what was wanted, snapshot by snapshot, and what became of it. A change of
//! what a service's containers are is a new deployment; the one before stays as it was.

use sea_orm::{ConnectionTrait, QueryResult, Value};
use uuid::Uuid;

use super::super::vault::{Place, Variables, Vault};
use super::super::{env_groups, state};
use super::event::{self, Happened};
use super::record::{Plan, Row, Status, word};
use crate::api::apex::paas::v1 as pb;
use crate::auth::OrganizationId;
use crate::db::Tx;
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Kind, Result};
use crate::products::timestamp;

use pb::DeploymentStatus as Outcome;

/// The words of outcomes, in the database.
const OUTCOMES: [(Outcome, &str); 4] = [
    (Outcome::Pending, "pending"),
    (Outcome::Succeeded, "succeeded"),
    (Outcome::Failed, "failed"),
    (Outcome::Superseded, "superseded"),
];

/// Deployments of a service that are kept.
const KEPT: i64 = 100;

/// A deployment as it is kept.
#[derive(Debug, Clone)]
pub(in super::super) struct Deployment {
    pub(in super::super) id: String,
    pub(in super::super) image: String,
    pub(in super::super) digest: Option<String>,
    pub(in super::super) plan: Plan,
    pub(in super::super) env: Vec<u8>,
    /// What of its environment is the service's own.
    own_env: Option<Vec<u8>>,
    outcome: Outcome,
    cause: String,
    actor: Option<i64>,
    reason: Option<String>,
    created_at: i64,
    finished_at: Option<i64>,
}

const COLUMNS: &str = "id, image, digest, plan, env, own_env, status, cause, actor, reason, created_at, \
                       finished_at";

impl Deployment {
    fn of(row: &QueryResult) -> Result<Self> {
        let (plan, status): (String, String) =
            (row.try_get("", "plan")?, row.try_get("", "status")?);
        let known = OUTCOMES.iter().find(|(_, own)| *own == status);
        Ok(Self {
            id: row.try_get("", "id")?,
            image: row.try_get("", "image")?,
            digest: row.try_get("", "digest")?,
            plan: Plan::parse(&plan)?,
            env: row.try_get("", "env")?,
            own_env: row.try_get("", "own_env")?,
            outcome: known.map_or(Outcome::Unspecified, |(outcome, _)| *outcome),
            cause: row.try_get("", "cause")?,
            actor: row.try_get("", "actor")?,
            reason: row.try_get("", "reason")?,
            created_at: row.try_get("", "created_at")?,
            finished_at: row.try_get("", "finished_at")?,
        })
    }

    /// As callers see it.
    fn message(&self) -> pb::Deployment {
        pb::Deployment {
            id: self.id.clone(),
            image: self.image.clone(),
            digest: self.digest.clone(),
            status: self.outcome.into(),
            trigger: self.cause.clone(),
            user_id: self.actor,
            reason: self.reason.clone(),
            created_at: Some(timestamp(self.created_at)),
            finished_at: self.finished_at.map(timestamp),
        }
    }

    /// Its environment, opened.
    pub(in super::super) fn variables(
        &self,
        vault: &Vault,
        organization: OrganizationId,
    ) -> Result<Variables> {
        vault.open(&self.env, organization, Place::Deployment(&self.id))
    }
}

/// Why there is another deployment, and who wanted it.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Cause {
    pub(in super::super) word: &'static str,
    pub(in super::super) actor: Option<i64>,
    pub(in super::super) now: i64,
}

/// What is deployed.
#[derive(Debug)]
struct Snapshot {
    image: String,
    digest: Option<String>,
    plan: Plan,
    env: Variables,
    /// What of it is the service's own.
    own: Variables,
}

/// Wants a service rolled out as it is written down now, with its groups' variables as
/// they are now.
pub(in super::super) async fn roll(
    tx: &Tx,
    vault: &Vault,
    service: &Row,
    cause: Cause,
) -> Result<()> {
    let organization = service.organization;
    let mut env = env_groups::variables_of(tx, vault, organization, service.number).await?;
    let own = vault.open(&service.env, organization, Place::Service(&service.id))?;
    // Its own come last, and win.
    env.extend(own.clone());
    let snapshot = Snapshot {
        image: service.image.clone(),
        digest: None,
        plan: service.plan.clone(),
        env,
        own,
    };
    put(tx, vault, service, snapshot, cause).await
}

/// Wants an earlier deployment again, to the byte.
pub(super) async fn roll_back(
    tx: &Tx,
    vault: &Vault,
    service: &Row,
    to: Option<&str>,
    cause: Cause,
) -> Result<()> {
    let organization = service.organization;
    let earlier = match to {
        Some(id) => {
            let found = find(tx, service.number, id).await?;
            found.ok_or_else(|| Error::not_found("Deployment not found"))?
        }
        None => before_current(tx, service).await?.ok_or_else(none)?,
    };
    if earlier.outcome != Outcome::Succeeded {
        let words = "This deployment never ran, so that there is nothing to go back to";
        return Err(Error::new(Kind::FailedPrecondition, words));
    }
    let env = earlier.variables(vault, organization)?;
    let own = restore(tx, vault, service, &earlier).await?;
    let snapshot = Snapshot {
        image: earlier.image,
        digest: earlier.digest,
        plan: earlier.plan,
        env,
        own,
    };
    put(tx, vault, service, snapshot, cause).await
}

/// Writes a service down as a deployment has it; answers its own environment.
async fn restore(
    tx: &Tx,
    vault: &Vault,
    service: &Row,
    deployment: &Deployment,
) -> Result<Variables> {
    let (organization, place) = (service.organization, Place::Service(&service.id));
    let own = match &deployment.own_env {
        Some(sealed) => {
            let place = Place::DeploymentOwn(&deployment.id);
            vault.open(sealed, organization, place)?
        }
        None => vault.open(&service.env, organization, place)?,
    };
    let names: Vec<&String> = own.keys().collect();
    let sql = "UPDATE paas_service SET image = $1, plan = $2, env = $3, env_names = $4 \
               WHERE number = $5";
    let values: [Value; 5] = [
        deployment.image.as_str().into(),
        deployment.plan.text()?.into(),
        vault.seal(&own, organization, place)?.into(),
        serde_json::to_string(&names)
            .map_err(Error::internal)?
            .into(),
        service.number.into(),
    ];
    execute(tx, sql, values).await?;
    Ok(own)
}

fn none() -> Error {
    let words = "There is no earlier deployment to go back to";
    Error::new(Kind::FailedPrecondition, words)
}

async fn put(
    tx: &Tx,
    vault: &Vault,
    service: &Row,
    snapshot: Snapshot,
    cause: Cause,
) -> Result<()> {
    let id = Uuid::now_v7().to_string();
    let organization = service.organization;
    let env = vault.seal(&snapshot.env, organization, Place::Deployment(&id))?;
    let place = Place::DeploymentOwn(&id);
    let own_env = vault.seal(&snapshot.own, organization, place)?;
    finish(tx, service.number, Outcome::Superseded, None, cause.now).await?;
    let sql = "INSERT INTO paas_deployment (id, organization, service, image, digest, plan, env, \
               status, cause, actor, created_at, own_env) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9, $10, $11)";
    let values: [Value; 11] = [
        id.as_str().into(),
        organization.into(),
        service.number.into(),
        snapshot.image.into(),
        snapshot.digest.into(),
        snapshot.plan.text()?.into(),
        env.into(),
        cause.word.into(),
        cause.actor.into(),
        cause.now.into(),
        own_env.into(),
    ];
    execute(tx, sql, values).await?;
    forget_old(tx, service).await?;
    let after = match (service.paused, service.replicas) {
        (true, _) => Status::Paused,
        (false, 0) => Status::Stopped,
        (false, _) => Status::Deploying,
    };
    let sql = "UPDATE paas_service SET target = $1, status = $2, message = NULL, updated_at = $3 \
               WHERE number = $4";
    let values: [Value; 4] = [
        id.as_str().into(),
        word(after).into(),
        cause.now.into(),
        service.number.into(),
    ];
    execute(tx, sql, values).await?;
    let message = format!("Deployment {id} was asked for: {}", cause.word);
    let before = (service.status != Status::Unspecified).then_some(service.status);
    let happened = Happened {
        before,
        after,
        message: &message,
        at: cause.now,
    };
    event::put(tx, service, happened).await?;
    state::changed(tx).await
}

/// Forgets deployments of long ago, but for the one that runs.
async fn forget_old(tx: &Tx, service: &Row) -> Result<()> {
    let sql = format!(
        "DELETE FROM paas_deployment WHERE service = $1 AND id <> $2 AND number <= \
         (SELECT number FROM paas_deployment WHERE service = $1 ORDER BY number DESC \
         LIMIT 1 OFFSET {KEPT})"
    );
    let current = service.current.as_deref().unwrap_or_default();
    execute(tx, &sql, [service.number.into(), current.into()]).await?;
    Ok(())
}

/// Decides what becomes of the deployments of a service that are pending.
async fn finish(
    tx: &Tx,
    service: i64,
    outcome: Outcome,
    reason: Option<&str>,
    now: i64,
) -> Result<u64> {
    let known = OUTCOMES.iter().find(|(own, _)| *own == outcome);
    let sql = "UPDATE paas_deployment SET status = $1, reason = $2, finished_at = $3 \
               WHERE service = $4 AND status = 'pending'";
    let values: [Value; 4] = [
        known.map_or("superseded", |(_, word)| *word).into(),
        reason.into(),
        now.into(),
        service.into(),
    ];
    execute(tx, sql, values).await
}

/// A deployment is done: it is the one that runs.
pub(in super::super) async fn succeeded(
    tx: &Tx,
    service: &Row,
    (id, digest): (&str, Option<&str>),
    now: i64,
) -> Result<()> {
    // It may have failed before, and have been tried once more.
    let sql = "UPDATE paas_deployment SET digest = $1, status = 'succeeded', reason = NULL, \
               finished_at = $2 WHERE service = $3 AND id = $4";
    let values: [Value; 4] = [digest.into(), now.into(), service.number.into(), id.into()];
    execute(tx, sql, values).await?;
    finish(tx, service.number, Outcome::Superseded, None, now).await?;
    let sql = "UPDATE paas_service SET current = $1 WHERE number = $2";
    execute(tx, sql, [id.into(), service.number.into()]).await?;
    Ok(())
}

/// A deployment failed: what ran before is wanted again, if something did.
pub(in super::super) async fn failed(
    tx: &Tx,
    vault: &Vault,
    service: &Row,
    reason: &str,
    now: i64,
) -> Result<()> {
    finish(tx, service.number, Outcome::Failed, Some(reason), now).await?;
    let Some(current) = &service.current else {
        return Ok(());
    };
    if let Some(ran) = find(tx, service.number, current).await? {
        restore(tx, vault, service, &ran).await?;
    }
    let sql = "UPDATE paas_service SET target = $1 WHERE number = $2";
    execute(tx, sql, [current.as_str().into(), service.number.into()]).await?;
    Ok(())
}

/// A deployment of a service.
pub(in super::super) async fn find(
    connection: &impl ConnectionTrait,
    service: i64,
    id: &str,
) -> Result<Option<Deployment>> {
    let sql = format!("SELECT {COLUMNS} FROM paas_deployment WHERE service = $1 AND id = $2");
    let found = row(connection, &sql, [service.into(), id.into()]).await?;
    found.as_ref().map(Deployment::of).transpose()
}

/// The last deployment that ran before the one that runs.
async fn before_current(
    connection: &impl ConnectionTrait,
    service: &Row,
) -> Result<Option<Deployment>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM paas_deployment WHERE service = $1 AND status = 'succeeded' \
         AND number < (SELECT number FROM paas_deployment WHERE service = $1 AND id = $2) \
         ORDER BY number DESC LIMIT 1"
    );
    let current = service.current.as_deref().unwrap_or_default();
    let found = row(connection, &sql, [service.number.into(), current.into()]).await?;
    found.as_ref().map(Deployment::of).transpose()
}

/// The deployments of a service, newest first.
pub(super) async fn list(
    connection: &impl ConnectionTrait,
    service: i64,
    most: i32,
) -> Result<Vec<pb::Deployment>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM paas_deployment WHERE service = $1 ORDER BY number DESC LIMIT {most}"
    );
    let found = rows(connection, &sql, [service.into()]).await?;
    let shown = found.iter().map(|row| Ok(Deployment::of(row)?.message()));
    shown.collect()
}
