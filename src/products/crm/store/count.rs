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
    let (shard, begin, end) = match backend {
        DbBackend::Postgres => {
            let shard = NEXT.fetch_add(1, Ordering::Relaxed).rem_euclid(SHARDS);
            (shard, "WITH counted AS (", ") ")
        }
        _ => (0, "", "; "),
    };
    let mut sql = Sql::of(backend);
    sql.push(begin)
        .push("INSERT INTO crm_count (organization_id, resource, shard, living) VALUES (");
    sql.list([
        context.organization.into(),
        R::NAME.into(),
        shard.into(),
        records.into(),
    ]);
    sql.push(
        ") ON CONFLICT (organization_id, resource, shard) \
         DO UPDATE SET living = crm_count.living + excluded.living",
    );
    sql.push(end);
    sql
}
