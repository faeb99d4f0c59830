//! Notices when what a running experiment shows is beyond doubt, and tells webhooks, once.
//! Looking again and again does no harm: the test allows for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::results::Look;
use super::{live, news, state, store};
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::error::Result;
use crate::products::growth::Growth;
use crate::products::growth::resting::Resting;
use crate::products::timestamp;
use crate::server::Shared;

/// How often experiments are looked at.
const EVERY: Duration = Duration::from_secs(10);
/// Experiments read at once.
const AT_ONCE: i64 = 100;

impl Growth {
    /// Watches as long as the process runs.
    pub(in super::super) async fn watch_experiments(self, shared: Arc<Shared>) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut resting = Resting::default();
        loop {
            ticks.tick().await;
            resting.wake();
            if let Err(error) = self.look_at_all(&shared, &mut resting).await {
                tracing::warn!(
                    cause = error.log_cause(),
                    "cannot see what experiments show; will try again"
                );
            }
        }
    }

    async fn look_at_all(&self, shared: &Shared, resting: &mut Resting) -> Result<()> {
        let mut after = 0;
        loop {
            let read = self.0.db.read(None).await?;
            let running = store::running(&read, after, AT_ONCE).await?;
            drop(read);
            for (number, project, experiment) in &running {
                after = *number;
                if experiment.decided_at.is_some() || resting.has(*number) {
                    continue;
                }
                let started = Instant::now();
                let outcome = self.look_at(shared, *project, experiment).await;
                resting.rest(*number, started);
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

    async fn look_at(
        &self,
        shared: &Shared,
        project: ProjectId,
        experiment: &pb::Experiment,
    ) -> Result<()> {
        let known = shared.directory.snapshot().project(project).cloned();
        let Some(of) = known else {
            return Ok(());
        };
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
