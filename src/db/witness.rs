//! What SQLite itself says of the writer's transaction.
//!
//! SQLite ends a transaction on its own when a disk is full or fails. Whoever
//! does not notice then writes outside of any transaction, or releases a savepoint
//! in the belief that it was a commit. So nothing but SQLite is believed: its hooks
//! tell when a transaction was really committed or taken back, and a commit that
//! the writer did not ask for is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::sqlx::{self, SqliteConnection};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbErr};

use super::Script;
use super::held::Held;

/// The connection that writes, and who watches it.
#[derive(Debug)]
pub(super) struct Witnessed {
    /// A pool of one.
    pool: DatabaseConnection,
    /// The one, unless a transaction has it.
    held: Option<Held>,
    pub(super) witness: Witness,
}

impl Witnessed {
    pub(super) fn new(pool: DatabaseConnection, witness: Witness) -> Self {
        Self {
            pool,
            held: None,
            witness,
        }
    }

    /// The connection, for a transaction to have.
    pub(super) async fn take(&mut self) -> Result<Held, DbErr> {
        match self.held.take() {
            Some(held) => Ok(held),
            None => Held::of(&self.pool).await,
        }
    }

    /// Takes it back, once the transaction has ended.
    pub(super) fn put(&mut self, held: Option<Held>) {
        self.held = held;
    }

    /// Runs a script, as a transaction of its own.
    pub(super) async fn transact(&mut self, script: Script) -> Result<(), DbErr> {
        let mut held = self.take().await?;
        let witness = &self.witness;
        let done = script.transact(&mut held, || witness.expect_commit());
        done.await?;
        self.put(Some(held));
        Ok(())
    }

    /// Closes a connection that nothing good is known of. What it has not
    /// committed is undone.
    pub(super) async fn discard(mut self) {
        self.witness.begin();
        self.held = None;
        let _ = self.pool.close_by_ref().await;
    }

    /// Closes it for good, with everything written back into the database's file.
    pub(super) async fn finish(mut self) {
        self.held = None;
        let written = self.pool.execute_unprepared(WRITE_BACK).await;
        if let Err(error) = written {
            tracing::warn!(cause = %error, "cannot write the log back into the database");
        }
        let _ = self.pool.close_by_ref().await;
    }
}

/// Writes the log back into the file and empties it.
const WRITE_BACK: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// Hears of the commits and rollbacks of one connection. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Witness(Arc<Heard>);

#[derive(Debug, Default)]
struct Heard {
    /// The writer asked for a commit.
    asked: AtomicBool,
    committed: AtomicBool,
    taken_back: AtomicBool,
}

impl Witness {
    /// Listens to a connection.
    pub(super) async fn attach(&self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        let mut handle = connection.lock_handle().await?;
        let heard = self.0.clone();
        handle.set_commit_hook(move || {
            let asked = heard.asked.swap(false, Ordering::SeqCst);
            heard.committed.fetch_or(asked, Ordering::SeqCst);
            asked
        });
        let heard = self.0.clone();
        handle.set_rollback_hook(move || heard.taken_back.store(true, Ordering::SeqCst));
        Ok(())
    }

    /// A transaction is about to begin.
    pub(super) fn begin(&self) {
        for flag in [&self.0.asked, &self.0.committed, &self.0.taken_back] {
            flag.store(false, Ordering::SeqCst);
        }
    }

    /// The writer is about to commit.
    pub(super) fn expect_commit(&self) {
        self.0.asked.store(true, Ordering::SeqCst);
    }

    /// Whether the transaction was committed, as was asked for.
    pub(super) fn saw_commit(&self) -> bool {
        self.0.asked.store(false, Ordering::SeqCst);
        self.0.committed.load(Ordering::SeqCst) && !self.is_lost()
    }

    /// The transaction is not to be committed, whatever comes.
    pub(super) fn give_up(&self) {
        self.0.taken_back.store(true, Ordering::SeqCst);
    }

    /// Whether the transaction is gone.
    pub(super) fn is_lost(&self) -> bool {
        self.0.taken_back.load(Ordering::SeqCst)
    }
}
