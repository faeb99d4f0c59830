//! PostgreSQL's connections, between two that use them. The library's pool asks one whether
//! it is sound each time it is given back, which costs PostgreSQL what a short statement
//! does. Here it is asked after a pause, or when it may be in the middle of something.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::{ConnAcquireErr, DbErr};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::{Patience, SOUND};
use crate::db::held::{Held, conn};

/// How long a connection is waited for.
const WAIT: Duration = Duration::from_secs(5);

/// How long a connection that was sound is believed to be.
const RECENT: Duration = Duration::from_secs(1);

/// A connection that nobody used so long is closed.
const UNUSED: Duration = Duration::from_secs(600);

/// All connections of this process, open or not yet.
#[derive(Debug, Clone)]
pub(in crate::db) struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: PgConnectOptions,
    patience: Patience,
    size: usize,
    permits: Arc<Semaphore>,
    /// The one that was used last is used next.
    idle: std::sync::Mutex<VecDeque<Idle>>,
}

#[derive(Debug)]
struct Idle {
    held: Held,
    since: Instant,
}

/// A connection that somebody uses. Dropped, it is given back.
#[derive(Debug)]
struct Leased {
    lent: Option<(Held, OwnedSemaphorePermit)>,
    state: State,
    home: Arc<Inner>,
}

/// What a connection may be in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Nothing,
    Statement,
    Transaction,
}

/// A transaction, which begins with its first statement. Dropped, it is taken back.
#[derive(Debug)]
pub(in crate::db) struct Transaction {
    leased: Mutex<Leased>,
    begin: String,
}

impl Connections {
    /// So many connections, of which none is open yet.
    pub(super) fn new(options: PgConnectOptions, size: u32, patience: Patience) -> Self {
        let size = size as usize;
        Self(Arc::new(Inner {
            options,
            patience,
            size,
            permits: Arc::new(Semaphore::new(size)),
            idle: std::sync::Mutex::default(),
        }))
    }

    /// How many there are at the most.
    pub(in crate::db) fn size(&self) -> usize {
        self.0.size
    }

    /// How many are in use, and how many are open.
    pub(in crate::db) fn open(&self) -> (usize, usize) {
        let used = self
            .0
            .size
            .saturating_sub(self.0.permits.available_permits());
        (used, used + self.0.idle().len())
    }

    /// A connection, of which the next statement may be expected to be answered.
    async fn lease(&self) -> Result<Leased, DbErr> {
        let inner = &self.0;
        let permit = timeout(WAIT, inner.permits.clone().acquire_owned()).await;
        let permit = permit.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?;
        let permit =
            permit.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))?;
        if let Some(Idle { mut held, since }) = inner.take() {
            if since.elapsed() < RECENT || is_over(&mut held, State::Statement).await {
                return Ok(inner.leased(held, permit));
            }
            // What befell it befell the others, and to ask each takes time.
            inner.idle().clear();
        }
        let connected = timeout(WAIT, inner.options.connect()).await;
        let connected =
            connected.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
        let connection: PgConnection = connected.map_err(conn)?;
        Ok(inner.leased(Held::Postgres(connection), permit))
    }

    /// Runs one statement.
    pub(in crate::db) async fn alone<T>(
        &self,
        statement: impl AsyncFnOnce(&mut Held) -> Result<T, DbErr>,
    ) -> Result<T, DbErr> {
        let mut leased = self.lease().await?;
        let answer = leased.ask(State::Statement, statement).await?;
        leased.state = State::Nothing;
        Ok(answer)
    }

    /// A transaction that is begun by a statement, or several.
    pub(in crate::db) async fn transaction(&self, begin: String) -> Result<Transaction, DbErr> {
        let leased = Mutex::new(self.lease().await?);
        Ok(Transaction { leased, begin })
    }
}

impl Transaction {
    /// Runs a statement in it.
    pub(in crate::db) async fn ask<T>(
        &self,
        statement: impl AsyncFnOnce(&mut Held) -> Result<T, DbErr>,
    ) -> Result<T, DbErr> {
        let mut leased = self.leased.lock().await;
        if leased.state != State::Transaction {
            let begin = async |held: &mut Held| held.run(&self.begin).await;
            leased.ask(State::Transaction, begin).await?;
        }
        leased.ask(State::Transaction, statement).await
    }

    /// Whether nothing was run in it.
    pub(in crate::db) async fn is_new(&self) -> bool {
        self.leased.lock().await.state == State::Nothing
    }

    /// Runs a statement by itself, unless the transaction has begun.
    pub(in crate::db) async fn alone<T>(
        &self,
        statement: impl AsyncFnOnce(&mut Held) -> Result<T, DbErr>,
    ) -> Result<Option<T>, DbErr> {
        let mut leased = self.leased.lock().await;
        if leased.state == State::Transaction {
            return Ok(None);
        }
        let answer = leased.ask(State::Statement, statement).await?;
        leased.state = State::Nothing;
        Ok(Some(answer))
    }

    /// Ends it by a statement, if it has begun.
    pub(in crate::db) async fn end(self, sql: &str) -> Result<(), DbErr> {
        let mut leased = self.leased.into_inner();
        if leased.state != State::Transaction {
            return Ok(());
        }
        let end = async |held: &mut Held| held.run(sql).await;
        leased.ask(State::Transaction, end).await?;
        leased.state = State::Nothing;
        Ok(())
    }
}

impl Inner {
    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        // Nothing panics while it is held.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Idle> {
        self.idle().pop_back()
    }

    fn put(&self, held: Held) {
        let since = Instant::now();
        let mut idle = self.idle();
        idle.push_back(Idle { held, since });
        if idle
            .front()
            .is_some_and(|oldest| oldest.since.elapsed() > UNUSED)
        {
            idle.pop_front();
        }
    }

    fn leased(self: &Arc<Self>, held: Held, permit: OwnedSemaphorePermit) -> Leased {
        Leased {
            lent: Some((held, permit)),
            state: State::Nothing,
            home: self.clone(),
        }
    }
}

impl Leased {
    /// Runs a statement, which may leave the connection in the middle of something until
    /// it is said to be in the middle of nothing.
    async fn ask<T>(
        &mut self,
        state: State,
        statement: impl AsyncFnOnce(&mut Held) -> Result<T, DbErr>,
    ) -> Result<T, DbErr> {
        self.state = state;
        let closed = || DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed);
        let (held, _) = self.lent.as_mut().ok_or_else(closed)?;
        self.home.patience.wait(statement(held)).await
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        let Some((mut held, permit)) = self.lent.take() else {
            return;
        };
        let (home, state) = (self.home.clone(), self.state);
        if state == State::Nothing {
            return home.put(held);
        }
        // Without a runtime the process is about to end.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if is_over(&mut held, state).await {
                    home.put(held);
                }
                drop(permit);
            });
        }
    }
}

/// Ends what a connection may be in the middle of; answers whether it can be used.
async fn is_over(held: &mut Held, state: State) -> bool {
    let end = match state {
        // Answered by PostgreSQL, and nothing else.
        State::Nothing | State::Statement => "",
        State::Transaction => "ROLLBACK",
    };
    matches!(timeout(SOUND, held.run(end)).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests;
