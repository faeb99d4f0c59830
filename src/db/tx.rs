//! A transaction being written, as work sees it. It can run statements and
//! nothing else: beginning and ending it is the writer's business.

use std::sync::atomic::{AtomicBool, Ordering};

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
}

impl Tx {
    pub(super) fn new(inner: DatabaseTransaction) -> Self {
        Self {
            inner,
            failed: AtomicBool::new(false),
            patience: None,
        }
    }

    /// One of PostgreSQL's, which is not waited for for ever.
    pub(super) fn patient(inner: DatabaseTransaction, patience: Patience) -> Self {
        Self {
            patience: Some(patience),
            ..Self::new(inner)
        }
    }

    pub(super) fn inner(&self) -> &DatabaseTransaction {
        &self.inner
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
        self.noted(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.noted(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.noted(self.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.noted(self.inner.query_all_raw(statement)).await
    }
}
