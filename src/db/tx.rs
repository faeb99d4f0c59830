//! A transaction being written, as work sees it. It can run statements and
//! nothing else: beginning and ending it is the writer's business.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};

use super::postgres::{Patience, waited};

/// A transaction being written.
#[derive(Debug)]
pub struct Tx {
    inner: DatabaseTransaction,
    /// Whether a statement failed.
    failed: AtomicBool,
    /// How long PostgreSQL is waited for.
    patience: Option<Patience>,
    /// What goes before the next statement, in the same trip.
    first: Mutex<Option<&'static str>>,
    /// What is to be run before it is committed.
    last: Mutex<Vec<&'static str>>,
}

impl Tx {
    pub(super) fn new(inner: DatabaseTransaction) -> Self {
        Self {
            inner,
            failed: AtomicBool::new(false),
            patience: None,
            first: Mutex::default(),
            last: Mutex::default(),
        }
    }

    /// One of PostgreSQL's, which is not waited for for ever.
    pub(super) fn patient(inner: DatabaseTransaction, patience: Patience) -> Self {
        Self {
            patience: Some(patience),
            ..Self::new(inner)
        }
    }

    /// Has the next statement begin with others, of SQLite's, which cost no trip then.
    pub(super) fn before_next(&self, sql: &'static str) {
        *own(&self.first) = Some(sql);
    }

    /// Whether there was no next statement.
    pub(super) fn was_idle(&self) -> bool {
        own(&self.first).take().is_some()
    }

    fn led(&self, sql: &str) -> Option<String> {
        let first = own(&self.first).take();
        first.map(|first| [first, "; ", sql].concat())
    }

    fn begun(&self, mut statement: Statement) -> Statement {
        if let Some(sql) = self.led(&statement.sql) {
            statement.sql = sql;
        }
        statement
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

    /// Runs what is to be run before the commit.
    pub(super) async fn conclude(&self) -> Result<(), DbErr> {
        let last = std::mem::take(&mut *own(&self.last));
        for sql in last {
            let statement = Statement::from_string(self.get_database_backend(), sql);
            self.execute_raw(statement).await?;
        }
        Ok(())
    }

    /// Ends it: commits, or takes it back.
    pub(super) async fn end(self, commit: bool) -> Result<(), DbErr> {
        let (inner, patience) = (self.inner, self.patience);
        let end = async {
            match commit {
                true => inner.commit().await,
                false => inner.rollback().await,
            }
        };
        waited(patience, end).await
    }

    /// Whether this transaction can only be taken back. PostgreSQL ends one with
    /// the first statement that fails, and then answers COMMIT as if all was well.
    pub(crate) fn is_doomed(&self) -> bool {
        self.inner.get_database_backend() == DbBackend::Postgres
            && self.failed.load(Ordering::Relaxed)
    }

    async fn noted<T>(
        &self,
        statement: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        let result = waited(self.patience, statement).await;
        if result.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }
}

#[tonic::async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let statement = self.begun(statement);
        self.noted(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let led = self.led(sql);
        let sql = led.as_deref().unwrap_or(sql);
        self.noted(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let statement = self.begun(statement);
        self.noted(self.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let statement = self.begun(statement);
        self.noted(self.inner.query_all_raw(statement)).await
    }
}

/// What is in a lock. Nobody panics holding it.
fn own<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
