//! Whether the product can answer.

use std::time::{Duration, Instant};

use super::Memory;
use super::embedder::Embedder;
use crate::api::apex::memory::v1 as pb;
use crate::db::sql::row;
use crate::error::Result;
use crate::server::Reply;

/// Longest the database is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

impl Memory {
    pub(super) async fn health(&self) -> Reply<pb::GetMemoryHealthResponse> {
        let read = tokio::time::timeout(PATIENCE, self.reads()).await;
        let stored = matches!(read, Ok(Ok(()))) && !self.0.db.is_faulty();
        let word = |fine: bool| if fine { "ok" } else { "failed" }.to_owned();
        let reply = Reply::from(pb::GetMemoryHealthResponse {
            status: if stored { "healthy" } else { "degraded" }.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: self.0.started.elapsed().as_secs() as i64,
            checks: Some(pb::HealthChecks {
                storage: word(stored),
                embedder: word(self.0.embedder.as_ref().is_none_or(Embedder::is_well)),
            }),
        });
        match stored {
            true => reply,
            false => reply.status(503),
        }
    }

    async fn reads(&self) -> Result<()> {
        let read = self.0.db.read(Some(Instant::now() + PATIENCE)).await?;
        row(&read, "SELECT 1 AS one", []).await?;
        Ok(())
    }
}
