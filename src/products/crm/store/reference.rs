//! Records that name each other: what is named must be there, in the same organization,
//! and is shown with one question per page.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::super::column::{Access, Column, Kind, Record, Source};
use super::super::query::sql::Sql;
use super::super::resource::Context;
use super::row::missing;
use crate::db::Tx;
use crate::db::sql::{row, rows};
use crate::error::Result;

/// Refuses a record that names one that is not there. What it named before may be gone.
pub(super) async fn check<R: Record>(
    tx: &Tx,
    context: &Context,
    new: &[Value],
    old: Option<&[Value]>,
) -> Result<()> {
    for (at, column) in R::COLUMNS.iter().enumerate() {
        let (Kind::Reference(source), Value::BigInt(Some(id))) = (column.kind, &new[at]) else {
            continue;
        };
        let kept = old.is_some_and(|old| old[at] == new[at]);
        if !kept && is_given(column) {
            exists(tx, context, source, *id).await?;
        }
    }
    Ok(())
}

fn is_given(column: &Column) -> bool {
    matches!(column.access, Access::Caller | Access::Create)
}

async fn exists(tx: &Tx, context: &Context, source: Source, id: i64) -> Result<()> {
    let sql = format!(
        "SELECT 1 AS one FROM {} t \
         WHERE t.organization_id = $1 AND t.id = $2 AND t.deleted_at IS NULL",
        source.0
    );
    let found = row(tx, &sql, [context.organization.into(), id.into()]).await?;
    found.map(drop).ok_or_else(|| missing(id))
}

/// Columns of the records that are named, by their numbers. Of what is gone the columns
/// are shown as they were.
pub(in super::super) async fn related(
    connection: &impl ConnectionTrait,
    context: &Context,
    (source, columns): (Source, &str),
    ids: impl IntoIterator<Item = Option<i64>>,
) -> Result<HashMap<i64, QueryResult>> {
    let ids: BTreeSet<i64> = ids.into_iter().flatten().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sql = Sql::new(&format!(
        "SELECT t.id, {columns} FROM {} t WHERE t.organization_id = ",
        source.0
    ));
    sql.bind(context.organization).push(" AND t.id IN (");
    sql.list(ids.into_iter().map(Value::from)).push(")");
    let found = rows(connection, &sql.text, sql.values).await?;
    let pair = |row: QueryResult| Ok((row.try_get_by_index(0)?, row));
    found.into_iter().map(pair).collect()
}

/// The first and the last name in a whole one.
pub(in super::super) fn names(whole: &str) -> (Option<String>, Option<String>) {
    let given = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    match whole.trim().split_once(' ') {
        Some((first, last)) => (given(first), given(last.trim())),
        None => (given(whole.trim()), None),
    }
}
