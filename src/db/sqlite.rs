//! The embedded database: one file in WAL mode, made durable by
//! `synchronous=FULL`, with one writer and a few readers.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement, sqlx,
};

use super::backup::with_suffix;
use super::read::{Alarm, Readers};
use super::witness::{Witness, Witnessed};
use super::writer::Writer;
use crate::config::Config;
use crate::error::{Error, Result};

/// How many virtual machine steps pass between two looks at the clock.
const STEPS_PER_LOOK: i32 = 1000;

/// Rows a connection may be ahead of who reads them. Where the library's few are full,
/// its thread and the reader's take turns row by row.
const AHEAD: usize = 1 << 10;

/// Pages the log has before they are written back into the file, once each: the more of
/// them at a time, the more often one page was written meanwhile. 16 MiB.
const AT_A_TIME: &str = "4096";

/// How long the connection for migrations stays open unused.
const ADMIN_IDLE: Duration = Duration::from_secs(5);

/// The file a URL names, or the one in the data directory.
pub(super) fn path(url: &str, config: &Config) -> PathBuf {
    let named = url.strip_prefix("sqlite://").unwrap_or_default();
    match named.split('?').next() {
        None | Some("") => config.sqlite_path(),
        Some(path) => PathBuf::from(path),
    }
}

fn options(path: &Path, config: &Config) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(config.database.busy_timeout.0)
        .foreign_keys(true)
        .statement_cache_capacity(64)
        .row_buffer_size(AHEAD)
        .pragma("temp_store", "memory")
        .pragma("journal_size_limit", "67108864")
}

fn one() -> SqlitePoolOptions {
    PoolOptions::new()
        .max_connections(1)
        .min_connections(0)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Makes the file, if there is none, and a connection to migrate it with.
pub(super) async fn admin(path: &Path, config: &Config) -> Result<DatabaseConnection> {
    keep_private(path).map_err(|error| cannot_open(path, error))?;
    let options = options(path, config);
    let options = sqlx::ConnectOptions::disable_statement_logging(options);
    // It is not needed for long.
    let pool = one().idle_timeout(ADMIN_IDLE).connect_with(options).await;
    Ok(pool.map_err(|error| cannot_open(path, error))?.into())
}

/// Makes the file, if there is none, and has nobody but its owner read it. SQLite
/// gives what it keeps beside the file the same permissions.
fn keep_private(path: &Path) -> std::io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    for suffix in ["", "-wal", "-shm"] {
        let own = with_suffix(path, suffix);
        let Ok(found) = std::fs::metadata(&own) else {
            continue;
        };
        // Somebody else's file, which this process may use, stays as it is.
        if found.permissions().mode() & 0o077 != 0
            && let Err(error) = std::fs::set_permissions(&own, Permissions::from_mode(0o600))
        {
            let path = own.display().to_string();
            tracing::warn!(path, cause = %error, "cannot make the file private");
        }
    }
    Ok(())
}

fn cannot_open(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::unavailable(format!("cannot open {}", path.display())).caused_by(error)
}

/// How to open the one connection that writes, also again.
#[derive(Debug)]
pub(super) struct Opener(SqliteConnectOptions);

impl Opener {
    pub(super) fn new(path: &Path, config: &Config) -> Self {
        // What is deleted is overwritten, pages that are freed included: what somebody has
        // erased later may lie on one already.
        let options = options(path, config)
            .pragma("cache_size", "-16384")
            .pragma("wal_autocheckpoint", AT_A_TIME)
            .pragma("secure_delete", "on");
        Self(sqlx::ConnectOptions::disable_statement_logging(options))
    }

    /// A database of a test's own.
    #[cfg(test)]
    pub(super) fn of_file(path: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(path);
        let options = options.journal_mode(SqliteJournalMode::Wal);
        Self(options.create_if_missing(true).foreign_keys(true))
    }

    /// Opens a connection, with somebody who watches it.
    pub(super) async fn open(&self) -> std::result::Result<Witnessed, DbErr> {
        let witness = Witness::default();
        let own = witness.clone();
        let pool = one()
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let own = own.clone();
                Box::pin(async move { own.attach(connection).await })
            })
            .connect_with(self.0.clone())
            .await
            .map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))))?;
        Ok(Witnessed::new(pool.into(), witness))
    }
}

/// The one connection that writes, and how to open it again.
pub(super) async fn writer(path: &Path, config: &Config) -> Result<Writer> {
    let opener = Opener::new(path, config);
    let open = opener.open().await;
    let open = open.map_err(|error| cannot_open(path, error))?;
    Writer::grouped(opener, open).map_err(Error::internal)
}

/// Writes the log back into the file and empties it. Says whether it could. Writers
/// wait meanwhile, so it does not wait for readers.
pub(super) async fn write_back(admin: &DatabaseConnection) -> Result<bool> {
    let run = |sql| admin.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql));
    run("PRAGMA busy_timeout = 100").await?;
    let row = run("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    let busy: i64 = match row {
        Some(row) => row.try_get_by_index(0)?,
        None => 0,
    };
    Ok(busy == 0)
}

/// The connections that read. Each has an alarm that ends its statement when the
/// caller's deadline passes: dropping the future would not stop SQLite.
pub(super) fn readers(path: &Path, config: &Config) -> Readers {
    let readers = (0..Readers::wanted(config.database.readers)).map(|_| {
        let alarm = Alarm::default();
        let bell = alarm.clone();
        let options = options(path, config).pragma("query_only", "on");
        let options = sqlx::ConnectOptions::disable_statement_logging(options);
        let pool = one()
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let bell = bell.clone();
                Box::pin(async move {
                    let mut handle = connection.lock_handle().await?;
                    handle.set_progress_handler(STEPS_PER_LOOK, move || {
                        !bell.is_past(Instant::now())
                    });
                    Ok(())
                })
            })
            .connect_lazy_with(options);
        (pool.into(), alarm)
    });
    Readers::own(readers.collect())
}
