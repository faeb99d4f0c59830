//! Bytes nobody needs any more: of files that did not come whole or were never recorded,
//! and of records that were removed.

use std::time::Duration;

use super::super::Crm;
use super::ledger;
use crate::error::Result;

/// How often this is looked at by itself.
const PERIOD: Duration = Duration::from_secs(10 * 60);

impl Crm {
    /// Looks after files. It runs as long as the server.
    pub(in super::super) async fn look_after_files(self) {
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(cause = error.log_cause(), "cannot sweep files away");
            }
            let files = self.files();
            let _ = tokio::time::timeout(PERIOD, files.wake.notified()).await;
        }
    }

    /// Sweeps away what may be. A crash on the way leaves rows, by which it goes on.
    async fn sweep(&self) -> Result<()> {
        loop {
            let now = self.now();
            let taken = self
                .db()
                .write(move |tx| Box::pin(ledger::overdue(tx, now)));
            let taken = taken.await?;
            if taken.is_empty() {
                return Ok(());
            }
            for (_, name) in &taken {
                self.files().disk.remove(name).await?;
            }
            let last = (taken.len() as u64) < ledger::SOME;
            let ids = taken.into_iter().map(|(id, _)| id).collect();
            let forgotten = self.db().write(move |tx| Box::pin(ledger::forget(tx, ids)));
            forgotten.await?;
            if last {
                return Ok(());
            }
        }
    }
}
