//! One service on its way to what is wanted of it: what the engine is told, and what is
//! written down of what came of it.

use sea_orm::Value;

use super::super::engine::{Outcome, Release, Runtime, Workload};
use super::super::vault::Vault;
use super::super::{Paas, registry, state};
use super::record::{Row, Status};
use super::{change, deployment, event, record};
use crate::db::Tx;
use crate::db::sql::execute;
use crate::error::{Error, Result};

/// Looks after a service, of which so many containers were seen to answer; says whether it
/// is as it is wanted.
pub(in super::super) async fn service(
    paas: &Paas,
    engine: &dyn Runtime,
    id: &str,
    seen: u32,
) -> Result<bool> {
    let read = paas.db().read(None).await?;
    let Some(service) = record::any(&read, id).await? else {
        return Ok(true);
    };
    let target = deployment::find(&read, service.number, &service.target).await?;
    drop(read);
    // Those that are to go take no requests any more.
    let seen = seen.min(service.wanted());
    if service.ready != i64::from(seen) {
        // It says so while it is being mended.
        let own = service.clone();
        let written = paas
            .db()
            .write(move |tx| Box::pin(async move { ready(tx, &own, seen).await }));
        written.await?;
    }
    let workload = workload(paas, &service, target)?;
    let outcome = match refused(paas, &workload).await {
        Some(reason) => Outcome::Failed { reason },
        None => engine.converge(workload).await?,
    };
    if service.deleted {
        engine.forget(service.id.clone()).await?;
    }
    let settled = outcome.is_settled();
    let (own, now, vault) = (service.clone(), paas.now(), paas.vault().clone());
    let written = paas.db().write(move |tx| {
        Box::pin(async move {
            // What was wanted may be something else by now, and is looked after anew then.
            match record::any(tx, &own.id).await? {
                Some(current) if is_same(&own, &current) => {
                    write(tx, &vault, &current, outcome, now).await
                }
                Some(_) | None => Ok(()),
            }
        })
    });
    written.await?;
    Ok(settled)
}

fn is_same(one: &Row, other: &Row) -> bool {
    (&one.target, one.wanted(), one.deleted) == (&other.target, other.wanted(), other.deleted)
}

/// Why the image of a new release is not even looked for.
async fn refused(paas: &Paas, workload: &Workload) -> Option<String> {
    let release = workload.release.as_ref().filter(|_| !workload.proven)?;
    let why = registry::refused(&release.image, paas.registries()).await?;
    Some(format!(
        "The image {} cannot be pulled: {why}",
        release.image
    ))
}

/// What the engine is told.
fn workload(
    paas: &Paas,
    service: &Row,
    target: Option<deployment::Deployment>,
) -> Result<Workload> {
    let replicas = service.wanted();
    let release = match target.filter(|_| replicas > 0) {
        Some(target) => {
            let env = target.variables(paas.vault(), service.organization)?;
            Some(Release {
                deployment: target.id,
                image: target.image,
                digest: target.digest,
                env: env.into_iter().collect(),
                command: target.plan.command,
                port: target.plan.port,
                health_path: target.plan.health_path,
                patience_s: target.plan.patience_s,
                memory_mb: target.plan.memory_mb,
                cpus: target.plan.cpus,
            })
        }
        None if replicas > 0 => {
            return Err(Error::internal("a service's deployment is not there"));
        }
        None => None,
    };
    Ok(Workload {
        id: service.id.clone(),
        name: service.name.clone(),
        organization: service.organization.0,
        replicas,
        release,
        proven: service.current.as_deref() == Some(service.target.as_str()),
        volume: None,
    })
}

/// Writes down what came of it.
async fn write(tx: &Tx, vault: &Vault, service: &Row, outcome: Outcome, now: i64) -> Result<()> {
    if service.deleted {
        return change::forget(tx, service).await;
    }
    let target = service.target.as_str();
    let proven = service.current.as_deref() == Some(target);
    match outcome {
        Outcome::Mended { reason, .. } => {
            ready(tx, service, service.wanted()).await?;
            let told = format!("{reason}; it was replaced");
            event::change(tx, service, (Status::Running, None), &told, now).await
        }
        Outcome::Settled { digest, .. } => {
            let wanted = service.wanted();
            ready(tx, service, wanted).await?;
            let is_new = service.message.is_some() || service.status != Status::Running;
            if proven && wanted > 0 && is_new {
                let told = "All its containers answer";
                return event::change(tx, service, (Status::Running, None), told, now).await;
            }
            if proven || wanted == 0 {
                return Ok(());
            }
            deployment::succeeded(tx, service, (target, digest.as_deref()), now).await?;
            let told = format!("Deployment {target} runs");
            event::change(tx, service, (Status::Running, None), &told, now).await
        }
        Outcome::Failed { reason } => {
            deployment::failed(tx, vault, service, &reason, now).await?;
            let told = format!("Deployment {target} failed: {reason}");
            let after = match &service.current {
                Some(_) => Status::Running,
                None => Status::Failed,
            };
            event::change(tx, service, (after, Some(&told)), &told, now).await?;
            state::changed(tx).await
        }
        Outcome::Short {
            ready: count,
            reason,
        } => {
            ready(tx, service, count).await?;
            if service.message.as_deref() == Some(&reason) {
                return Ok(());
            }
            event::change(tx, service, (service.status, Some(&reason)), &reason, now).await
        }
    }
}

/// How many containers answer.
async fn ready(tx: &Tx, service: &Row, count: u32) -> Result<()> {
    if service.ready == i64::from(count) {
        return Ok(());
    }
    let sql = "UPDATE paas_service SET ready = $1 WHERE number = $2";
    let values: [Value; 2] = [i64::from(count).into(), service.number.into()];
    execute(tx, sql, values).await?;
    Ok(())
}
