//! The embedded database: one file in WAL mode, made durable by
//! `synchronous=FULL`, with one writer and a few readers.

use std::path::{Path, PathBuf};
use std::time::Instant;

use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::{DatabaseConnection, sqlx};

use super::read::{Alarm, Readers};
use crate::config::Config;
use crate::error::{Error, Result};

/// How many virtual machine steps pass between two looks at the clock.
const STEPS_PER_LOOK: i32 = 1000;

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

/// The one connection that writes.
pub(super) async fn writer(path: &Path, config: &Config) -> Result<DatabaseConnection> {
    let options = options(path, config)
        .create_if_missing(true)
        .pragma("cache_size", "-16384");
    let options = sqlx::ConnectOptions::disable_statement_logging(options);
    let pool = one().test_before_acquire(false).connect_with(options).await;
    let pool = pool.map_err(|error| {
        Error::unavailable(format!("cannot open {}", path.display())).caused_by(error)
    })?;
    Ok(pool.into())
}

/// The connections that read. Each has an alarm that ends its statement when the
/// caller's deadline passes: dropping the future would not stop SQLite.
pub(super) fn readers(path: &Path, config: &Config) -> Readers {
    let readers = (0..config.database.readers.max(1)).map(|_| {
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
