//! Puts a copy in place of the embedded database. At every moment there is one
//! whole database under its name: the copy is brought up to this version beside
//! it, and takes its place in one step.

use std::path::{Path, PathBuf};

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _};

use super::backup::{check, copy, remove, sync_folder, with_suffix};
use super::{Db, migrate, sqlite};
use crate::config::Config;
use crate::error::{Error, Kind, Result};

/// Restores the copy at `source`. Answers under which name the database that was
/// there is kept. Only whoever owns the data directory may do this.
pub async fn restore(config: &Config, source: &Path) -> Result<Option<PathBuf>> {
    use secrecy::ExposeSecret as _;
    let url = config.database_url.expose_secret();
    if url.starts_with("postgres") {
        return Err(Error::new(
            Kind::FailedPrecondition,
            "restore PostgreSQL with its own pg_restore",
        ));
    }
    let target = sqlite::path(url, config);
    check(source).await?;
    refuse_foreign(source).await?;
    let fresh = with_suffix(&target, ".restoring");
    let prepared = prepare(config, source, &fresh).await;
    if let Err(error) = prepared {
        remove(&fresh)?;
        return Err(error);
    }
    let kept = set_aside(&target).await?;
    std::fs::rename(&fresh, &target).map_err(Error::internal)?;
    sync_folder(&target)?;
    Ok(kept)
}

/// Refuses a database of something else, such as an empty file: it would become one
/// without any data.
async fn refuse_foreign(source: &Path) -> Result<()> {
    let options = SqliteConnectOptions::new().filename(source).read_only(true);
    let count = async {
        let mut connection = options.disable_statement_logging().connect().await?;
        let sql = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'migration_core'";
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(count)
    };
    match count.await.map_err(Error::internal)? {
        0 => Err(Error::new(
            Kind::FailedPrecondition,
            format!("{} is no copy that `apex backup` made", source.display()),
        )),
        _ => Ok(()),
    }
}

/// Copies the source, with what is in its WAL alone, and migrates the copy. One of
/// a later version is refused.
async fn prepare(config: &Config, source: &Path, fresh: &Path) -> Result<()> {
    remove(fresh)?;
    copy(source, fresh).await?;
    let mut own = config.clone();
    own.database_url = format!("sqlite://{}", fresh.display()).into();
    let db = Db::open(&own).await?;
    let migrated = migrate::up(&db).await;
    // Closing writes the WAL back, so that the file is all there is.
    db.close().await?;
    migrated
}

/// The name under which a database is kept before it is replaced or loses data.
pub(super) fn kept_as(database: &Path) -> PathBuf {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%3f");
    database.with_extension(format!("before-{now}.db"))
}

/// Keeps the database that is there under another name as well.
async fn set_aside(target: &Path) -> Result<Option<PathBuf>> {
    let wal = with_suffix(target, "-wal");
    if !target.exists() && !wal.exists() {
        return Ok(None);
    }
    let kept = kept_as(target);
    if target.exists()
        && write_back(target).await.is_ok()
        && std::fs::hard_link(target, &kept).is_ok()
    {
        return Ok(Some(kept));
    }
    // It cannot be opened, which may be why it is replaced, or the file system has
    // no links: every part of it moves.
    for suffix in ["-wal", "-shm", ""] {
        let (from, to) = (with_suffix(target, suffix), with_suffix(&kept, suffix));
        if from.exists() {
            std::fs::rename(from, to).map_err(Error::internal)?;
        }
    }
    Ok(Some(kept))
}

/// Writes the WAL back into the database, so that the file is all there is.
async fn write_back(database: &Path) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(database);
    let mut connection = options.disable_statement_logging().connect().await?;
    let busy: i64 = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    let wal = std::fs::metadata(with_suffix(database, "-wal"));
    match busy == 0 && wal.map_or(0, |wal| wal.len()) == 0 {
        true => Ok(()),
        false => Err(sqlx::Error::WorkerCrashed),
    }
}
