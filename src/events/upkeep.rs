//! What the log does by itself: fold new events, seal fingerprints, forget what
//! is older than the window, destroy yesterday's salt.

use std::sync::{Arc, Weak};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Mutex;

use super::batch::State;
use super::dedupe::Dedupe;
use super::segment::{Draft, Segment};
use super::{EventLog, Inner, fold, position};
use crate::error::{Error, Result};

/// How often new events are folded.
const FOLD_EVERY: Duration = Duration::from_secs(1);
/// Events that are worth a fold before it is time for one. A fold costs a commit and
/// rows of its own, however few events it takes: folded as they come, every event
/// would cost two commits.
const ENOUGH: i64 = fold::BATCH / 2;
/// How often fingerprints are looked at.
const SEAL_EVERY: Duration = Duration::from_secs(10);
/// How often all recent fingerprints are sealed, however few.
const SEAL_ALL_EVERY: Duration = Duration::from_secs(3600);

/// Starts the upkeep; it ends with the log.
pub(super) fn start(log: &EventLog, state: Arc<Mutex<State>>, tail: Gauge) {
    let weak = Arc::downgrade(&log.0);
    tokio::spawn(fold_on(weak.clone(), tail));
    tokio::spawn(seal_on(weak, state));
}

async fn fold_on(log: Weak<Inner>, tail: Gauge) {
    let mut ticks = tokio::time::interval(FOLD_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut batch = fold::BATCH;
    loop {
        ticks.tick().await;
        let Some(log) = log.upgrade() else {
            return;
        };
        for folds in 0.. {
            // What is far behind stays so for many folds.
            let left = waiting(&log).await.ok();
            if let Some(left) = left {
                tail.set(left);
            }
            if folds > 0 && left.is_none_or(|left| left < batch.min(ENOUGH)) {
                break;
            }
            match fold::fold(&log.db, batch).await {
                Ok(folded) if folded.events == 0 => break,
                Ok(folded) => batch = folded.next,
                Err(error) => {
                    tracing::warn!(
                        cause = error.log_cause(),
                        "cannot fold events; will try again"
                    );
                    break;
                }
            }
        }
    }
}

async fn waiting(log: &Inner) -> Result<i64> {
    let read = log.db.read(None).await?;
    Ok(position::appended(&read).await? - position::folded(&read).await?)
}

async fn seal_on(log: Weak<Inner>, state: Arc<Mutex<State>>) {
    let mut ticks = tokio::time::interval(SEAL_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut sealed_at = tokio::time::Instant::now();
    loop {
        ticks.tick().await;
        let Some(log) = log.upgrade() else {
            return;
        };
        let all = sealed_at.elapsed() >= SEAL_ALL_EVERY;
        if all {
            sealed_at = tokio::time::Instant::now();
        }
        if let Err(error) = seal(&log, &state, all).await {
            tracing::warn!(
                cause = error.log_cause(),
                "cannot seal fingerprints; will try again"
            );
        }
        if let Err(error) = log.salts.forget().await {
            tracing::warn!(
                cause = error.log_cause(),
                "cannot destroy an old salt; will try again"
            );
        }
    }
}

/// Seals recent fingerprints, if there are enough or all are wanted, and forgets
/// segments that are older than the window.
pub(super) async fn seal(log: &Inner, state: &Arc<Mutex<State>>, all: bool) -> Result<()> {
    let now = log.clock.micros();
    let at_least = if all { 1 } else { Dedupe::seal_at() };
    let (ripe, expired, known) = {
        let mut state = state.lock().await;
        let dedupe = &mut state.dedupe;
        let expired = dedupe.expire(now);
        (dedupe.ripe(at_least), expired, dedupe.last_segment())
    };
    if !expired.is_empty() {
        log.db
            .write(move |tx| Box::pin(async move { Segment::forget(tx, &expired).await }))
            .await?;
    }
    let Some(entries) = ripe else {
        return Ok(());
    };
    let draft = tokio::task::spawn_blocking(move || Draft::new(entries)).await;
    let draft = draft.map_err(Error::internal)?;
    let draft = draft.ok_or_else(|| Error::internal("a filter could not be built"))?;
    let sealed = log
        .db
        .write(move |tx| Box::pin(async move { draft.seal(tx, now, known).await }))
        .await?;
    state.lock().await.dedupe.sealed(sealed);
    Ok(())
}
