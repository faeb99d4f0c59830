//! What experiments do by themselves: start and end when they are told to, and learn
//! what other nodes changed.

use std::sync::Arc;
use std::time::Duration;

use super::{live, news, state, store};
use crate::auth::ProjectId;
use crate::error::Result;
use crate::products::growth::Growth;
use crate::server::Shared;

/// How often is looked: a change is on every node within five seconds.
const EVERY: Duration = Duration::from_secs(2);

impl Growth {
    /// Looks after experiments as long as the process lives.
    pub(in super::super) async fn look_after_experiments(self, shared: Arc<Shared>) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let mut outcome = self.0.live.refresh().await;
            if outcome.is_ok() {
                outcome = self.turn_due(&shared).await;
            }
            if let Err(error) = outcome {
                tracing::warn!(
                    cause = error.log_cause(),
                    "upkeep of experiments failed; will try again"
                );
            }
        }
    }

    /// Does what is due: starts and ends experiments, and sets bandits' weights anew.
    async fn turn_due(&self, shared: &Shared) -> Result<()> {
        let now = self.0.clock.micros();
        let read = self.0.db.read(None).await?;
        let due = store::due(&read, now).await?;
        drop(read);
        for (project, experiment) in due {
            let outcome = match state::turns_at(&experiment) {
                Some(at) if at <= now => self.turn(project, experiment.id.clone(), now).await,
                Some(_) | None => self.reweigh(shared, project, &experiment).await,
            };
            // One that fails does not keep the others waiting.
            if let Err(error) = outcome {
                tracing::warn!(
                    experiment = experiment.id,
                    cause = error.log_cause(),
                    "cannot do what is due; will try again"
                );
            }
            self.0.live.forget([project]);
        }
        Ok(())
    }

    /// Brings an experiment into the state it is in from now on.
    async fn turn(&self, project: ProjectId, id: String, now: i64) -> Result<()> {
        let turned = self.0.db.write(move |tx| {
            Box::pin(async move {
                live::changed(tx, project).await?;
                let mut experiment = store::find(tx, project, &id).await?;
                // Somebody may have been faster.
                if state::turns_at(&experiment).is_some_and(|at| at <= now) {
                    let before = experiment.status.clone();
                    let next = state::next(&experiment);
                    state::turn(&mut experiment, next, false, now)?;
                    store::save(tx, project, &experiment).await?;
                    news::tell(tx, project, &before, &experiment, now).await?;
                }
                Ok(())
            })
        });
        turned.await
    }
}
