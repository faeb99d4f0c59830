//! The one way to write.
//!
//! On SQLite there is one writer. It takes whatever queued while the last commit
//! ran, runs each piece in a savepoint of one shared transaction, commits, and
//! only then answers all of them. There is no timer: the commit is the window.
//! On PostgreSQL every piece is a transaction of its own.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sea_orm::{
    DatabaseConnection, DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};
use tokio::sync::{mpsc, oneshot};

use super::{Tx, Work};
use crate::error::{Error, Result};

/// Pieces of work that may wait.
const QUEUE: usize = 4096;
/// Pieces of work that share a transaction at the most.
const GROUP: usize = 512;

#[derive(Debug)]
pub(super) enum Writer {
    Grouped(mpsc::Sender<Piece>),
    Shared(DatabaseConnection),
}

/// A piece of work in the queue.
pub(super) type Piece = Box<dyn Job>;

/// Answers the caller once it is known whether the group was committed.
type Finish = Box<dyn FnOnce(Result<(), Arc<DbErr>>) + Send>;

pub(super) trait Job: Send {
    /// Runs inside the group's transaction; says whether it succeeded.
    fn run<'t>(self: Box<Self>, tx: &'t Tx, company: Company) -> BoxFuture<'t, (Finish, bool)>;

    /// Answers that nothing could be begun.
    fn refuse(self: Box<Self>, error: Arc<DbErr>);
}

impl std::fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

/// Whether a piece shares its transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Company {
    Alone,
    Several,
}

struct Queued<T> {
    work: Work<T>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T: Send + 'static> Job for Queued<T> {
    fn run<'t>(self: Box<Self>, tx: &'t Tx, company: Company) -> BoxFuture<'t, (Finish, bool)> {
        let Self { work, answer } = *self;
        Box::pin(async move {
            let result = match company {
                Company::Alone => caught(work(tx)).await,
                Company::Several => within_savepoint(tx, work).await,
            };
            let ok = result.is_ok();
            let finish: Finish = Box::new(move |commit| {
                let outcome = result.and_then(|value| match commit {
                    Ok(()) => Ok(value),
                    Err(error) => Err(error.into()),
                });
                // A caller that went away has no use for the answer.
                let _ = answer.send(outcome);
            });
            (finish, ok)
        })
    }

    fn refuse(self: Box<Self>, error: Arc<DbErr>) {
        let _ = self.answer.send(Err(error.into()));
    }
}

impl Writer {
    pub(super) fn shared(pool: DatabaseConnection) -> Self {
        Self::Shared(pool)
    }

    pub(super) fn grouped(connection: DatabaseConnection) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(serve(connection, receiver));
        Self::Grouped(sender)
    }

    pub(super) async fn write<T: Send + 'static>(&self, work: Work<T>) -> Result<T> {
        let queue = match self {
            Self::Shared(pool) => return transact(pool, work).await,
            Self::Grouped(queue) => queue,
        };
        let (answer, outcome) = oneshot::channel();
        let sent = queue.try_send(Box::new(Queued { work, answer }));
        sent.map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                Error::unavailable("Too many writes are waiting").reason("WRITE_QUEUE_FULL")
            }
            mpsc::error::TrySendError::Closed(_) => {
                Error::unavailable("The server is shutting down")
            }
        })?;
        let closed = |_| Error::unavailable("The server is shutting down");
        outcome.await.map_err(closed)?
    }
}

async fn transact<T>(pool: &DatabaseConnection, work: Work<T>) -> Result<T> {
    let tx = pool.begin().await?;
    match caught(work(&tx)).await {
        Ok(value) => {
            tx.commit().await?;
            Ok(value)
        }
        Err(error) => {
            // The connection rolls back by itself if this fails.
            let _ = tx.rollback().await;
            Err(error)
        }
    }
}

async fn within_savepoint<T>(group: &Tx, work: Work<T>) -> Result<T> {
    let savepoint = group.begin().await?;
    match caught(work(&savepoint)).await {
        Ok(value) => {
            savepoint.commit().await?;
            Ok(value)
        }
        Err(error) => {
            savepoint.rollback().await?;
            Err(error)
        }
    }
}

/// A panic must not take the writer down with it.
async fn caught<T>(work: BoxFuture<'_, Result<T>>) -> Result<T> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(_) => Err(Error::internal("a write panicked")),
    }
}

async fn serve(connection: DatabaseConnection, mut queue: mpsc::Receiver<Piece>) {
    let mut group = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut group, GROUP).await > 0 {
        commit(&connection, std::mem::take(&mut group)).await;
    }
}

/// Runs a group in one transaction and answers its callers. Alone in its group, a
/// piece that fails takes the whole transaction back.
async fn commit(connection: &DatabaseConnection, group: Vec<Piece>) {
    let company = match group.len() {
        1 => Company::Alone,
        _ => Company::Several,
    };
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..Default::default()
    };
    let tx = match connection.begin_with_options(options).await {
        Ok(tx) => tx,
        Err(error) => {
            let error = Arc::new(error);
            return group
                .into_iter()
                .for_each(|piece| piece.refuse(error.clone()));
        }
    };
    let mut finishes = Vec::with_capacity(group.len());
    let mut failed = false;
    for piece in group {
        let (finish, ok) = piece.run(&tx, company).await;
        failed |= !ok;
        finishes.push(finish);
    }
    let ended = match company {
        Company::Alone if failed => tx.rollback().await,
        Company::Alone | Company::Several => tx.commit().await,
    };
    let ended = ended.map_err(Arc::new);
    for finish in finishes {
        finish(ended.clone());
    }
}
