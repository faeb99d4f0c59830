//! Consistent copies of the embedded database while it is in use.

use std::fmt::Display;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _};

use crate::error::{Error, Kind, Result};

/// Copies the database at `source` to a new file and reads the copy back. Returns
/// its size in bytes. The file has its name only once it is whole.
pub(super) async fn copy(source: &Path, target: &Path) -> Result<u64> {
    if target.exists() {
        return Err(Error::exists(format!(
            "{} exists already",
            target.display()
        )));
    }
    let partial = Partial::new(with_suffix(target, ".partial"));
    let partial = partial.map_err(|error| cannot_write(target, &error))?;
    write(source, &partial, target).await
}

/// Says of the file that was asked for why it cannot be written.
fn cannot_write(target: &Path, why: &dyn Display) -> Error {
    Error::new(
        Kind::FailedPrecondition,
        format!("cannot write {}: {why}", target.display()),
    )
}

/// What SQLite says, once and without its number.
fn why(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(told) => told.message().to_owned(),
        None => error.to_string(),
    }
}

/// A copy that is being written. It is gone with whoever waited for it.
struct Partial {
    path: PathBuf,
    abandoned: Arc<AtomicBool>,
}

impl Partial {
    /// An empty file, readable by its owner alone.
    fn new(path: PathBuf) -> std::io::Result<Self> {
        // What a copy that was interrupted left behind.
        unlink(&path)?;
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let abandoned = Arc::default();
        Ok(Self { path, abandoned })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
        // One that is whole has another name by now.
        if let Err(error) = remove(&self.path) {
            tracing::warn!(cause = error.log_cause(), "cannot remove a partial copy");
        }
    }
}

async fn write(source: &Path, partial: &Partial, target: &Path) -> Result<u64> {
    let cannot = |error: sqlx::Error| cannot_write(target, &why(&error));
    let Partial { path, abandoned } = partial;
    let options = SqliteConnectOptions::new().filename(source).read_only(true);
    let mut connection = options
        .disable_statement_logging()
        .connect()
        .await
        .map_err(cannot)?;
    let abandoned = abandoned.clone();
    let mut handle = connection.lock_handle().await.map_err(cannot)?;
    // Dropping the future would not stop SQLite.
    handle.set_progress_handler(1000, move || !abandoned.load(Ordering::Relaxed));
    drop(handle);
    sqlx::query("VACUUM INTO ?")
        .bind(path.to_string_lossy().into_owned())
        .execute(&mut connection)
        .await
        .map_err(cannot)?;
    connection.close().await.map_err(cannot)?;
    forget_salts(path).await.map_err(cannot)?;
    check(path).await?;
    let (partial, target) = (path.clone(), target.to_owned());
    // Syncing a large file takes a while.
    let named = tokio::task::spawn_blocking(move || name(&partial, &target));
    named.await.map_err(Error::internal)?
}

/// The salts of visitors without an id are destroyed after their day; a copy lives
/// longer.
async fn forget_salts(copy: &Path) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(copy)
        .journal_mode(SqliteJournalMode::Memory)
        .pragma("secure_delete", "on");
    let mut connection = options.disable_statement_logging().connect().await?;
    let sql = "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = 'event_salt'";
    let tables: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
    if tables > 0 {
        let sql = "DELETE FROM event_salt";
        sqlx::query(sql).execute(&mut connection).await?;
    }
    connection.close().await
}

/// Gives a file that is whole its name, durably. Answers its size.
fn name(partial: &Path, target: &Path) -> Result<u64> {
    let named = || {
        let file = std::fs::File::open(partial)?;
        file.sync_all()?;
        std::fs::rename(partial, target)?;
        Ok(file.metadata()?.len())
    };
    let bytes = named().map_err(|error: std::io::Error| cannot_write(target, &error))?;
    sync_folder(target)?;
    Ok(bytes)
}

/// Makes durable which files the folder of a file holds.
pub(super) fn sync_folder(file: &Path) -> Result<()> {
    let folder = file.parent().filter(|own| !own.as_os_str().is_empty());
    let folder = std::fs::File::open(folder.unwrap_or(Path::new(".")));
    let synced = folder.and_then(|folder| folder.sync_all());
    synced.map_err(Error::internal)
}

/// Removes a database and what SQLite keeps beside it, as far as they are there.
pub(super) fn remove(database: &Path) -> Result<()> {
    unlink(database).map_err(Error::internal)
}

fn unlink(database: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        match std::fs::remove_file(with_suffix(database, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// The same path with more at its end.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Refuses a file that is not a whole database.
pub(super) async fn check(path: &Path) -> Result<()> {
    let broken = |why: &dyn Display| {
        Error::new(
            Kind::FailedPrecondition,
            format!("{} is no whole database: {why}", path.display()),
        )
    };
    let found = std::fs::metadata(path).map_err(|error| broken(&error))?;
    if !found.is_file() {
        return Err(broken(&"it is no file"));
    }
    let verdict = verdict(path).await.map_err(|error| broken(&why(&error)))?;
    match verdict.as_str() {
        "ok" => Ok(()),
        faults => Err(broken(&faults.replace('\n', " "))),
    }
}

async fn verdict(path: &Path) -> Result<String, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = options.disable_statement_logging().connect().await?;
    let verdict = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    Ok(verdict)
}

#[cfg(test)]
mod tests;
