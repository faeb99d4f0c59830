//! Answers that are kept for a replay.
//!
//! A request with an `Idempotency-Key` is recorded under its tenant, method and
//! key, with a digest of the request and the sealed answer, in the transaction of
//! its effect: an effect and its record are committed together or not at all.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};
use sha2::{Digest as _, Sha256};

use super::Tx;
use super::sql::{execute, row};
use crate::auth::Sealer;
use crate::clock::Clock;
use crate::error::{Error, Kind, Result, reason};

/// What is known of requests that run or were answered.
#[derive(Debug, Clone)]
pub struct Ledger {
    running: Arc<Mutex<HashSet<Slot>>>,
    sealer: Sealer,
    clock: Clock,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Slot {
    tenant: String,
    method: &'static str,
    key: String,
}

/// One request with a key, while it runs. Cheap to clone; the slot is free again
/// when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Attempt(Arc<Running>);

#[derive(Debug)]
struct Running {
    slot: Slot,
    digest: [u8; 32],
    window: Duration,
    /// Of answers that show a secret once, only that they were given is kept.
    keeps: bool,
    ledger: Ledger,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.ledger.lock().remove(&self.slot);
    }
}

impl Ledger {
    /// Starts with no request running.
    pub fn new(sealer: Sealer, clock: Clock) -> Self {
        Self {
            running: Arc::default(),
            sealer,
            clock,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<Slot>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a request. Another one with the same key that still runs is 409.
    pub fn begin(
        &self,
        tenant: String,
        method: &'static str,
        key: &str,
        request: &[u8],
        window: Duration,
        keeps: bool,
    ) -> Result<Attempt> {
        let slot = Slot {
            tenant,
            method,
            key: key.to_owned(),
        };
        if !self.lock().insert(slot.clone()) {
            return Err(Error::new(
                Kind::Aborted,
                "A request with this Idempotency-Key is still running",
            )
            .reason(reason::IDEMPOTENCY_IN_PROGRESS)
            .retry_after(Duration::from_secs(1)));
        }
        let digest = Sha256::digest(request).into();
        Ok(Attempt(Arc::new(Running {
            slot,
            digest,
            window,
            keeps,
            ledger: self.clone(),
        })))
    }
}

impl Ledger {
    /// Forgets some answers whose window has passed; answers how many. Runs now and
    /// then, until there are no more.
    pub async fn forget_expired(&self, tx: &Tx, most: usize) -> Result<u64> {
        let sql = "DELETE FROM idempotency WHERE (tenant, method, key) IN \
                   (SELECT tenant, method, key FROM idempotency WHERE expires_at <= $1 \
                   ORDER BY expires_at LIMIT $2)";
        let values = [self.clock.micros().into(), (most as i64).into()];
        execute(tx, sql, values).await
    }
}

impl Attempt {
    /// The answer kept for this request, encoded. Another request with the key is 409.
    pub async fn stored(&self, connection: &impl ConnectionTrait) -> Result<Option<Vec<u8>>> {
        let Some(row) = self.row(connection, "digest, response").await? else {
            return Ok(None);
        };
        let digest: Vec<u8> = row.try_get("", "digest")?;
        if digest != self.0.digest {
            return Err(Error::new(
                Kind::Aborted,
                "This Idempotency-Key was used with another request",
            )
            .reason(reason::IDEMPOTENCY_KEY_REUSED));
        }
        let sealed: Vec<u8> = row.try_get("", "response")?;
        if sealed.is_empty() {
            return Err(Error::new(
                Kind::Aborted,
                "This request was answered with a secret, which is shown once",
            )
            .reason(reason::IDEMPOTENCY_KEY_REUSED));
        }
        let opened = self.0.ledger.sealer.open(&sealed, &self.associated())?;
        Ok(Some(opened))
    }

    /// Waits until nobody else writes under this key: another node, or what a
    /// process that is gone still had in flight. The lock goes with the transaction.
    /// On SQLite there is one writer, so there is nobody to wait for.
    pub async fn lock(&self, tx: &Tx) -> Result<()> {
        if tx.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let [a, b, c, d, e, f, g, h, ..] = *Sha256::digest(self.associated()).as_slice() else {
            return Err(Error::internal("a digest is too short"));
        };
        let number = i64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let sql = "SELECT pg_advisory_xact_lock($1)";
        row(tx, sql, [number.into()]).await?;
        Ok(())
    }

    /// Whether any request with the key was answered.
    pub async fn is_stored(&self, connection: &impl ConnectionTrait) -> Result<bool> {
        Ok(self.row(connection, "1 AS one").await?.is_some())
    }

    /// Columns of the row that is kept under the key, if its window has not passed.
    async fn row(
        &self,
        connection: &impl ConnectionTrait,
        columns: &str,
    ) -> Result<Option<QueryResult>> {
        let sql = format!(
            "SELECT {columns} FROM idempotency \
             WHERE tenant = $1 AND method = $2 AND key = $3 AND expires_at > $4"
        );
        let now = self.0.ledger.clock.micros();
        let values = self.slot_values().into_iter().chain([now.into()]);
        row(connection, &sql, values).await
    }

    /// Keeps the answer, which is encoded, in the transaction of its effect.
    pub async fn keep(&self, tx: &Tx, answer: &[u8]) -> Result<()> {
        let (sql, values) = self.record(answer)?;
        execute(tx, sql, values).await?;
        Ok(())
    }

    /// The statement that keeps an encoded answer, and its values.
    pub fn record(&self, answer: &[u8]) -> Result<(&'static str, Vec<Value>)> {
        let sealed = match self.0.keeps {
            true => self.0.ledger.sealer.seal(answer, &self.associated())?,
            false => Vec::new(),
        };
        let sql = "INSERT INTO idempotency (tenant, method, key, digest, response, expires_at) \
                   VALUES ($1, $2, $3, $4, $5, $6) \
                   ON CONFLICT (tenant, method, key) DO UPDATE SET \
                   digest = excluded.digest, response = excluded.response, \
                   expires_at = excluded.expires_at";
        let rest: [Value; 3] = [
            self.0.digest.to_vec().into(),
            sealed.into(),
            self.expires_at().into(),
        ];
        let values = self.slot_values().into_iter().chain(rest);
        Ok((sql, values.collect()))
    }

    /// Where the answer is kept: tenant, method and key. Who must be able to forget it
    /// before its time notes that down.
    pub fn place(&self) -> [Value; 3] {
        self.slot_values()
    }

    /// When it is forgotten by itself, in microseconds since 1970.
    pub fn expires_at(&self) -> i64 {
        self.0.ledger.clock.micros() + self.0.window.as_micros() as i64
    }

    fn slot_values(&self) -> [Value; 3] {
        let slot = &self.0.slot;
        [
            slot.tenant.clone().into(),
            slot.method.into(),
            slot.key.clone().into(),
        ]
    }

    /// Binds a sealed answer to its place, so that rows cannot be swapped.
    fn associated(&self) -> Vec<u8> {
        let slot = &self.0.slot;
        [
            slot.tenant.as_bytes(),
            slot.method.as_bytes(),
            slot.key.as_bytes(),
        ]
        .join(&0)
    }
}
