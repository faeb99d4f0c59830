//! Consistent copies of the embedded database while it is in use.

use std::path::Path;

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, Row as _};

use crate::error::{Error, Kind, Result};

/// Copies the database at `source` to a new file and reads the copy back. Returns
/// its size in bytes.
pub(super) async fn copy(source: &Path, target: &Path) -> Result<u64> {
    if target.exists() {
        return Err(Error::exists(format!(
            "{} exists already",
            target.display()
        )));
    }
    let written = write(source, target).await;
    if written.is_err() {
        // A half copy would look like a whole one.
        let _ = std::fs::remove_file(target);
    }
    written
}

async fn write(source: &Path, target: &Path) -> Result<u64> {
    let cannot = |error: sqlx::Error| {
        Error::new(
            Kind::FailedPrecondition,
            format!("cannot write {}", target.display()),
        )
        .caused_by(error)
    };
    let options = SqliteConnectOptions::new().filename(source);
    let mut connection = options
        .disable_statement_logging()
        .connect()
        .await
        .map_err(cannot)?;
    let path = target.to_string_lossy().into_owned();
    sqlx::query("VACUUM INTO ?")
        .bind(path)
        .execute(&mut connection)
        .await
        .map_err(cannot)?;
    connection.close().await.map_err(cannot)?;
    check(target).await?;
    let file = tokio::fs::File::open(target)
        .await
        .map_err(Error::internal)?;
    file.sync_all().await.map_err(Error::internal)?;
    if let Some(folder) = target
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        let folder = tokio::fs::File::open(folder)
            .await
            .map_err(Error::internal)?;
        folder.sync_all().await.map_err(Error::internal)?;
    }
    Ok(file.metadata().await.map_err(Error::internal)?.len())
}

/// Refuses a file that is not a whole database.
pub async fn check(path: &Path) -> Result<()> {
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
