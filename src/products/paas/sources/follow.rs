//! What follows from what GitHub told: deployments, and previews of pull requests.

use std::time::Duration;

use sea_orm::Value;

use super::super::access::Viewer;
use super::super::services::deployment::{self, Cause};
use super::super::services::event::{self, Happened};
use super::super::services::make::{self, Fresh};
use super::super::services::{change, record};
use super::super::vault::Place;
use super::super::{Paas, rules};
use super::event::{Event, Told, image};
use super::{TOPIC, find};
use crate::clock::{DAY, MICROS};
use crate::db::Tx;
use crate::db::outbox::{self, Claimed};
use crate::db::sql::{execute, row};
use crate::error::{Error, Kind, Result};

/// How often it is looked, when nobody says that something came.
const LOOK: Duration = Duration::from_secs(2);
/// How long this node has for what it takes, in microseconds.
const TURN: i64 = 60 * MICROS;
/// How much it takes at once.
const AT_ONCE: i64 = 20;
/// How often something is tried.
const TRIES: i64 = 8;
/// How long deliveries are known, in microseconds; GitHub sends them again for three days.
const REMEMBERED: i64 = 7 * DAY;

/// Runs as long as the process.
pub(in super::super) async fn work(paas: Paas) {
    let mut forgot_at = 0;
    loop {
        let done = async {
            if outbox::is_due(paas.db(), TOPIC, paas.now()).await? {
                turn(&paas).await?;
            }
            if paas.now() - forgot_at > DAY {
                forgot_at = paas.now();
                forget(&paas).await?;
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = done.await {
            tracing::warn!(%error, cause = error.log_cause(), "cannot follow GitHub's events");
        }
        tokio::select! {
            () = paas.0.arrived.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Forgets deliveries of long ago.
async fn forget(paas: &Paas) -> Result<()> {
    let before = paas.now() - REMEMBERED;
    let forgotten = paas.db().write(move |tx| {
        Box::pin(async move {
            let sql = "DELETE FROM paas_delivery WHERE received_at < $1";
            execute(tx, sql, [before.into()]).await?;
            Ok(())
        })
    });
    forgotten.await
}

async fn turn(paas: &Paas) -> Result<()> {
    let now = paas.now();
    let claimed = paas.db().write(move |tx| {
        Box::pin(async move { outbox::claim(tx, TOPIC, (now, now + TURN), &[], AT_ONCE).await })
    });
    for parcel in claimed.await? {
        let own = paas.clone();
        let (kept, again) = (parcel.clone(), parcel.clone());
        let done = paas.db().write(move |tx| {
            Box::pin(async move {
                // What follows and that it is done are one.
                if kept.settle(tx).await? {
                    follow(tx, &own, &kept).await?;
                }
                Ok(())
            })
        });
        if let Err(error) = done.await {
            let lasts = matches!(error.kind(), Kind::Unavailable | Kind::Internal);
            let tries_on = lasts && again.attempts < TRIES;
            tracing::warn!(%error, cause = error.log_cause(), "an event of GitHub was not followed");
            let due = now + again.attempts * again.attempts * MICROS;
            let told = format!("What GitHub told of was not deployed: {error}");
            let settled = paas.db().write(move |tx| {
                Box::pin(async move {
                    if tries_on {
                        again.postpone(tx, due).await?;
                        return Ok(());
                    }
                    if again.settle(tx).await?
                        && let Some(service) = record::any(tx, &again.target).await?
                    {
                        let happened = Happened {
                            before: Some(service.status),
                            after: service.status,
                            message: &told,
                            at: now,
                        };
                        event::put(tx, &service, happened).await?;
                    }
                    Ok(())
                })
            });
            settled.await?;
        }
    }
    paas.wake();
    Ok(())
}

async fn follow(tx: &Tx, paas: &Paas, parcel: &Claimed) -> Result<()> {
    let event: Event = serde_json::from_str(&parcel.body).map_err(Error::internal)?;
    let Some(service) = record::any(tx, &parcel.target).await? else {
        return Ok(());
    };
    // It may have been unbound meanwhile.
    let Some(source) = find(tx, service.number).await?.filter(|_| !service.deleted) else {
        return Ok(());
    };
    let cause = Cause {
        word: "push",
        actor: None,
        now: paas.now(),
    };
    let image = match source.image_template.as_str() {
        "" => service.image.clone(),
        template => image(template, &event.sha, &event.branch),
    };
    rules::image("image", &image, paas.registries())?;
    match event.told {
        Told::Push => deploy(tx, paas, service, image, cause).await,
        Told::Opened { number } => preview(tx, paas, &service, number, image, cause).await,
        Told::Closed { number } => match previewed(tx, &service, number).await? {
            Some(id) => {
                let viewer = Viewer::server(service.organization);
                let own = record::find(tx, viewer, &id).await?;
                change::delete(tx, &own, cause.now).await
            }
            None => Ok(()),
        },
    }
}

/// Deploys a service with another image.
async fn deploy(
    tx: &Tx,
    paas: &Paas,
    mut service: record::Row,
    image: String,
    cause: Cause,
) -> Result<()> {
    let sql = "UPDATE paas_service SET image = $1 WHERE number = $2";
    execute(tx, sql, [image.as_str().into(), service.number.into()]).await?;
    service.image = image;
    deployment::roll(tx, paas.vault(), &service, cause).await
}

/// The preview of a pull request, if there is one.
async fn previewed(tx: &Tx, service: &record::Row, number: i64) -> Result<Option<String>> {
    let sql = "SELECT id FROM paas_service WHERE preview_of = $1 AND preview = $2 \
               AND deleted_at IS NULL";
    let found = row(tx, sql, [service.number.into(), number.into()]).await?;
    Ok(found.map(|row| row.try_get("", "id")).transpose()?)
}

/// Makes or renews the preview of a pull request: the service as it is, with the image of
/// the proposed commit, one container and a name of its own.
async fn preview(
    tx: &Tx,
    paas: &Paas,
    service: &record::Row,
    number: i64,
    image: String,
    cause: Cause,
) -> Result<()> {
    let viewer = Viewer::server(service.organization);
    if let Some(id) = previewed(tx, service, number).await? {
        let own = record::find(tx, viewer, &id).await?;
        return deploy(tx, paas, own, image, cause).await;
    }
    let end = format!("-pr-{number}");
    let begin: String = service.name.chars().take(63 - end.len()).collect();
    let place = Place::Service(&service.id);
    let fresh = Fresh {
        name: format!("{}{end}", begin.trim_end_matches('-')),
        image,
        plan: service.plan.clone(),
        public: service.public,
        replicas: 1,
        env: paas
            .vault()
            .open(&service.env, service.organization, place)?,
        team_id: None,
    };
    let made = make::make(tx, paas.vault(), viewer, fresh, cause).await?;
    let sql = "UPDATE paas_service SET preview_of = $1, preview = $2, team = $3 \
               WHERE number = $4";
    let values: [Value; 4] = [
        service.number.into(),
        number.into(),
        service.team.into(),
        made.number.into(),
    ];
    execute(tx, sql, values).await?;
    // It is told what the service is told.
    let sql = "INSERT INTO paas_attachment (organization, service, env_group) \
               SELECT organization, $1, env_group FROM paas_attachment \
               WHERE service = $2 ORDER BY number";
    execute(tx, sql, [made.number.into(), service.number.into()]).await?;
    deployment::roll(tx, paas.vault(), &made, cause).await
}
