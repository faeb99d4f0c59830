//! Small helpers for SQL written by hand.

use std::sync::Arc;

use sea_orm::sqlx::postgres::PgRow;
use sea_orm::sqlx::sqlite::SqliteRow;
use sea_orm::sqlx::{self, ColumnIndex, Decode, Postgres, Row as _, Sqlite, Type};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, RuntimeErr, Statement, Value};

use crate::error::{Error, Result};

/// Rows per statement at the most; more is not faster.
const CHUNK: usize = 128;

/// Runs a statement; answers how many rows it touched.
pub(crate) async fn execute(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64> {
    let statement = statement(connection, sql, values);
    Ok(connection.execute_raw(statement).await?.rows_affected())
}

/// Runs a query.
pub(crate) async fn rows(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>> {
    let statement = statement(connection, sql, values);
    Ok(connection.query_all_raw(statement).await?)
}

/// Runs a query of one row at the most.
pub(crate) async fn row(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<QueryResult>> {
    let statement = statement(connection, sql, values);
    Ok(connection.query_one_raw(statement).await?)
}

/// A column of a row, by name or place, whose value may be NULL. The library's own way
/// puts an error in words for every NULL it meets, which is most of what reading an event
/// would cost.
pub(crate) fn column<'r, T>(
    row: &'r QueryResult,
    at: impl ColumnIndex<SqliteRow> + ColumnIndex<PgRow>,
) -> Result<T>
where
    T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>,
{
    let found = match (row.try_as_sqlite_row(), row.try_as_pg_row()) {
        (Some(row), _) => row.try_get(at),
        (None, Some(row)) => row.try_get(at),
        (None, None) => return Err(Error::internal("a row of an unknown database")),
    };
    let failed = |error: sqlx::Error| DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)));
    Ok(found.map_err(failed)?)
}

fn statement(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    let backend = connection.get_database_backend();
    Statement::from_sql_and_values(backend, sql, values)
}

/// Parts of a list whose sizes are powers of two: every size is a statement of its
/// own, which SQLite takes long to prepare and keeps in memory.
pub(crate) fn ladder<T>(items: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let size = 1 << rest.len().min(CHUNK).checked_ilog2()?;
        let (part, tail) = rest.split_at(size);
        rest = tail;
        Some(part)
    })
}

/// `$first, …` for `count` values.
pub(crate) fn placeholders(first: usize, count: usize) -> String {
    let numbers = (first..first + count).map(|n| format!("${n}"));
    numbers.collect::<Vec<_>>().join(", ")
}

/// `(…), (…)`, the values of so many rows. SQLite binds them fastest unnumbered.
pub(crate) fn tuples(backend: DbBackend, columns: usize, rows: usize) -> String {
    let tuple = |at: usize| match backend {
        DbBackend::Postgres => format!("({})", placeholders(columns * at + 1, columns)),
        _ => format!("({})", vec!["?"; columns].join(",")),
    };
    (0..rows).map(tuple).collect::<Vec<_>>().join(",")
}
