//! Small helpers for SQL written by hand.

use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};

use crate::error::Result;

/// Rows per statement at the most; more is not faster.
const CHUNK: usize = 128;

/// Runs a statement.
pub(super) async fn execute(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64> {
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    Ok(connection.execute_raw(statement).await?.rows_affected())
}

/// Runs a query.
pub(super) async fn rows(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>> {
    let backend = connection.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    Ok(connection.query_all_raw(statement).await?)
}

/// Parts of a list whose sizes are powers of two: every size is a statement of its
/// own, which SQLite takes long to prepare and keeps in memory.
pub(super) fn ladder<T>(items: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let size = 1 << rest.len().min(CHUNK).checked_ilog2()?;
        let (part, tail) = rest.split_at(size);
        rest = tail;
        Some(part)
    })
}

/// `$first, …` for `count` values.
pub(super) fn placeholders(first: usize, count: usize) -> String {
    let numbers = (first..first + count).map(|n| format!("${n}"));
    numbers.collect::<Vec<_>>().join(", ")
}
