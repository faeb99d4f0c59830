//! Notices when what a running experiment shows is beyond doubt, and tells webhooks, once.
//! Looking again and again does no harm: the test allows for it. What takes long to
//! count is looked at more seldom, so that it takes a twentieth of the time at the most.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::results::Look;
use super::{live, news, state, store};
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::error::Result;
use crate::products::growth::Growth;
use crate::products::timestamp;

/// How often experiments are looked at.
const EVERY: Duration = Duration::from_secs(10);
/// How much longer an experiment is left alone than it takes to count.
const REST: u32 = 20;
/// Experiments read at once.
const AT_ONCE: i64 = 100;

impl Growth {
    /// Watches as long as the process runs.
    pub(in super::super) async fn watch_experiments(self) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut resting: HashMap<i64, Instant> = HashMap::new();
        loop {
            ticks.tick().await;
            let now = Instant::now();
            resting.retain(|_, until| *until > now);
            if let Err(error) = self.look_at_all(&mut resting).await {
                tracing::warn!(
                    cause = error.log_cause(),
                    "cannot see what experiments show; will try again"
                );
            }
        }
    }

    async fn look_at_all(&self, resting: &mut HashMap<i64, Instant>) -> Result<()> {
        let mut after = 0;
        loop {
            let read = self.0.db.read(None).await?;
            let running = store::running(&read, after, AT_ONCE).await?;
            drop(read);
            for (number, project, experiment) in &running {
                after = *number;
                if experiment.decided_at.is_some() || resting.contains_key(number) {
                    continue;
                }
                let started = Instant::now();
                let outcome = self.look_at(*project, experiment).await;
                resting.insert(*number, started + started.elapsed() * REST);
                // One that cannot be counted does not keep the others waiting.
                if let Err(error) = outcome {
                    tracing::warn!(
                        experiment = experiment.id,
                        cause = error.log_cause(),
                        "cannot see what an experiment shows; will try again"
                    );
                }
            }
            if running.len() < AT_ONCE as usize {
                return Ok(());
            }
        }
    }

    async fn look_at(&self, project: ProjectId, experiment: &pb::Experiment) -> Result<()> {
        let read = self.0.db.read(None).await?;
        let Some(of) = store::project(&read, project).await? else {
            return Ok(());
        };
        drop(read);
        let look = Look::plain(experiment);
        let Some(winner) = self.results(&of, experiment, &look).await?.winner else {
            return Ok(());
        };
        let (id, now) = (experiment.id.clone(), self.0.clock.micros());
        let told = self.0.db.write(move |tx| {
            Box::pin(async move {
                live::changed(tx, project).await?;
                let mut experiment = store::find(tx, project, &id).await?;
                // Another node may have been faster.
                if experiment.status != state::RUNNING || experiment.decided_at.is_some() {
                    return Ok(());
                }
                experiment.decided_at = Some(timestamp(now));
                store::save(tx, project, &experiment).await?;
                news::tell_winner(tx, project, &experiment, &winner, now).await
            })
        });
        told.await
    }
}
