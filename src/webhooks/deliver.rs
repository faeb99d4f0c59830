//! Delivers what webhooks are told. Whatever is due is taken from the outbox, a few of
//! each webhook at a time, so that one that hangs does not keep the others waiting. A
//! delivery that fails is due again later, at growing distances, for a day; when
//! nothing could be delivered for that long, the webhook is disabled.

use std::collections::HashMap;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DbBackend, Value};
use tokio::task::JoinSet;

use super::secret::Secret;
use super::send::{Failure, Letter};
use super::{Office, Settled, Webhooks, log};
use crate::clock::{Clock, MICROS};
use crate::db::outbox::{self, Claimed};
use crate::db::sql::{execute, row};
use crate::db::{Db, Tx};
use crate::error::Result;

/// How often the outbox is looked at.
const EVERY: Duration = Duration::from_millis(500);
/// Deliveries at once.
const AT_ONCE: usize = 32;
/// Deliveries taken at once, and of one webhook before no more of it are taken.
const SHARE: usize = 4;
/// How long a delivery is this node's, beyond its time-out.
const CLAIM: i64 = 60 * MICROS;
/// Looks between two times that old deliveries are forgotten.
const FORGET_AFTER: u32 = 7200;

/// What a delivery needs.
#[derive(Debug)]
struct Job {
    claimed: Claimed,
    webhook: i64,
    webhook_id: String,
    owner: i64,
    active: bool,
    url: String,
    message: String,
    kind: String,
    body: String,
    /// The first try of this round.
    since: i64,
    secrets: Vec<Vec<u8>>,
}

/// Delivers what a product's webhooks are told, as long as the process runs.
pub(crate) async fn deliver<O: Office>(db: Db, clock: Clock, webhooks: Webhooks) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut running: JoinSet<String> = JoinSet::new();
    let mut busy: HashMap<String, usize> = HashMap::new();
    let mut looks = 0;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            Some(done) = running.join_next() => match done {
                Ok(target) => free(&mut busy, &target),
                // Nothing in a delivery panics; if it does, nobody knows whose it was.
                Err(_) => busy.clear(),
            },
        }
        looks += 1;
        let mut outcome = start::<O>(&db, &clock, &webhooks, &mut running, &mut busy).await;
        if outcome.is_ok() && looks >= FORGET_AFTER {
            looks = 0;
            outcome = forget::<O>(&db, &clock).await;
        }
        if let Err(error) = outcome {
            tracing::warn!(
                cause = error.log_cause(),
                "cannot take what webhooks are to be told; will try again"
            );
        }
    }
}

fn free(busy: &mut HashMap<String, usize>, target: &str) {
    if let Some(count) = busy.get_mut(target) {
        *count -= 1;
        if *count == 0 {
            busy.remove(target);
        }
    }
}

/// Starts what is due, as far as there is room.
async fn start<O: Office>(
    db: &Db,
    clock: &Clock,
    webhooks: &Webhooks,
    running: &mut JoinSet<String>,
    busy: &mut HashMap<String, usize>,
) -> Result<()> {
    while running.len() < AT_ONCE && outbox::is_due(db, O::TOPIC, clock.micros()).await? {
        let now = clock.micros();
        let until = now + webhooks.timeout().as_micros() as i64 + CLAIM;
        let full = busy.iter().filter(|(_, count)| **count >= SHARE);
        let full: Vec<String> = full.map(|(target, _)| target.clone()).collect();
        let taken = db.write(move |tx| {
            Box::pin(
                async move { outbox::claim(tx, O::TOPIC, (now, until), &full, SHARE as i64).await },
            )
        });
        let taken = taken.await?;
        if taken.is_empty() {
            break;
        }
        for claimed in taken {
            *busy.entry(claimed.target.clone()).or_default() += 1;
            let (db, clock, webhooks) = (db.clone(), clock.clone(), webhooks.clone());
            running.spawn(async move {
                let target = claimed.target.clone();
                if let Err(error) = one::<O>(&db, &clock, &webhooks, claimed).await {
                    tracing::warn!(
                        cause = error.log_cause(),
                        "a delivery to a webhook failed here; it will be tried again"
                    );
                }
                target
            });
        }
    }
    Ok(())
}

/// Makes one try.
async fn one<O: Office>(
    db: &Db,
    clock: &Clock,
    webhooks: &Webhooks,
    claimed: Claimed,
) -> Result<()> {
    let Some(job) = job::<O>(db, clock, claimed.clone()).await? else {
        // The webhook is gone.
        let settled = db.write(move |tx| Box::pin(async move { claimed.settle(tx).await }));
        settled.await?;
        return Ok(());
    };
    let outcome = match job.active {
        true => {
            let letter = letter::<O>(webhooks, &job, clock.seconds())?;
            webhooks.sender().post(letter).await
        }
        false => Err("the webhook was disabled"),
    };
    let now = clock.micros();
    let webhooks = webhooks.clone();
    let noted = db.write(move |tx| {
        Box::pin(async move { note::<O>(tx, &webhooks, &job, outcome, now).await })
    });
    noted.await
}

async fn job<O: Office>(db: &Db, clock: &Clock, claimed: Claimed) -> Result<Option<Job>> {
    let read = db.read(None).await?;
    let at = O::TABLES;
    let (number, id, owner) = (at.number, at.id, at.owner);
    let sql = format!(
        "SELECT w.{number} AS webhook, CAST(w.{id} AS TEXT) AS webhook_id, w.{owner} AS owner, \
         w.status AS status, url, secret, former_secret, former_until, message, kind, body, since \
         FROM {} d JOIN {} w ON w.{number} = d.webhook WHERE d.id = $1",
        at.deliveries, at.webhooks
    );
    let Some(found) = row(&read, &sql, [claimed.body.as_str().into()]).await? else {
        return Ok(None);
    };
    let mut secrets = vec![found.try_get::<Vec<u8>>("", "secret")?];
    let until: Option<i64> = found.try_get("", "former_until")?;
    if until.is_some_and(|until| until > clock.micros()) {
        secrets.extend(found.try_get::<Option<Vec<u8>>>("", "former_secret")?);
    }
    Ok(Some(Job {
        claimed,
        webhook: found.try_get("", "webhook")?,
        webhook_id: found.try_get("", "webhook_id")?,
        owner: found.try_get("", "owner")?,
        active: found.try_get::<String>("", "status")? == "active",
        url: found.try_get("", "url")?,
        message: found.try_get("", "message")?,
        kind: found.try_get("", "kind")?,
        body: found.try_get("", "body")?,
        since: found.try_get("", "since")?,
        secrets,
    }))
}

/// The signed request.
fn letter<O: Office>(webhooks: &Webhooks, job: &Job, timestamp: i64) -> Result<Letter> {
    let open =
        |sealed: &Vec<u8>| Secret::open::<O>(sealed, webhooks.sealer(), job.owner, &job.webhook_id);
    let secrets: Result<Vec<Secret>> = job.secrets.iter().map(open).collect();
    let secrets = secrets?;
    let standard = secrets
        .iter()
        .map(|secret| secret.standard(&job.message, timestamp, &job.body));
    let plain = secrets
        .iter()
        .map(|secret| secret.plain(timestamp, &job.body));
    let plain: Vec<String> = std::iter::once(format!("t={timestamp}"))
        .chain(plain)
        .collect();
    Ok(Letter {
        url: job.url.clone(),
        headers: vec![
            ("webhook-id", job.message.clone()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", standard.collect::<Vec<_>>().join(" ")),
            ("x-apex-signature", plain.join(",")),
        ],
        body: job.body.clone(),
    })
}

/// Writes down how a try went, unless somebody else has taken the delivery meanwhile.
async fn note<O: Office>(
    tx: &Tx,
    webhooks: &Webhooks,
    job: &Job,
    outcome: Result<u16, Failure>,
    now: i64,
) -> Result<()> {
    let (answered, error) = match outcome {
        Ok(status @ 200..=299) => (Some(status), None),
        Ok(status @ 300..=399) => (Some(status), Some("redirects are not followed")),
        Ok(status) => (Some(status), Some("the answer was no success")),
        Err(why) => (None, Some(why)),
    };
    hold::<O>(tx, job.webhook).await?;
    let wait = webhooks.wait(job.claimed.attempts);
    let since = match job.claimed.attempts {
        1 => now,
        _ => job.since,
    };
    let again = error.is_some() && job.active && now + wait <= since + webhooks.give_up();
    let ours = match again {
        true => job.claimed.postpone(tx, now + wait).await?,
        false => job.claimed.settle(tx).await?,
    };
    if !ours {
        return Ok(());
    }
    let status = match (again, error) {
        (true, _) => "pending",
        (false, Some(_)) => "failed",
        (false, None) => "delivered",
    };
    let sql = format!(
        "UPDATE {} SET status = $1, attempts = attempts + 1, response_status = $2, error = $3, \
         attempted_at = $4, finished_at = $5, since = $6 WHERE id = $7",
        O::TABLES.deliveries
    );
    let values: [Value; 7] = [
        status.into(),
        answered.map(i64::from).into(),
        error.into(),
        now.into(),
        (!again).then_some(now).into(),
        since.into(),
        job.claimed.body.as_str().into(),
    ];
    execute(tx, &sql, values).await?;
    if !again {
        log::forget_many::<O>(tx, job.webhook).await?;
        let settled = Settled {
            owner: job.owner,
            kind: &job.kind,
            body: &job.body,
            failure: error,
            now,
        };
        O::settled(tx, &settled).await?;
    }
    let tried = Tried { since, now, again };
    stand::<O>(tx, job, error.is_some(), tried).await
}

/// Takes the webhook before what it is told, as whoever changes one does: two who begin
/// at different ends wait for each other on PostgreSQL. On SQLite there is one writer.
async fn hold<O: Office>(tx: &Tx, webhook: i64) -> Result<()> {
    if tx.get_database_backend() == DbBackend::Postgres {
        let (table, number) = (O::TABLES.webhooks, O::TABLES.number);
        let sql = format!("SELECT 1 AS one FROM {table} WHERE {number} = $1 FOR NO KEY UPDATE");
        row(tx, &sql, [webhook.into()]).await?;
    }
    Ok(())
}

/// When a delivery was tried.
struct Tried {
    /// The first time of this round.
    since: i64,
    /// This time.
    now: i64,
    /// Whether it will be again.
    again: bool,
}

/// How a webhook stands after a try.
async fn stand<O: Office>(tx: &Tx, job: &Job, failed: bool, tried: Tried) -> Result<()> {
    let (table, number) = (O::TABLES.webhooks, O::TABLES.number);
    if !failed {
        let sql = format!(
            "UPDATE {table} SET failing_since = NULL \
             WHERE {number} = $1 AND failing_since IS NOT NULL"
        );
        execute(tx, &sql, [job.webhook.into()]).await?;
        return Ok(());
    }
    let sql = format!(
        "UPDATE {table} SET failing_since = COALESCE(failing_since, $1) \
         WHERE {number} = $2 RETURNING failing_since"
    );
    let found = row(tx, &sql, [tried.now.into(), job.webhook.into()]).await?;
    let failing: Option<i64> = match found {
        Some(found) => found.try_get("", "failing_since")?,
        None => None,
    };
    // Nothing was delivered since this one was tried first.
    let long = failing.is_some_and(|failing| failing <= tried.since);
    if tried.again || !long || !job.active {
        return Ok(());
    }
    let sql = format!("UPDATE {table} SET status = 'disabled' WHERE {number} = $1");
    execute(tx, &sql, [job.webhook.into()]).await?;
    log::abandon::<O>(
        tx,
        job.webhook,
        "nothing could be delivered for a day",
        tried.now,
    )
    .await
}

async fn forget<O: Office>(db: &Db, clock: &Clock) -> Result<()> {
    const AT_A_TIME: i64 = 500;
    let now = clock.micros();
    loop {
        let forgotten = db.write(move |tx| Box::pin(log::forget_old::<O>(tx, now, AT_A_TIME)));
        if forgotten.await? < AT_A_TIME as u64 {
            return Ok(());
        }
    }
}
