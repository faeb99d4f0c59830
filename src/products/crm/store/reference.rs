//! Records that name each other: what is named must be there, in the same organization,
//! and is shown with one question per page.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};

use super::super::column::{Access, Column, Kind, Record, Source};
use super::super::query::sql::Sql;
use super::super::resource::Context;
use super::super::resources::{COMPANIES, CONTACTS};
use super::row::missing;
use crate::db::sql::rows;
use crate::error::Result;

/// What records name and is not there.
#[derive(Debug, Default)]
pub(super) struct Absent(HashSet<(Source, i64)>);

impl Absent {
    /// Looks for what records name, with one question for each source. What a record
    /// named before may be gone.
    pub(super) async fn of<R: Record>(
        connection: &impl ConnectionTrait,
        context: &Context,
        rows: impl IntoIterator<Item = (&[Value], Option<&[Value]>)>,
    ) -> Result<Self> {
        let mut named: BTreeMap<&str, (Source, BTreeSet<i64>)> = BTreeMap::new();
        for (new, old) in rows {
            for (source, id) in names_of::<R>(new, old) {
                let entry = named.entry(source.0);
                entry
                    .or_insert_with(|| (source, BTreeSet::new()))
                    .1
                    .insert(id);
            }
        }
        let mut absent = HashSet::new();
        for (source, ids) in named.into_values() {
            let found = living(connection, context, source, &ids).await?;
            absent.extend(ids.difference(&found).map(|id| (source, *id)));
        }
        Ok(Self(absent))
    }

    /// Refuses a record that names one of them.
    pub(super) fn check<R: Record>(&self, new: &[Value], old: Option<&[Value]>) -> Result<()> {
        let mut named = names_of::<R>(new, old);
        let absent = named.find(|named| self.0.contains(named));
        absent.map_or(Ok(()), |(_, id)| Err(missing(id)))
    }
}

/// What a record names that it did not name before.
fn names_of<'v, R: Record>(
    new: &'v [Value],
    old: Option<&'v [Value]>,
) -> impl Iterator<Item = (Source, i64)> + 'v {
    let columns = R::COLUMNS.iter().enumerate();
    columns.filter_map(move |(at, column)| match (column.kind, &new[at]) {
        (Kind::Reference(source), Value::BigInt(Some(id))) if is_given(column) => {
            let kept = old.is_some_and(|old| old[at] == new[at]);
            (!kept).then_some((source, *id))
        }
        _ => None,
    })
}

fn is_given(column: &Column) -> bool {
    matches!(column.access, Access::Caller | Access::Create)
}

async fn living(
    connection: &impl ConnectionTrait,
    context: &Context,
    source: Source,
    ids: &BTreeSet<i64>,
) -> Result<BTreeSet<i64>> {
    let mut sql = Sql::new(&format!(
        "SELECT t.id FROM {} t WHERE t.deleted_at IS NULL AND t.organization_id = ",
        source.0
    ));
    sql.bind(context.organization).push(" AND t.id IN (");
    sql.list(ids.iter().copied().map(Value::from)).push(")");
    // What is merged away meanwhile is waited for, and is gone then. SQLite has one who
    // writes.
    let merges = source == CONTACTS || source == COMPANIES;
    if merges && connection.get_database_backend() == DbBackend::Postgres {
        sql.push(" ORDER BY t.id FOR KEY SHARE OF t");
    }
    let found = rows(connection, &sql.text, sql.values).await?;
    found
        .iter()
        .map(|row| Ok(row.try_get_by_index(0)?))
        .collect()
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
