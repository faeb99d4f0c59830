//! Consistent copies of the embedded database while it is in use.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, Row as _};

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
    let partial = Partial::new(with_suffix(target, ".partial"))?;
    write(source, &partial, target).await
}

/// A copy that is being written. It is gone with whoever waited for it.
struct Partial {
    path: PathBuf,
    abandoned: Arc<AtomicBool>,
}

impl Partial {
    /// An empty file, readable by its owner alone.
    fn new(path: PathBuf) -> Result<Self> {
        // What a copy that was interrupted left behind.
        remove(&path)?;
        let made = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        made.map_err(|error| {
            Error::new(
                Kind::FailedPrecondition,
                format!("cannot write {}", path.display()),
            )
            .caused_by(error)
        })?;
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
    let cannot = |error: sqlx::Error| {
        Error::new(
            Kind::FailedPrecondition,
            format!("cannot write {}", target.display()),
        )
        .caused_by(error)
    };
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
    let file = std::fs::File::open(partial).map_err(Error::internal)?;
    file.sync_all().map_err(Error::internal)?;
    std::fs::rename(partial, target).map_err(Error::internal)?;
    sync_folder(target)?;
    Ok(file.metadata().map_err(Error::internal)?.len())
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
    for suffix in ["", "-wal", "-shm", "-journal"] {
        match std::fs::remove_file(with_suffix(database, suffix)) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::internal(error)),
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
    let broken = || {
        Error::new(
            Kind::FailedPrecondition,
            format!("{} is no whole database", path.display()),
        )
    };
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let connected = options.disable_statement_logging().connect().await;
    let mut connection = connected.map_err(|error| broken().caused_by(error))?;
    let row = sqlx::query("PRAGMA integrity_check")
        .fetch_one(&mut connection)
        .await;
    let verdict: String = row
        .and_then(|row| row.try_get(0))
        .map_err(|error| broken().caused_by(error))?;
    connection
        .close()
        .await
        .map_err(|error| broken().caused_by(error))?;
    match verdict.as_str() {
        "ok" => Ok(()),
        _ => Err(broken().caused_by(verdict)),
    }
}

#[cfg(test)]
mod tests;
