//! One of SQLite's connections, kept by who uses it. A pool asks a connection whether it
//! is sound each time it is given back, which is after every statement, and costs the trip
//! to SQLite's thread that the statement does.

use std::sync::Arc;

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::{self, AssertSqlSafe, Executor as _, Sqlite};
use sea_orm::{DatabaseConnection, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Values};
use sea_query_sqlx::SqlxValues;

/// The connection.
#[derive(Debug)]
pub(super) struct Held(PoolConnection<Sqlite>);

impl Held {
    /// Takes the connection of a pool of one.
    pub(super) async fn of(pool: &DatabaseConnection) -> Result<Self, DbErr> {
        let acquired = pool.get_sqlite_connection_pool().acquire().await;
        let failed = |error| DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)));
        acquired.map(Self).map_err(failed)
    }

    /// Runs a statement.
    pub(super) async fn execute(&mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        let (sql, values) = parts(statement);
        let done = query(&sql, values).execute(&mut *self.0).await;
        done.map(ExecResult::from).map_err(exec)
    }

    /// Runs statements that are not kept prepared.
    pub(super) async fn run(&mut self, sql: &str) -> Result<ExecResult, DbErr> {
        let done = self.0.execute(AssertSqlSafe(sql)).await;
        done.map(ExecResult::from).map_err(exec)
    }

    /// Reads a row at the most.
    pub(super) async fn one(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let (sql, values) = parts(statement);
        let found = query(&sql, values).fetch_optional(&mut *self.0).await;
        Ok(found.map_err(read)?.map(QueryResult::from))
    }

    /// Reads rows.
    pub(super) async fn all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (sql, values) = parts(statement);
        let found = query(&sql, values).fetch_all(&mut *self.0).await;
        let found = found.map_err(read)?.into_iter();
        Ok(found.map(QueryResult::from).collect())
    }
}

fn parts(statement: Statement) -> (String, Values) {
    (
        statement.sql,
        statement.values.unwrap_or(Values(Vec::new())),
    )
}

fn query(sql: &str, values: Values) -> Query<'_, Sqlite, SqlxValues> {
    sqlx::query_with(AssertSqlSafe(sql), SqlxValues(values))
}

fn exec(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

fn read(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}
