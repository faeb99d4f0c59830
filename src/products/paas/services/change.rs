//! What may be changed of a service, and what follows from it.

use sea_orm::Value;

use super::super::access::Viewer;
use super::super::vault::{Place, Variables, Vault};
use super::super::{rules, state};
use super::deployment::{self, Cause};
use super::event;
use super::make::{port, room_for};
use super::record::{Plan, Row, Status};
use crate::api::apex::paas::v1 as pb;
use crate::db::Tx;
use crate::db::sql::{execute, rows};
use crate::error::{Error, Result};

/// A change of a service.
#[derive(Debug)]
pub(super) enum Change {
    Redeploy,
    Pause(bool),
    Scale(i64),
    RollBack(Option<String>),
    Update(Box<Update>),
}

/// Members that are given anew.
#[derive(Debug)]
pub(super) struct Update {
    image: Option<String>,
    public: Option<bool>,
    env: Option<Variables>,
    port: Option<u16>,
    command: Option<Vec<String>>,
    health: Option<pb::HealthCheck>,
}

impl Change {
    /// What a request changes, if it can be.
    pub(super) fn update(request: pb::UpdateServiceRequest, registries: &[String]) -> Result<Self> {
        let mask = request.update_mask.unwrap_or_default().paths;
        let has = |name: &str| mask.iter().any(|path| path == name);
        if has("image") {
            rules::image("image", &request.image, registries)?;
        }
        rules::command("command", &request.command)?;
        Plan::default().check(request.health_check.as_ref())?;
        let port = has("container_port").then(|| port(request.container_port));
        let env = has("env").then(|| rules::variables("env", request.env));
        Ok(Self::Update(Box::new(Update {
            image: has("image").then_some(request.image),
            public: has("public").then_some(request.public),
            env: env.transpose()?,
            port: port.transpose()?,
            command: has("command").then_some(request.command),
            health: has("health_check").then(|| request.health_check.unwrap_or_default()),
        })))
    }

    /// What the log calls it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Redeploy => "redeploy",
            Self::Pause(_) => "pause",
            Self::Scale(_) => "scale",
            Self::RollBack(_) => "rollback",
            Self::Update(_) => "update",
        }
    }

    pub(super) async fn apply(
        self,
        tx: &Tx,
        vault: &Vault,
        viewer: Viewer,
        service: &Row,
        cause: Cause,
    ) -> Result<()> {
        match self {
            Self::Redeploy => deployment::roll(tx, vault, service, cause).await,
            Self::Pause(pause) if pause == service.paused => Ok(()),
            Self::Pause(pause) => {
                let sql = "UPDATE paas_service SET paused = $1 WHERE number = $2";
                let values = [i16::from(pause).into(), service.number.into()];
                execute(tx, sql, values).await?;
                let told = if pause {
                    "It was paused"
                } else {
                    "It was resumed"
                };
                sized(tx, service, (pause, service.replicas), told, cause.now).await
            }
            Self::Scale(replicas) if replicas == service.replicas => Ok(()),
            Self::Scale(replicas) => {
                room_for_replicas(tx, viewer, replicas - service.replicas).await?;
                let sql = "UPDATE paas_service SET replicas = $1 WHERE number = $2";
                execute(tx, sql, [replicas.into(), service.number.into()]).await?;
                let told = format!("It was scaled from {} to {replicas}", service.replicas);
                sized(tx, service, (service.paused, replicas), &told, cause.now).await
            }
            Self::RollBack(to) => {
                deployment::roll_back(tx, vault, service, to.as_deref(), cause).await
            }
            Self::Update(update) => update.apply(tx, vault, service, cause).await,
        }
    }
}

/// A service of the organization more is no matter here: only its containers count.
async fn room_for_replicas(tx: &Tx, viewer: Viewer, more: i64) -> Result<()> {
    match more > 0 {
        true => room_for(tx, viewer, more).await,
        false => Ok(()),
    }
}

/// Another number of containers is wanted.
async fn sized(
    tx: &Tx,
    service: &Row,
    (paused, replicas): (bool, i64),
    told: &str,
    now: i64,
) -> Result<()> {
    let rolled_out = service.current.as_deref() == Some(&service.target);
    let after = match (paused, replicas) {
        (true, _) => Status::Paused,
        (false, 0) => Status::Stopped,
        (false, _) if rolled_out && service.ready > 0 => Status::Running,
        (false, _) => Status::Deploying,
    };
    if paused || replicas == 0 {
        // From now on none of them is asked anything.
        let sql = "UPDATE paas_service SET ready = 0 WHERE number = $1";
        execute(tx, sql, [service.number.into()]).await?;
    }
    event::change(tx, service, (after, None), told, now).await?;
    state::changed(tx).await
}

impl Update {
    async fn apply(self, tx: &Tx, vault: &Vault, service: &Row, cause: Cause) -> Result<()> {
        let mut after = service.clone();
        let organization = service.organization;
        if let Some(env) = self.env {
            after.env_names = env.keys().cloned().collect();
            after.env = vault.seal(&env, organization, Place::Service(&service.id))?;
        }
        let plan = &mut after.plan;
        plan.port = self.port.unwrap_or(plan.port);
        if let Some(command) = self.command {
            plan.command = command;
        }
        if let Some(health) = &self.health {
            plan.check(Some(health))?;
        }
        after.image = self.image.unwrap_or(after.image);
        after.public = self.public.unwrap_or(after.public);
        let sql = "UPDATE paas_service SET image = $1, plan = $2, env = $3, env_names = $4, \
                   public = $5, updated_at = $6 WHERE number = $7";
        let names = serde_json::to_string(&after.env_names).map_err(Error::internal)?;
        let values: [Value; 7] = [
            after.image.as_str().into(),
            after.plan.text()?.into(),
            after.env.clone().into(),
            names.into(),
            i16::from(after.public).into(),
            cause.now.into(),
            service.number.into(),
        ];
        execute(tx, sql, values).await?;
        let same =
            after.image == service.image && after.plan == service.plan && after.env == service.env;
        match same {
            // Containers stay as they are; who may reach them changes.
            true => state::changed(tx).await,
            false => deployment::roll(tx, vault, &after, cause).await,
        }
    }
}

/// Deletes a service. Its row goes once its containers are gone.
pub(in super::super) async fn delete(tx: &Tx, service: &Row, now: i64) -> Result<()> {
    end_previews(tx, service, now).await?;
    leave(tx, service.number, now).await
}

/// Deletes what was made for proposals of changes to a service.
pub(in super::super) async fn end_previews(tx: &Tx, service: &Row, now: i64) -> Result<()> {
    let sql = "SELECT number FROM paas_service WHERE preview_of = $1 AND deleted_at IS NULL";
    for found in rows(tx, sql, [service.number.into()]).await? {
        leave(tx, found.try_get("", "number")?, now).await?;
    }
    Ok(())
}

async fn leave(tx: &Tx, service: i64, now: i64) -> Result<()> {
    let sql = "UPDATE paas_service SET deleted_at = $1, updated_at = $1 WHERE number = $2";
    execute(tx, sql, [now.into(), service.into()]).await?;
    for table in ["paas_attachment", "paas_source", "paas_domain"] {
        let sql = format!("DELETE FROM {table} WHERE service = $1");
        execute(tx, &sql, [service.into()]).await?;
    }
    state::changed(tx).await
}

/// Forgets a deleted service, whose containers are gone.
pub(in super::super) async fn forget(tx: &Tx, service: &Row) -> Result<()> {
    for table in ["paas_event", "paas_deployment"] {
        let sql = format!("DELETE FROM {table} WHERE service = $1");
        execute(tx, &sql, [service.number.into()]).await?;
    }
    let sql = "DELETE FROM paas_service WHERE number = $1 AND deleted_at IS NOT NULL";
    execute(tx, sql, [service.number.into()]).await?;
    state::changed(tx).await
}
