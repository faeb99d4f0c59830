//! New services, and what may be asked of them.

use sea_orm::Value;
use uuid::Uuid;

use super::super::access::Viewer;
use super::super::databases;
use super::super::rules;
use super::super::teams;
use super::super::vault::{Place, Variables, Vault};
use super::deployment::{self, Cause};
use super::record::{self, Plan, Row};
use crate::api::apex::paas::v1 as pb;
use crate::db::Tx;
use crate::db::sql::{execute, row};
use crate::error::{Error, Result};

/// Living services of an organization at the most, and their containers.
const MOST: i64 = 5000;
const MOST_REPLICAS: i64 = 10_000;

/// A service that may be made.
#[derive(Debug)]
pub(in super::super) struct Fresh {
    pub(in super::super) name: String,
    pub(in super::super) image: String,
    pub(in super::super) plan: Plan,
    pub(in super::super) public: bool,
    pub(in super::super) replicas: i64,
    pub(in super::super) env: Variables,
    pub(in super::super) team_id: Option<String>,
}

impl Fresh {
    /// What a request asks for, if it can be.
    pub(super) fn of(request: pb::DeployRequest, registries: &[String]) -> Result<Self> {
        rules::label("name", &request.name)?;
        rules::image("image", &request.image, registries)?;
        rules::command("command", &request.command)?;
        let mut plan = Plan {
            port: port(request.container_port)?,
            command: request.command,
            memory_mb: request.memory_mb.map_or(512, i32::unsigned_abs),
            cpus: request.cpus.unwrap_or(1.0),
            ..Plan::default()
        };
        plan.check(request.health_check.as_ref())?;
        Ok(Self {
            name: request.name,
            image: request.image,
            plan,
            public: request.public,
            replicas: request.replicas.unwrap_or(1).into(),
            env: rules::variables("env", request.env)?,
            team_id: request.team_id,
        })
    }
}

/// The port a request names.
pub(super) fn port(given: Option<i32>) -> Result<u16> {
    let wrong = |_| {
        let words = "containerPort must be between 1 and 65535";
        Error::invalid_field("containerPort", words)
    };
    u16::try_from(given.unwrap_or(80)).map_err(wrong)
}

/// Refuses more containers than an organization may have.
pub(super) async fn room_for(tx: &Tx, viewer: Viewer, more: i64) -> Result<()> {
    let sql = "SELECT COUNT(*) AS n, CAST(COALESCE(SUM(replicas), 0) AS BIGINT) AS replicas \
               FROM paas_service WHERE organization = $1 AND deleted_at IS NULL";
    let Some(found) = row(tx, sql, [viewer.organization.into()]).await? else {
        return Ok(());
    };
    let (services, replicas): (i64, i64) =
        (found.try_get("", "n")?, found.try_get("", "replicas")?);
    if services >= MOST {
        let words = format!("An organization has at most {MOST} services");
        return Err(Error::forbidden(words));
    }
    if replicas + more > MOST_REPLICAS {
        let words = format!("An organization has at most {MOST_REPLICAS} containers");
        return Err(Error::forbidden(words));
    }
    Ok(())
}

/// Makes a service and wants it rolled out.
pub(in super::super) async fn make(
    tx: &Tx,
    vault: &Vault,
    viewer: Viewer,
    fresh: Fresh,
    cause: Cause,
) -> Result<Row> {
    let team = match &fresh.team_id {
        Some(id) => Some(teams::number_for_writing(tx, viewer, id).await?),
        None => None,
    };
    room_for(tx, viewer, fresh.replicas).await?;
    let organization = viewer.organization;
    let sql = "SELECT 1 AS one FROM paas_service \
               WHERE organization = $1 AND name = $2 AND deleted_at IS NULL";
    let values = [organization.into(), fresh.name.as_str().into()];
    if row(tx, sql, values).await?.is_some() {
        let words = "name is taken by another service of the organization";
        return Err(Error::invalid_field("name", words));
    }
    databases::free(tx, "paas_database", organization, &fresh.name).await?;
    let id = Uuid::now_v7().to_string();
    let names: Vec<&String> = fresh.env.keys().collect();
    let names = serde_json::to_string(&names).map_err(Error::internal)?;
    let sql = "INSERT INTO paas_service (id, organization, team, name, status, public, paused, \
               replicas, ready, image, env_names, plan, env, target, created_at, updated_at) \
               VALUES ($1, $2, $3, $4, 'pending', $5, 0, $6, 0, $7, $8, $9, $10, '', $11, $11)";
    let values: [Value; 11] = [
        id.as_str().into(),
        organization.into(),
        team.into(),
        fresh.name.into(),
        i16::from(fresh.public).into(),
        fresh.replicas.into(),
        fresh.image.into(),
        names.into(),
        fresh.plan.text()?.into(),
        vault
            .seal(&fresh.env, organization, Place::Service(&id))?
            .into(),
        cause.now.into(),
    ];
    execute(tx, sql, values).await?;
    let made = record::find(tx, viewer, &id).await?;
    deployment::roll(tx, vault, &made, cause).await?;
    Ok(made)
}
