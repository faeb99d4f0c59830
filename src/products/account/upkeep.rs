//! What accounts do by themselves: look for changes other nodes made, write down
//! when keys were used and how many requests there were, and forget what is over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DbBackend};

use super::Account;
use crate::auth::KeyRecord;
use crate::clock::DAY;
use crate::db::Tx;
use crate::db::sql::execute;
use crate::error::Result;

/// How often another node's changes are looked for; revocation is promised within
/// five seconds.
const REFRESH_EVERY: Duration = Duration::from_secs(2);
/// Refreshes between two flushes.
const FLUSH_AFTER: u32 = 30;
/// Rows written at once: other writes come in between.
const AT_ONCE: usize = 500;

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
        self.flush_used().await?;
        self.forget_sessions().await?;
        self.forget_answers().await
    }

    /// Writes down when keys were used that were since the last time.
    async fn flush_used(&self) -> Result<()> {
        let snapshot = self.0.shared.directory.snapshot();
        let used = |key: &Arc<KeyRecord>| {
            let at = key.last_used_at.load(Ordering::Relaxed);
            (at > key.flushed_at.load(Ordering::Relaxed)).then(|| (key.clone(), at))
        };
        let mut used: Vec<_> = snapshot.keys().filter_map(used).collect();
        drop(snapshot);
        used.sort_unstable_by_key(|(key, _)| key.number);
        for some in used.chunks(AT_ONCE) {
            let pairs = some.iter().map(|(key, at)| (key.number, *at)).collect();
            let written = self
                .db()
                .write(move |tx| Box::pin(async move { write_used(tx, pairs).await }));
            written.await?;
            for (key, at) in some {
                key.flushed_at.fetch_max(*at, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Forgets sessions that ended a day ago.
    async fn forget_sessions(&self) -> Result<()> {
        let over = self.now() - DAY;
        let sql = "DELETE FROM session WHERE id IN \
                   (SELECT id FROM session WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
        let mut full = true;
        while full {
            let forgotten = self.db().write(move |tx| {
                Box::pin(
                    async move { execute(tx, sql, [over.into(), (AT_ONCE as i64).into()]).await },
                )
            });
            full = is_full(forgotten.await?);
        }
        Ok(())
    }

    /// Forgets answers that are not replayed any more.
    async fn forget_answers(&self) -> Result<()> {
        let mut full = true;
        while full {
            let ledger = self.0.shared.ledger.clone();
            let forgotten = self
                .db()
                .write(move |tx| Box::pin(async move { ledger.forget_expired(tx, AT_ONCE).await }));
            full = is_full(forgotten.await?);
        }
        Ok(())
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
                    execute(tx, sql, [organization.into(), today.into(), count.into()]).await?;
                }
                Ok(())
            })
        });
        written.await
    }
}

/// More than one write takes.
fn is_full(rows: u64) -> bool {
    rows >= AT_ONCE as u64
}

async fn write_used(tx: &Tx, used: Vec<(i64, i64)>) -> Result<()> {
    let numbers: Vec<_> = used.iter().map(|(number, _)| number.to_string()).collect();
    let pairs: Vec<_> = used
        .iter()
        .map(|(number, at)| format!("({number}, {at})"))
        .collect();
    if tx.get_database_backend() == DbBackend::Postgres {
        // In one order on every node, so that no two wait for each other.
        let numbers = numbers.join(", ");
        tx.execute_unprepared(&format!(
            "SELECT 1 FROM api_key WHERE number IN ({numbers}) ORDER BY number FOR UPDATE"
        ))
        .await?;
    }
    let pairs = pairs.join(", ");
    tx.execute_unprepared(&format!(
        "WITH used (key_number, used_at) AS (VALUES {pairs}) \
         UPDATE api_key SET last_used_at = used.used_at FROM used \
         WHERE api_key.number = used.key_number AND COALESCE(api_key.last_used_at, 0) < used.used_at"
    ))
    .await?;
    Ok(())
}
