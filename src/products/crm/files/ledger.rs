//! What the database knows of bytes on the disk: each file has a row before it is begun,
//! so that nothing is there that nobody knows of. `sweep_at` says when it may be swept
//! away, and is null of a file that is recorded. A file has its key once it is whole.

use sea_orm::{ConnectionTrait, Value};

use super::super::store::lock_words;
use super::place::Place;
use crate::clock::MICROS;
use crate::db::Tx;
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Result};

/// How long a file that is being sent is let be, which is longer than that may take.
const ARRIVING: i64 = 60 * 60 * MICROS;
/// How long a file that came waits to be recorded.
const WAITING: i64 = 24 * 60 * 60 * MICROS;
/// Files that are swept away at once.
pub(super) const SOME: u64 = 500;

/// A file that came.
#[derive(Debug)]
pub(in super::super) struct Sent {
    /// What it is called on the disk.
    pub(in super::super) name: String,
    /// Its type.
    pub(in super::super) kind: String,
    /// How many bytes it has.
    pub(in super::super) size: i64,
}

/// Notes that a file is coming; answers its row.
pub(super) async fn begin(
    tx: &Tx,
    (place, kind, name): (&Place, &str, &str),
    now: i64,
) -> Result<i64> {
    only(tx, place).await?;
    let sql = "INSERT INTO crm_upload (organization_id, name, file_type, sweep_at) \
               VALUES ($1, $2, $3, $4) RETURNING id";
    let values: [Value; 4] = [
        place.organization.into(),
        name.into(),
        kind.into(),
        (now + ARRIVING).into(),
    ];
    let made = row(tx, sql, values).await?;
    let made = made.ok_or_else(|| Error::internal("a row that was written is not there"))?;
    Ok(made.try_get_by_index(0)?)
}

/// Refuses a second file of a key.
async fn only(tx: &Tx, place: &Place) -> Result<()> {
    let sql = "SELECT id FROM crm_upload WHERE organization_id = $1 AND s3_key = $2";
    let values = [place.organization.into(), place.key().into()];
    match row(tx, sql, values).await? {
        None => Ok(()),
        Some(_) => Err(Error::exists("The file was sent already")),
    }
}

/// Notes that all of it is there.
pub(super) async fn finish(tx: &Tx, id: i64, place: &Place, size: i64, now: i64) -> Result<()> {
    // Of two that come at once one is the file.
    lock_words(tx, &format!("crm.upload.{}", place.key())).await?;
    only(tx, place).await?;
    let sql = "UPDATE crm_upload SET s3_key = $1, file_size = $2, sweep_at = $3 \
               WHERE id = $4 AND s3_key IS NULL AND sweep_at > $5";
    let values: [Value; 5] = [
        place.key().into(),
        size.into(),
        (now + WAITING).into(),
        id.into(),
        now.into(),
    ];
    match execute(tx, sql, values).await? {
        0 => Err(Error::internal("an upload was swept away")),
        _ => Ok(()),
    }
}

/// Forgets files whose bytes are gone.
pub(super) async fn forget(tx: &Tx, ids: Vec<i64>) -> Result<()> {
    for id in ids {
        execute(tx, "DELETE FROM crm_upload WHERE id = $1", [id.into()]).await?;
    }
    Ok(())
}

/// A file by its key, recorded or waiting for that.
pub(in super::super) async fn sent(
    connection: &impl ConnectionTrait,
    (organization, key): (i64, &str),
    now: i64,
) -> Result<Option<Sent>> {
    let condition = "(sweep_at IS NULL OR sweep_at > $3)";
    let values = vec![organization.into(), key.into(), now.into()];
    known(connection, condition, values).await
}

/// A file that is recorded.
pub(in super::super) async fn kept(
    connection: &impl ConnectionTrait,
    place: &Place,
) -> Result<Option<Sent>> {
    let values = vec![place.organization.into(), place.key().into()];
    known(connection, "sweep_at IS NULL", values).await
}

async fn known(
    connection: &impl ConnectionTrait,
    condition: &str,
    values: Vec<Value>,
) -> Result<Option<Sent>> {
    let sql = format!(
        "SELECT name, file_type, file_size FROM crm_upload \
         WHERE organization_id = $1 AND s3_key = $2 AND {condition}"
    );
    let found = row(connection, &sql, values).await?;
    let read = |row: sea_orm::QueryResult| {
        Ok(Sent {
            name: row.try_get_by_index(0)?,
            kind: row.try_get_by_index(1)?,
            size: row.try_get_by_index(2)?,
        })
    };
    found.map(read).transpose()
}

/// Keeps a file from now on; answers whether it was still there.
pub(in super::super) async fn claim(
    tx: &Tx,
    (organization, key): (i64, &str),
    now: i64,
) -> Result<bool> {
    let sql = "UPDATE crm_upload SET sweep_at = NULL \
               WHERE organization_id = $1 AND s3_key = $2 AND sweep_at > $3";
    let values = [organization.into(), key.into(), now.into()];
    Ok(execute(tx, sql, values).await? > 0)
}

/// Lets a file go.
pub(in super::super) async fn release(
    tx: &Tx,
    (organization, key): (i64, &str),
    now: i64,
) -> Result<()> {
    let sql = "UPDATE crm_upload SET sweep_at = $1 WHERE organization_id = $2 AND s3_key = $3";
    execute(tx, sql, [now.into(), organization.into(), key.into()]).await?;
    Ok(())
}

/// Takes some of what may be swept away out of everybody's reach; answers rows and names.
pub(super) async fn overdue(tx: &Tx, now: i64) -> Result<Vec<(i64, String)>> {
    // Who records one of them meanwhile comes first, or finds nothing.
    let sql = format!(
        "UPDATE crm_upload SET s3_key = NULL WHERE sweep_at <= $1 AND id IN \
         (SELECT id FROM crm_upload WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT {SOME}) \
         RETURNING id, name"
    );
    let found = rows(tx, &sql, [now.into()]).await?;
    let read =
        |row: &sea_orm::QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    found.iter().map(read).collect()
}
