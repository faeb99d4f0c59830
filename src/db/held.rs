//! A connection, kept by who uses it. A pool asks a connection whether it is sound each
//! time it is given back, which is after every statement, and costs the trip that the
//! statement does: to SQLite's thread, or to PostgreSQL.

use std::sync::Arc;

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::{self, AssertSqlSafe, Database, Executor as _, IntoArguments, Sqlite};
use sea_orm::{DatabaseConnection, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Values};
use sea_query_sqlx::SqlxValues;

/// The connection.
#[derive(Debug)]
pub(super) enum Held {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PgConnection),
}

impl Held {
    /// Takes the connection of a pool of one, of SQLite's.
    pub(super) async fn of(pool: &DatabaseConnection) -> Result<Self, DbErr> {
        let acquired = pool.get_sqlite_connection_pool().acquire().await;
        acquired.map(Self::Sqlite).map_err(conn)
    }

    /// Runs a statement.
    pub(super) async fn execute(&mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        let (sql, values) = parts(statement);
        let done = match self {
            Self::Sqlite(own) => own.execute(query(&sql, values)).await.map(Into::into),
            Self::Postgres(own) => own.execute(query(&sql, values)).await.map(Into::into),
        };
        done.map_err(exec)
    }

    /// Runs statements that are not kept prepared.
    pub(super) async fn run(&mut self, sql: &str) -> Result<ExecResult, DbErr> {
        let sql = AssertSqlSafe(sql);
        let done = match self {
            Self::Sqlite(own) => own.execute(sql).await.map(Into::into),
            Self::Postgres(own) => own.execute(sql).await.map(Into::into),
        };
        done.map_err(exec)
    }

    /// Reads a row at the most.
    pub(super) async fn one(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let (sql, values) = parts(statement);
        let found = match self {
            Self::Sqlite(own) => optional(own.fetch_optional(query(&sql, values)).await),
            Self::Postgres(own) => optional(own.fetch_optional(query(&sql, values)).await),
        };
        found.map_err(read)
    }

    /// Reads rows.
    pub(super) async fn all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let (sql, values) = parts(statement);
        let found = match self {
            Self::Sqlite(own) => every(own.fetch_all(query(&sql, values)).await),
            Self::Postgres(own) => every(own.fetch_all(query(&sql, values)).await),
        };
        found.map_err(read)
    }
}

fn parts(statement: Statement) -> (String, Values) {
    (
        statement.sql,
        statement.values.unwrap_or(Values(Vec::new())),
    )
}

fn query<D>(sql: &str, values: Values) -> Query<'_, D, SqlxValues>
where
    D: Database,
    SqlxValues: IntoArguments<D>,
{
    sqlx::query_with(AssertSqlSafe(sql), SqlxValues(values))
}

fn optional<R: Into<QueryResult>>(
    found: sqlx::Result<Option<R>>,
) -> sqlx::Result<Option<QueryResult>> {
    Ok(found?.map(Into::into))
}

fn every<R: Into<QueryResult>>(found: sqlx::Result<Vec<R>>) -> sqlx::Result<Vec<QueryResult>> {
    Ok(found?.into_iter().map(Into::into).collect())
}

/// A connection could not be had.
pub(super) fn conn(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))
}

fn exec(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

fn read(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}
