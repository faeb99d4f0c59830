//! The one way to write. On SQLite there is one writer with a queue, which
//! `group` empties; on PostgreSQL every piece is a transaction of its own.

use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use futures_util::FutureExt as _;
use sea_orm::{DbBackend, Statement, Value};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::group::{self, Message, Queued};
use super::postgres::Connections;
use super::sqlite::Opener;
use super::witness::Witnessed;
use super::{Outcome, Script, Tx, Work};
use crate::error::{Error, Result};

/// Pieces of work that may wait.
const QUEUE: usize = 4096;

#[derive(Debug)]
pub(super) enum Writer {
    Grouped(Queue),
    Shared(Connections),
}

/// The queue of SQLite's one writer.
#[derive(Debug)]
pub(super) struct Queue {
    sender: mpsc::Sender<Message>,
    /// Whether the last group was lost to a fault of the database.
    faulty: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn grouped(opener: Opener, connection: Witnessed) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let faulty = Arc::<AtomicBool>::default();
        let served = group::serve(opener, connection, receiver, faulty.clone());
        // It takes turns with SQLite's thread. A thread of its own is woken in less time
        // than the runtime's, which waits for sockets as well.
        let runtime = Handle::current();
        thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || {
                let _entered = runtime.enter();
                run(served);
            })?;
        Ok(Self::Grouped(Queue { sender, faulty }))
    }

    /// Whether the last that was written was lost to a fault of the database.
    pub(super) fn is_faulty(&self) -> bool {
        match self {
            Self::Shared(..) => false,
            Self::Grouped(queue) => queue.faulty.load(Ordering::Relaxed),
        }
    }

    pub(super) async fn write(&self, work: Work) -> Result<Outcome> {
        let queue = match self {
            Self::Shared(connections) => return transact(connections, work).await,
            Self::Grouped(queue) => queue,
        };
        let (answer, outcome) = oneshot::channel();
        queue.send(Message::Write(Queued { work, answer }))?;
        outcome.await.map_err(closed)?
    }

    /// Writes a script.
    pub(super) async fn run(&self, script: Script) -> Result<()> {
        let queue = match self {
            Self::Shared(..) => return self.write(scripted(script)).await.map(drop),
            Self::Grouped(queue) => queue,
        };
        let (answer, outcome) = oneshot::channel();
        queue.send(Message::Script(script, answer))?;
        outcome.await.map_err(closed)?.map(drop)
    }

    /// Runs one statement, which is a transaction of its own; answers how many rows it
    /// touched.
    pub(super) async fn run_alone(&self, sql: &str, values: Vec<Value>) -> Result<u64> {
        match self {
            Self::Shared(connections) => {
                let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
                let done = connections.alone(async |held| held.execute(statement).await);
                Ok(done.await?.rows_affected())
            }
            Self::Grouped(_) => Err(Error::internal("SQLite's writes come in groups")),
        }
    }

    /// Closes SQLite's writer, after all that was queued before.
    pub(super) async fn close(&self) {
        let Self::Grouped(queue) = self else {
            return;
        };
        let (done, closed) = oneshot::channel();
        if queue.sender.send(Message::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

impl Queue {
    fn send(&self, message: Message) -> Result<()> {
        self.sender.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                Error::unavailable("Too many writes are waiting").reason("WRITE_QUEUE_FULL")
            }
            mpsc::error::TrySendError::Closed(_) => {
                Error::unavailable("The server is shutting down")
            }
        })
    }
}

fn closed(_: oneshot::error::RecvError) -> Error {
    Error::unavailable("The server is shutting down")
}

/// Runs a future on this thread. Whoever wakes it has more to say as a rule, as SQLite's
/// thread does of every row and statement: where both share a core, it is let finish.
fn run<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Sleeper(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
        thread::park();
        thread::yield_now();
    }
}

/// A thread that waits.
struct Sleeper(Thread);

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A script as work that shares a transaction.
pub(super) fn scripted(script: Script) -> Work {
    Box::new(move |tx| {
        Box::pin(async move {
            script.run(tx).await?;
            Ok(Box::new(()) as Outcome)
        })
    })
}

async fn transact(connections: &Connections, work: Work) -> Result<Outcome> {
    let tx = Tx::shared(connections).await?;
    match caught(&tx, work).await {
        Ok(value) => {
            tx.end(true).await?;
            Ok(value)
        }
        Err(error) => {
            // The connection rolls back by itself if this fails.
            let _ = tx.end(false).await;
            Err(error)
        }
    }
}

/// Runs work. A panic must not take the writer down with it, wherever in the work
/// it comes from, and work that overlooked a failure must not be taken for done.
pub(super) async fn caught(tx: &Tx, work: Work) -> Result<Outcome> {
    let work = AssertUnwindSafe(async { work(tx).await });
    match work.catch_unwind().await {
        Ok(Ok(_)) if tx.is_doomed() => Err(Error::internal("a write overlooked a failure")),
        Ok(result) => result,
        Err(_) => Err(Error::internal("a write panicked")),
    }
}
