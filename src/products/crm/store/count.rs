//! How many living records an organization has of a resource, kept as they come and go,
//! so that the total of a list without conditions costs nothing. Shards let writers on
//! PostgreSQL pass each other.

use std::sync::atomic::{AtomicI64, Ordering};

use sea_orm::{ConnectionTrait as _, DbBackend};

use super::super::resource::{Context, Resource};
use crate::db::Tx;
use crate::db::sql::execute;
use crate::error::Result;

/// Rows a count is spread over.
const SHARDS: i64 = 16;

static NEXT: AtomicI64 = AtomicI64::new(0);

/// Counts records that came or went.
pub(super) async fn add<R: Resource>(tx: &Tx, context: &Context, records: i64) -> Result<()> {
    let shard = match tx.get_database_backend() {
        DbBackend::Postgres => NEXT.fetch_add(1, Ordering::Relaxed).rem_euclid(SHARDS),
        _ => 0,
    };
    let sql = "INSERT INTO crm_count (organization_id, resource, shard, living) \
               VALUES ($1, $2, $3, $4) ON CONFLICT (organization_id, resource, shard) \
               DO UPDATE SET living = crm_count.living + excluded.living";
    let values = [
        context.organization.into(),
        R::NAME.into(),
        shard.into(),
        records.into(),
    ];
    execute(tx, sql, values).await?;
    Ok(())
}
