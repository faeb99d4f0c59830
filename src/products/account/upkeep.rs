//! What accounts do by themselves: look for changes other nodes made, write down
//! when keys were used and how many requests there were, and forget what is over.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Statement};

use super::Account;
use crate::clock::DAY;
use crate::db::Tx;
use crate::error::Result;

/// How often another node's changes are looked for; revocation is promised within
/// five seconds.
const REFRESH_EVERY: Duration = Duration::from_secs(2);
/// Refreshes between two flushes.
const FLUSH_AFTER: u32 = 30;

impl Account {
    /// Starts the upkeep. It runs as long as the process.
    pub fn start_upkeep(&self) {
        let account = self.clone();
        tokio::spawn(async move { account.upkeep().await });
    }

    async fn upkeep(&self) {
        let mut ticks = tokio::time::interval(REFRESH_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut since_flush = 0;
        loop {
            ticks.tick().await;
            let mut outcome = self.0.shared.directory.refresh().await;
            since_flush += 1;
            if outcome.is_ok() && since_flush >= FLUSH_AFTER {
                since_flush = 0;
                outcome = self.flush().await;
            }
            if let Err(error) = outcome {
                tracing::warn!(
                    cause = error.log_cause(),
                    "account upkeep failed; will try again"
                );
            }
        }
    }

    /// Writes down what is kept in memory meanwhile.
    pub async fn flush(&self) -> Result<()> {
        self.flush_counts().await?;
        let snapshot = self.0.shared.directory.snapshot();
        let mut used: Vec<(i64, i64)> = snapshot
            .keys()
            .map(|key| (key.number, key.last_used_at.load(Ordering::Relaxed)))
            .filter(|(_, at)| *at > 0)
            .collect();
        drop(snapshot);
        // In the order every node writes them, so that no two wait for each other.
        used.sort_unstable();
        let (now, ledger) = (self.now(), self.0.shared.ledger.clone());
        let written = self.db().write(move |tx| {
            Box::pin(async move {
                for (number, at) in used {
                    let sql = "UPDATE api_key SET last_used_at = $1 \
                               WHERE number = $2 AND COALESCE(last_used_at, 0) < $1";
                    run(tx, sql, [at, number]).await?;
                }
                run(tx, "DELETE FROM session WHERE expires_at < $1", [now - DAY]).await?;
                ledger.forget_expired(tx).await
            })
        });
        written.await
    }

    /// Writes down how many requests there were since the last time.
    pub(super) async fn flush_counts(&self) -> Result<()> {
        let counts = self.0.shared.requests.take();
        if counts.is_empty() {
            return Ok(());
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_unstable();
        let today = self.now().div_euclid(DAY);
        let written = self.db().write(move |tx| {
            Box::pin(async move {
                for (organization, count) in counts {
                    let sql = "INSERT INTO request_count (organization_id, day, requests) \
                               VALUES ($1, $2, $3) ON CONFLICT (organization_id, day) \
                               DO UPDATE SET requests = request_count.requests + excluded.requests";
                    run(tx, sql, [organization.0, today, count]).await?;
                }
                Ok(())
            })
        });
        written.await
    }
}

async fn run<const N: usize>(tx: &Tx, sql: &str, values: [i64; N]) -> Result<()> {
    let backend = tx.get_database_backend();
    let values = values.map(Into::into);
    tx.execute_raw(Statement::from_sql_and_values(backend, sql, values))
        .await?;
    Ok(())
}
