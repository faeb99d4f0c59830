//! Backups: an archive of a database's volume, made and put back while the database is
//! stopped, so that it is whole whatever the database is. What is to be done stands in the
//! database's row until it is done, and is done again after a crash.

use std::path::{Path, PathBuf};

use sea_orm::{ConnectionTrait, QueryResult, Value};
use uuid::Uuid;

use super::super::engine::{Runtime, Workload};
use super::super::{Paas, state};
use super::Database;
use crate::api::apex::paas::v1 as pb;
use crate::db::Tx;
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Kind, Result};
use crate::products::timestamp;

/// Backups of a database at the most.
const MOST: i64 = 50;

const STATUSES: [(pb::BackupStatus, &str); 3] = [
    (pb::BackupStatus::Pending, "pending"),
    (pb::BackupStatus::Succeeded, "succeeded"),
    (pb::BackupStatus::Failed, "failed"),
];

/// How tasks begin; the id of the backup follows.
const SAVE: &str = "save ";
const LOAD: &str = "load ";

impl Paas {
    /// The file of a backup. An id that is none leads to no file.
    pub(super) fn backup_file(&self, id: &str) -> PathBuf {
        let id = id.parse::<Uuid>().unwrap_or_default();
        self.0.backups.join(format!("{id}.tar"))
    }
}

fn message(row: &QueryResult) -> Result<pb::Backup> {
    let status: String = row.try_get("", "status")?;
    let known = STATUSES.iter().find(|(_, word)| *word == status);
    Ok(pb::Backup {
        id: row.try_get("", "id")?,
        status: known.map_or(0, |(status, _)| (*status).into()),
        size: row.try_get("", "size")?,
        message: row.try_get("", "message")?,
        created_at: Some(timestamp(row.try_get("", "created_at")?)),
    })
}

/// The backups of a database, oldest first.
pub(super) async fn list(
    connection: &impl ConnectionTrait,
    database: i64,
) -> Result<Vec<pb::Backup>> {
    let sql = "SELECT id, status, size, message, created_at FROM paas_backup \
               WHERE database = $1 ORDER BY number";
    let found = rows(connection, sql, [database.into()]).await?;
    found.iter().map(message).collect()
}

async fn find(tx: &Tx, database: i64, id: &str) -> Result<pb::Backup> {
    let all = list(tx, database).await?;
    let found = all.into_iter().find(|own| own.id == id);
    found.ok_or_else(|| Error::not_found("Backup not found"))
}

fn free(database: &Database) -> Result<()> {
    match &database.task {
        None => Ok(()),
        Some(_) => Err(Error::new(
            Kind::FailedPrecondition,
            "The database is being copied or restored",
        )),
    }
}

/// Has something done while a database is stopped.
async fn begin(tx: &Tx, database: &Database, task: String) -> Result<()> {
    let sql = "UPDATE paas_database SET task = $1, status = 'pending', message = NULL \
               WHERE number = $2";
    execute(tx, sql, [task.into(), database.number.into()]).await?;
    state::changed(tx).await
}

/// Asks for a backup.
pub(super) async fn ask(tx: &Tx, database: &Database, now: i64) -> Result<pb::Backup> {
    free(database)?;
    let sql = "SELECT COUNT(*) AS n FROM paas_backup WHERE database = $1";
    if let Some(found) = row(tx, sql, [database.number.into()]).await?
        && found.try_get::<i64>("", "n")? >= MOST
    {
        let words = format!("A database has at most {MOST} backups");
        return Err(Error::forbidden(words));
    }
    let id = Uuid::now_v7().to_string();
    let sql = "INSERT INTO paas_backup (id, organization, database, status, created_at) \
               VALUES ($1, $2, $3, 'pending', $4)";
    let values: [Value; 4] = [
        id.as_str().into(),
        database.organization.into(),
        database.number.into(),
        now.into(),
    ];
    execute(tx, sql, values).await?;
    begin(tx, database, format!("{SAVE}{id}")).await?;
    find(tx, database.number, &id).await
}

/// Asks to have a backup put back.
pub(super) async fn put_back(tx: &Tx, database: &Database, id: &str) -> Result<()> {
    let backup = find(tx, database.number, id).await?;
    free(database)?;
    if backup.status != i32::from(pb::BackupStatus::Succeeded) {
        let words = "This backup is not whole";
        return Err(Error::new(Kind::FailedPrecondition, words));
    }
    begin(tx, database, format!("{LOAD}{id}")).await
}

/// Forgets a backup.
pub(super) async fn delete(tx: &Tx, database: &Database, id: &str) -> Result<()> {
    find(tx, database.number, id).await?;
    if database
        .task
        .as_deref()
        .is_some_and(|task| task.ends_with(id))
    {
        free(database)?;
    }
    let sql = "DELETE FROM paas_backup WHERE database = $1 AND id = $2";
    execute(tx, sql, [database.number.into(), id.into()]).await?;
    Ok(())
}

/// Removes the files of a database that goes.
pub(super) async fn remove_files(paas: &Paas, database: i64) -> Result<()> {
    let read = paas.db().read(None).await?;
    let all = list(&read, database).await?;
    drop(read);
    for backup in all {
        let _ = tokio::fs::remove_file(paas.backup_file(&backup.id)).await;
    }
    Ok(())
}

/// Whether the file of a backup is as large as it was when it was made.
async fn whole(paas: &Paas, database: i64, id: &str, file: &Path) -> Result<bool> {
    let read = paas.db().read(None).await?;
    let all = list(&read, database).await?;
    drop(read);
    let known = all.into_iter().find(|own| own.id == id);
    let size = known.and_then(|own| own.size);
    let found = tokio::fs::metadata(file).await;
    let found = found.ok().and_then(|own| i64::try_from(own.len()).ok());
    Ok(size.is_some() && size == found)
}

/// Does what is to be done with a database that is stopped for it.
pub(super) async fn work(
    paas: &Paas,
    engine: &dyn Runtime,
    database: &Database,
    task: &str,
) -> Result<bool> {
    engine.converge(Workload::gone(&database.id)).await?;
    let workload = database.workload(paas, &paas.0.settings)?;
    let saves = task.starts_with(SAVE);
    let id = task.strip_prefix(SAVE).or(task.strip_prefix(LOAD));
    let id = id.unwrap_or_default().to_owned();
    let file = paas.backup_file(&id);
    let done = match saves {
        true => {
            let folder = tokio::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&paas.0.backups)
                .await;
            match folder {
                Ok(()) => engine.save(workload, file).await?.map(Some),
                Err(error) => Err(format!("There is no folder for backups: {error}")),
            }
        }
        false => match whole(paas, database.number, &id, &file).await? {
            true => engine.load(workload, file).await?.map(|()| None),
            false => Err("The file of the backup is gone, or not whole".to_owned()),
        },
    };
    let number = database.number;
    let written = paas.db().write(move |tx| {
        Box::pin(async move {
            let message = done.as_ref().err().cloned();
            if saves {
                let sql = "UPDATE paas_backup SET status = $1, message = $2, size = $3 \
                           WHERE database = $4 AND id = $5";
                let status = if done.is_ok() { "succeeded" } else { "failed" };
                let size = done
                    .ok()
                    .flatten()
                    .and_then(|size| i64::try_from(size).ok());
                let values: [Value; 5] = [
                    status.into(),
                    message.clone().into(),
                    size.into(),
                    number.into(),
                    id.into(),
                ];
                execute(tx, sql, values).await?;
            }
            let sql = "UPDATE paas_database SET task = NULL, message = $1 WHERE number = $2";
            execute(tx, sql, [message.into(), number.into()]).await?;
            state::changed(tx).await
        })
    });
    written.await?;
    Ok(true)
}
