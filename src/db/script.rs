//! Writes that are planned before they begin. When every statement is known with
//! all its values, SQLite needs no word from anybody in between: it begins, writes
//! and commits in as few trips to its thread as there are large statements, one for
//! most. That is what makes a lone event as quick as a transaction can be.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement, Value,
};
use tokio::sync::OnceCell;

use super::held::Held;
use super::sql::execute;
use super::{Db, Read, Tx};
use crate::error::{Error, Result};

/// Statements in their order, with all their values.
#[derive(Debug, Default)]
pub struct Script(Vec<Step>);

type Step = (Cow<'static, str>, Vec<Value>);

impl Script {
    /// Adds a statement.
    pub fn push(&mut self, sql: impl Into<Cow<'static, str>>, values: Vec<Value>) {
        self.0.push((sql.into(), values));
    }

    /// Runs in a transaction that others began.
    pub(super) async fn run(self, tx: &Tx) -> Result<()> {
        for (sql, values) in self.0 {
            execute(tx, &sql, values).await?;
        }
        Ok(())
    }

    /// Runs as a transaction of its own on SQLite. `last` is told before the trip
    /// that commits. What a failure leaves behind is not undone.
    pub(super) async fn transact(self, held: &mut Held, last: impl FnOnce()) -> Result<(), DbErr> {
        let mut last = Some(last);
        let mut steps = self.0.into_iter().peekable();
        let mut begin = "BEGIN IMMEDIATE; ";
        while let Some((sql, values)) = steps.next() {
            let end = if steps.peek().is_none() {
                last.take().into_iter().for_each(|last| last());
                "; COMMIT"
            } else {
                ""
            };
            let sql = [std::mem::take(&mut begin), &sql, end].concat();
            let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
            held.execute(statement).await?;
        }
        Ok(())
    }
}

/// Planning of what to write, with a look at the database.
pub type Plan<T> =
    Box<dyn for<'l> FnOnce(&'l Look<'_>) -> BoxFuture<'l, Result<(Script, T)>> + Send>;

/// What a plan is made from: the transaction that will write it, or a connection that
/// reads, leased once it is needed.
#[derive(Debug)]
pub enum Look<'t> {
    /// Inside of the transaction.
    Inside(&'t Tx),
    /// Before there is one.
    Ahead(Box<Ahead>),
}

/// A connection that reads, once somebody asked for it.
#[derive(Debug)]
pub struct Ahead {
    db: Db,
    read: OnceCell<Read>,
}

impl Ahead {
    async fn read(&self) -> Result<&Read, DbErr> {
        let leased = self.read.get_or_try_init(|| self.db.read(None)).await;
        leased.map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))
    }
}

impl Db {
    /// Plans what to write, writes it, and answers once the commit is durable. On
    /// SQLite the plan is made before the transaction begins: whatever it rests on,
    /// nobody but its caller may write, one plan at a time.
    pub async fn write_planned<T: Send + 'static>(&self, plan: Plan<T>) -> Result<T> {
        if self.backend() == DbBackend::Postgres {
            let planned = self.write(move |tx| {
                Box::pin(async move {
                    let look = Look::Inside(tx);
                    let (script, value) = plan(&look).await?;
                    script.run(tx).await?;
                    Ok(value)
                })
            });
            return planned.await;
        }
        let (script, value) = self.planned(plan).await?;
        if !script.0.is_empty() {
            self.0.writer.run(script).await?;
        }
        Ok(value)
    }

    /// Plans a statement that writes nothing if what the plan believed is wrong, and has
    /// PostgreSQL run it by itself: one trip rather than the five of a transaction. There
    /// is no answer where nothing was written, nor where the plan is not one statement.
    pub async fn write_believing<T>(&self, plan: Plan<T>) -> Result<Option<T>> {
        let (mut script, value) = self.planned(plan).await?;
        let (Some((sql, values)), true) = (script.0.pop(), script.0.is_empty()) else {
            return Ok(None);
        };
        let touched = self.0.writer.run_alone(&sql, values).await?;
        Ok((touched > 0).then_some(value))
    }

    /// Makes a plan outside of any transaction.
    async fn planned<T>(&self, plan: Plan<T>) -> Result<(Script, T)> {
        let look = Look::Ahead(Box::new(Ahead {
            db: self.clone(),
            read: OnceCell::new(),
        }));
        let planned = AssertUnwindSafe(async { plan(&look).await });
        let planned = planned.catch_unwind().await;
        planned.map_err(|_| Error::internal("a plan panicked"))?
    }
}

/// Forwards a statement to whoever is looked at.
macro_rules! forward {
    ($self:ident, $method:ident, $argument:expr) => {
        match $self {
            Self::Inside(tx) => tx.$method($argument).await,
            Self::Ahead(ahead) => ahead.read().await?.$method($argument).await,
        }
    };
}

#[tonic::async_trait]
impl ConnectionTrait for Look<'_> {
    fn get_database_backend(&self) -> DbBackend {
        match self {
            Self::Inside(tx) => tx.get_database_backend(),
            Self::Ahead(ahead) => ahead.db.backend(),
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        forward!(self, execute_raw, statement)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        forward!(self, execute_unprepared, sql)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        forward!(self, query_one_raw, statement)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        forward!(self, query_all_raw, statement)
    }
}
