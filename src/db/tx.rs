//! A transaction being written, as work sees it. It can run statements and
//! nothing else: beginning and ending it is the writer's business.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use tokio::sync::Mutex as Turns;

use super::held::Held;
use super::postgres::{Connections, Transaction};

/// A transaction being written.
#[derive(Debug)]
pub struct Tx {
    inner: Inner,
    /// Whether a statement failed.
    failed: AtomicBool,
    /// What goes before the next statement, in the same trip.
    first: Mutex<Option<&'static str>>,
    /// What is to be run before it is committed.
    last: Mutex<Vec<&'static str>>,
    /// Whether one statement has written all there is, and is committed.
    over: AtomicBool,
}

#[derive(Debug)]
enum Inner {
    /// On one of PostgreSQL's, which is not waited for for ever.
    Shared(Transaction),
    /// On SQLite's one connection that writes.
    Own(Turns<Held>),
}

impl Tx {
    fn new(inner: Inner) -> Self {
        Self {
            inner,
            failed: AtomicBool::new(false),
            first: Mutex::default(),
            last: Mutex::default(),
            over: AtomicBool::new(false),
        }
    }

    /// One of PostgreSQL's.
    pub(super) async fn shared(connections: &Connections) -> Result<Self, DbErr> {
        let own = connections.transaction("BEGIN".to_owned()).await?;
        Ok(Self::new(Inner::Shared(own)))
    }

    /// One of SQLite's, which somebody has to begin.
    pub(super) fn own(held: Held) -> Self {
        Self::new(Inner::Own(Turns::new(held)))
    }

    /// Has the next statement begin with others, of SQLite's, which cost no trip then.
    pub(super) fn before_next(&self, sql: &'static str) {
        *own(&self.first) = Some(sql);
    }

    /// Whether there was no next statement.
    pub(super) fn was_idle(&self) -> bool {
        own(&self.first).take().is_some()
    }

    /// Has statements run once before the commit, however often they are asked for: what
    /// costs the less the more it is done for at once. They are run in the order they were
    /// first asked for, also when the work that asked for them failed.
    pub fn before_commit(&self, sql: &'static str) {
        let mut last = own(&self.last);
        if !last.contains(&sql) {
            last.push(sql);
        }
    }

    /// Whether a statement may run by itself: it is one of PostgreSQL's, and nothing was run.
    pub async fn is_new(&self) -> bool {
        match &self.inner {
            Inner::Shared(own) => own.is_new().await,
            Inner::Own(_) => false,
        }
    }

    /// Runs a statement by itself, in one trip, where that is one of PostgreSQL's and nothing
    /// was run before; answers nothing otherwise. When it answers rows, it has written all
    /// there is to write: the transaction is over, and runs no other statement.
    pub async fn alone(&self, statement: Statement) -> Result<Option<Vec<QueryResult>>, DbErr> {
        let Inner::Shared(own) = &self.inner else {
            return Ok(None);
        };
        let answer = own.alone(async |held| held.all(statement).await).await;
        let answer = self.noted(answer)?;
        if answer.as_ref().is_some_and(|rows| !rows.is_empty()) {
            self.over.store(true, Ordering::Relaxed);
        }
        Ok(answer)
    }

    /// Ends it: commits, or takes it back. Of SQLite's the connection is answered, if it
    /// is known what it is in the middle of.
    pub(super) async fn end(self, commit: bool) -> Result<Option<Held>, DbErr> {
        let mut last = std::mem::take(&mut *own(&self.last));
        if !commit {
            last.clear();
        }
        last.push(if commit { "COMMIT" } else { "ROLLBACK" });
        let end = last.join("; ");
        match self.inner {
            Inner::Shared(own) => own.end(&end).await.map(|()| None),
            Inner::Own(held) => {
                let mut held = held.into_inner();
                held.execute(Statement::from_string(DbBackend::Sqlite, end))
                    .await?;
                Ok(Some(held))
            }
        }
    }

    /// The connection of a transaction of SQLite's that was not begun.
    pub(super) fn back(self) -> Option<Held> {
        match self.inner {
            Inner::Shared(..) => None,
            Inner::Own(held) => Some(held.into_inner()),
        }
    }

    /// Whether this transaction can only be taken back. PostgreSQL ends one with
    /// the first statement that fails, and then answers COMMIT as if all was well.
    pub(crate) fn is_doomed(&self) -> bool {
        self.get_database_backend() == DbBackend::Postgres && self.failed.load(Ordering::Relaxed)
    }

    /// A statement with what goes before it.
    fn led(&self, sql: String) -> String {
        match own(&self.first).take() {
            Some(first) => [first, "; ", &sql].concat(),
            None => sql,
        }
    }

    /// Runs a statement on one of PostgreSQL's.
    async fn ask<T>(
        &self,
        own: &Transaction,
        statement: impl AsyncFnOnce(&mut Held) -> Result<T, DbErr>,
    ) -> Result<T, DbErr> {
        if self.over.load(Ordering::Relaxed) {
            return Err(DbErr::Custom("a write went on after its end".to_owned()));
        }
        own.ask(statement).await
    }

    fn noted<T>(&self, result: Result<T, DbErr>) -> Result<T, DbErr> {
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }
}

/// Forwards a statement to the connection.
macro_rules! forward {
    ($self:ident, $statement:ident, $method:ident) => {{
        let result = match &$self.inner {
            Inner::Shared(own) => {
                $self
                    .ask(own, async |held| held.$method($statement).await)
                    .await
            }
            Inner::Own(held) => {
                let mut statement = $statement;
                statement.sql = $self.led(statement.sql);
                held.lock().await.$method(statement).await
            }
        };
        $self.noted(result)
    }};
}

#[tonic::async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        match &self.inner {
            Inner::Shared(..) => DbBackend::Postgres,
            Inner::Own(_) => DbBackend::Sqlite,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let first = own(&self.first).take();
        if let (Inner::Own(held), Some(first)) = (&self.inner, first) {
            // A trip of its own: the library adds up the rows that all statements of a text
            // touch, and of those that touch none it has the number of the one before.
            let begun = held.lock().await.run(first).await;
            self.noted(begun)?;
        }
        forward!(self, statement, execute)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let result = match &self.inner {
            Inner::Shared(own) => self.ask(own, async |held| held.run(sql).await).await,
            Inner::Own(held) => {
                let sql = self.led(sql.to_owned());
                held.lock().await.run(&sql).await
            }
        };
        self.noted(result)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        forward!(self, statement, one)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        forward!(self, statement, all)
    }
}

/// What is in a lock. Nobody panics holding it.
fn own<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
