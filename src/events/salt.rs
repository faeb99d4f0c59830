//! Ids for visitors that bring none: a hash of the project, the address and the
//! user agent with a random salt. The salt lives for one UTC day and is then
//! destroyed, so that no id can be made again or traced back afterwards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::model::Visitor;
use crate::auth::ProjectId;
use crate::clock::{Clock, DAY};
use crate::db::sql::{execute, row};
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

/// Makes cookieless ids.
#[derive(Debug)]
pub(super) struct Salts {
    db: Db,
    clock: Clock,
    today: Arc<Mutex<Option<Salt>>>,
    /// The day's salt is fetched once, however many ask for it.
    fetching: Arc<tokio::sync::Mutex<()>>,
    /// A destroyed salt may still be in the database's log, at the start one that
    /// was destroyed before.
    lingering: AtomicBool,
}

/// A day and its salt.
type Salt = (i64, [u8; 32]);

impl Salts {
    pub(super) fn new(db: Db, clock: Clock) -> Self {
        Self {
            db,
            clock,
            today: Arc::default(),
            fetching: Arc::default(),
            lingering: AtomicBool::new(true),
        }
    }

    /// The id of a visitor for today.
    pub(super) async fn visitor(
        &self,
        project: ProjectId,
        address: &str,
        user_agent: &str,
    ) -> Result<Visitor> {
        let salt = self.today().await?;
        let mut hash = Sha256::new();
        for part in [&project.to_string(), address, user_agent] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.update(salt);
        let id: String = hash.finalize()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Visitor::Cookieless(format!("~{id}")))
    }

    async fn today(&self) -> Result<[u8; 32]> {
        let day = self.clock.micros().div_euclid(DAY);
        if let Some(salt) = self.known(day) {
            return Ok(salt);
        }
        let turn = self.fetching.clone().lock_owned().await;
        if let Some(salt) = self.known(day) {
            return Ok(salt);
        }
        // A task of its own: it ends also when the caller hangs up, or callers in
        // a hurry would each ask again and never be told.
        let (db, today) = (self.db.clone(), self.today.clone());
        let fetched = tokio::spawn(async move {
            let salt = db.write(move |tx| Box::pin(salt_of(tx, day))).await?;
            *today.lock().unwrap_or_else(PoisonError::into_inner) = Some((day, salt));
            drop(turn);
            Ok(salt)
        });
        fetched.await.map_err(Error::internal)?
    }

    fn known(&self, day: i64) -> Option<[u8; 32]> {
        let today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        today.filter(|(own, _)| *own == day).map(|(_, salt)| salt)
    }

    /// Destroys the salts of days that are over.
    pub(super) async fn forget(&self) -> Result<()> {
        let day = self.clock.micros().div_euclid(DAY);
        {
            let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
            if today.is_some_and(|(own, _)| own < day) {
                *today = None;
            }
        }
        let sql = "DELETE FROM event_salt WHERE day < $1";
        let destroyed = self
            .db
            .write(move |tx| Box::pin(async move { execute(tx, sql, [day.into()]).await }))
            .await?;
        if destroyed > 0 {
            self.lingering.store(true, Ordering::Relaxed);
        }
        if self.lingering.load(Ordering::Relaxed) && self.db.write_back().await? {
            self.lingering.store(false, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The salt of a day; the first node to ask makes it.
async fn salt_of(tx: &Tx, day: i64) -> Result<[u8; 32]> {
    let mut fresh = [0_u8; 32];
    getrandom::fill(&mut fresh).map_err(|error| Error::internal(error.to_string()))?;
    let sql = "INSERT INTO event_salt (day, salt) VALUES ($1, $2) ON CONFLICT (day) DO NOTHING";
    execute(tx, sql, [day.into(), fresh.to_vec().into()]).await?;
    let sql = "SELECT salt FROM event_salt WHERE day = $1";
    let row = row(tx, sql, [day.into()]).await?;
    let row = row.ok_or_else(|| Error::internal("no salt of the day"))?;
    let salt: Vec<u8> = row.try_get("", "salt")?;
    salt.try_into()
        .map_err(|_| Error::internal("a salt of another length"))
}
