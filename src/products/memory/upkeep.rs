//! What the product does by itself: notes which memories were read, forgets answers kept
//! for repeats, keeps how much of the day was used, and erases what trials left behind.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Memory;
use super::erase::erase;
use super::replay;
use super::user;
use crate::auth::OrganizationId;
use crate::clock::DAY;
use crate::db::Tx;
use crate::db::sql::{execute, placeholders, row, rows};
use crate::error::Result;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// Looks between two that take more.
const SELDOM: u32 = 60;
/// Rows that are forgotten at once: other writes come in between.
const AT_ONCE: i64 = 500;
/// Users whose reads are noted before they are written down, at most.
const MOST: usize = 10_000;

/// Which memories were read since that was last written down.
#[derive(Debug, Default)]
pub(super) struct Accesses(Mutex<BTreeMap<i64, BTreeMap<i64, i64>>>);

impl Accesses {
    /// Notes that memories of a user were read.
    pub(super) fn note(&self, user: i64, memories: &[i64], now: i64) {
        let mut all = self.lock();
        if all.len() < MOST || all.contains_key(&user) {
            let own = all.entry(user).or_default();
            own.extend(memories.iter().map(|memory| (*memory, now)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, BTreeMap<i64, i64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> BTreeMap<i64, BTreeMap<i64, i64>> {
        std::mem::take(&mut *self.lock())
    }
}

impl Memory {
    /// Counts on from where the last process stopped, and starts the upkeep, which runs as
    /// long as this one.
    pub async fn start_upkeep(&self) {
        if let Err(error) = self.restore_days().await {
            let cause = error.log_cause();
            tracing::warn!(cause, "cannot read how much of the day was used");
        }
        let memory = self.clone();
        tokio::spawn(async move { memory.upkeep().await });
        if self.0.embedder.is_some() {
            let memory = self.clone();
            tokio::spawn(async move { memory.embed().await });
        }
    }

    async fn embed(&self) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.embed_lacking().await {
                let cause = error.log_cause();
                tracing::warn!(
                    cause,
                    "vectors of memories could not be kept; will try again"
                );
            }
        }
    }

    async fn upkeep(&self) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut since = SELDOM;
        loop {
            ticks.tick().await;
            since += 1;
            let mut outcome = self.flush().await;
            self.write_back_again().await;
            if outcome.is_ok() && since > SELDOM {
                since = 0;
                outcome = self.tidy().await;
            }
            if let Err(error) = outcome {
                let cause = error.log_cause();
                tracing::warn!(cause, "upkeep of memories failed; will try again");
            }
        }
    }

    /// Writes down what is kept in memory meanwhile.
    pub async fn flush(&self) -> Result<()> {
        self.write_days().await?;
        self.write_accesses().await
    }

    /// Writes down which memories were read.
    async fn write_accesses(&self) -> Result<()> {
        for (user, memories) in self.0.accesses.take() {
            let memories: Vec<(i64, i64)> = memories.into_iter().collect();
            let written = self.0.db.write(move |tx| {
                Box::pin(async move {
                    let at = memories.iter().map(|(_, at)| *at).max().unwrap_or_default();
                    for some in crate::db::sql::ladder(&memories) {
                        let sql = format!(
                            "UPDATE memory_node SET accessed_at = $2 \
                             WHERE user_number = $1 AND accessed_at < $2 AND number IN ({})",
                            placeholders(3, some.len())
                        );
                        let numbers = some.iter().map(|(number, _)| (*number).into());
                        let values = [user.into(), at.into()].into_iter().chain(numbers);
                        execute(tx, &sql, values).await?;
                    }
                    Ok(())
                })
            });
            written.await?;
        }
        Ok(())
    }

    async fn tidy(&self) -> Result<()> {
        let now = self.now();
        let mut more = true;
        while more {
            let forgotten = self
                .0
                .db
                .write(move |tx| Box::pin(async move { replay::forget(tx, now, AT_ONCE).await }));
            more = forgotten.await?;
        }
        self.purge(now).await
    }

    /// Erases what trials left behind that have been over for long enough.
    async fn purge(&self, now: i64) -> Result<()> {
        let kept = i64::from(self.0.settings.trial.kept_days) * DAY;
        let mut erased = false;
        let over = {
            let read = self.0.db.read(None).await?;
            let sql = "SELECT own.id FROM organization own \
                       JOIN memory_tenant tenant ON tenant.organization_id = own.id \
                       WHERE own.plan = 'trial' AND own.trial_ends_at <= $1";
            let found = rows(&read, sql, [(now - kept).into()]).await?;
            let ids = found.iter().map(|row| row.try_get::<i64>("", "id"));
            ids.collect::<Result<Vec<i64>, _>>()?
        };
        for organization in over.into_iter().map(OrganizationId) {
            loop {
                let purged = self
                    .0
                    .db
                    .write(move |tx| Box::pin(async move { purge_one(tx, organization).await }));
                let Some(user_id) = purged.await? else {
                    break;
                };
                self.0.residents.forget(&(organization, user_id));
                erased = true;
            }
        }
        if erased {
            tracing::info!("erased the memories of trials that are over");
            self.write_back().await;
        }
        Ok(())
    }
}

/// Erases one user of a tenant, or the tenant's own row once there is none; answers who
/// it was.
async fn purge_one(tx: &Tx, organization: OrganizationId) -> Result<Option<String>> {
    let sql = "SELECT user_id FROM memory_user WHERE organization_id = $1 ORDER BY number LIMIT 1";
    let Some(found) = row(tx, sql, [organization.into()]).await? else {
        let sql = "DELETE FROM memory_tenant WHERE organization_id = $1";
        execute(tx, sql, [organization.into()]).await?;
        return Ok(None);
    };
    let user_id: String = found.try_get("", "user_id")?;
    if let Some(user) = user::find(tx, organization, &user_id).await? {
        erase(tx, organization, &user).await?;
    }
    Ok(Some(user_id))
}
