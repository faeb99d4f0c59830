//! How far the log got: the last position that is appended, folded into rollups,
//! sealed into fingerprints, and taken from a named stream.

use sea_orm::{ConnectionTrait, DbBackend};

use crate::auth::ProjectId;
use crate::db::Tx;
use crate::db::sql::row;
use crate::error::{Error, Result};

/// The last position that is appended.
pub(super) async fn appended(connection: &impl ConnectionTrait) -> Result<i64> {
    value(connection, "position", "").await
}

/// The same, locked on PostgreSQL: until the transaction ends, nobody else appends.
/// On SQLite there is one writer.
pub(super) async fn lock_appended(look: &impl ConnectionTrait) -> Result<i64> {
    value(look, "position", lock(look)).await
}

/// The last position that is folded.
pub(super) async fn folded(connection: &impl ConnectionTrait) -> Result<i64> {
    value(connection, "folded", "").await
}

/// The last position that is sealed, locked: until the transaction ends, no other
/// node seals anything.
pub(super) async fn lock_sealed(tx: &Tx) -> Result<i64> {
    value(tx, "sealed", lock(tx)).await
}

/// How far a named stream got; zero when it is new.
pub(super) async fn of_stream(
    connection: &impl ConnectionTrait,
    project: ProjectId,
    name: &str,
) -> Result<i64> {
    let sql = "SELECT position FROM event_stream WHERE project = $1 AND name = $2";
    match row(connection, sql, [project.into(), name.into()]).await? {
        Some(row) => Ok(row.try_get("", "position")?),
        None => Ok(0),
    }
}

fn lock(connection: &impl ConnectionTrait) -> &'static str {
    match connection.get_database_backend() {
        DbBackend::Postgres => "FOR UPDATE",
        _ => "",
    }
}

async fn value(connection: &impl ConnectionTrait, name: &str, lock: &str) -> Result<i64> {
    let sql = format!("SELECT value FROM event_log WHERE name = '{name}' {lock}");
    let row = row(connection, &sql, []).await?;
    let row = row.ok_or_else(|| Error::internal(format!("the event log has no {name}")))?;
    Ok(row.try_get("", "value")?)
}
