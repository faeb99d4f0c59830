//! How many living records an organization has of a resource, kept as they come and go,
//! so that the total of a list without conditions costs nothing. Shards let writers on
//! PostgreSQL pass each other.

use std::sync::atomic::{AtomicI64, Ordering};

use sea_orm::DbBackend;

use super::super::query::sql::Sql;
use super::super::resource::{Context, Resource};

/// Rows a count is spread over.
const SHARDS: i64 = 16;

static NEXT: AtomicI64 = AtomicI64::new(0);

/// Counts records that came or went: how a statement begins that does this besides, so
/// that it costs no trip.
pub(super) fn lead<R: Resource>(backend: DbBackend, context: &Context, records: i64) -> Sql {
    let (begin, end) = match backend {
        DbBackend::Postgres => ("WITH counted AS (", ") "),
        _ => ("", "; "),
    };
    let mut sql = Sql::of(backend);
    sql.push(begin);
    add::<R>(&mut sql, backend, context, records);
    sql.push(end);
    sql
}

/// Counts records that came or went.
pub(super) fn add<R: Resource>(sql: &mut Sql, backend: DbBackend, context: &Context, records: i64) {
    let shard = match backend {
        DbBackend::Postgres => shard(),
        _ => 0,
    };
    count::<R>(sql, context, (shard, records), ("VALUES (", ")"));
}

/// Counts a record that a statement of PostgreSQL's makes, if it does.
pub(super) fn made<R: Resource>(sql: &mut Sql, context: &Context) {
    count::<R>(sql, context, (shard(), 1), ("SELECT ", " FROM made"));
}

/// The shard whose turn it is.
fn shard() -> i64 {
    NEXT.fetch_add(1, Ordering::Relaxed).rem_euclid(SHARDS)
}

fn count<R: Resource>(
    sql: &mut Sql,
    context: &Context,
    (shard, records): (i64, i64),
    (before, after): (&str, &str),
) {
    sql.push("INSERT INTO crm_count (organization_id, resource, shard, living) ");
    sql.push(before).list([
        context.organization.into(),
        R::NAME.into(),
        shard.into(),
        records.into(),
    ]);
    sql.push(after).push(
        " ON CONFLICT (organization_id, resource, shard) \
         DO UPDATE SET living = crm_count.living + excluded.living",
    );
}
