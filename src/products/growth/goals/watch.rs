//! Notices when goals are reached, by counting again and again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::goal::{self, Goal};
use super::metric::Metric;
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Result;
use crate::events::EventLog;
use crate::products::growth::resting::Resting;
use crate::server::Shared;

/// How often goals are looked at.
const EVERY: Duration = Duration::from_secs(10);
/// Goals read at once.
const AT_ONCE: i64 = 500;

/// Watches as long as the process runs.
pub(in crate::products::growth) async fn watch(
    shared: Arc<Shared>,
    events: EventLog,
    clock: Clock,
) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut resting = Resting::default();
    loop {
        ticks.tick().await;
        resting.wake();
        if let Err(error) = look(&shared, &events, &clock, &mut resting).await {
            tracing::warn!(
                cause = error.log_cause(),
                "cannot see whether goals are reached; will try again"
            );
        }
    }
}

async fn look(
    shared: &Shared,
    events: &EventLog,
    clock: &Clock,
    resting: &mut Resting,
) -> Result<()> {
    let mut after = 0;
    loop {
        let read = shared.db.read(None).await?;
        let goals = goal::open(&read, after, AT_ONCE).await?;
        drop(read);
        for goal in &goals {
            after = goal.number;
            let known = shared.directory.snapshot().project(goal.project).cloned();
            let (Some(metric), Some(project)) = (Metric::of(&goal.metric), known) else {
                continue;
            };
            if resting.has(goal.number) {
                continue;
            }
            let started = Instant::now();
            let now = clock.micros();
            let current = metric
                .count((&shared.db, events), &project, goal, now)
                .await?;
            resting.rest(goal.number, started);
            if goal.is_reached(current) {
                reached(&shared.db, goal.clone(), current, now).await?;
            }
        }
        if goals.len() < AT_ONCE as usize {
            return Ok(());
        }
    }
}

async fn reached(db: &Db, goal: Goal, current: f64, now: i64) -> Result<()> {
    let told =
        db.write(move |tx| Box::pin(async move { goal::reached(tx, &goal, current, now).await }));
    told.await
}
