//! `apex backup` and `apex restore`.

use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::client::Client;
use super::{Context, Failure, Outcome};
use crate::api::apex::operations::v1 as pb;
use crate::db::{Db, backup, migrate};
use crate::owner;
use pb::admin_service_client::AdminServiceClient;

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// File to write; it must not exist yet
    file: PathBuf,
}

impl Backup {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let path = std::path::absolute(&self.file)?;
        let client = Client::connect(context).await?;
        let request = pb::BackupRequest {
            path: path.display().to_string(),
        };
        let done = AdminServiceClient::new(client.channel())
            .backup(request)
            .await?
            .into_inner();
        let json = json!({"file": path, "bytes": done.bytes});
        context.output.result(&json, || {
            format!(
                "wrote {} ({} bytes); keep {} as well: it opens what is sealed inside",
                path.display(),
                done.bytes,
                context.config.data_dir.join("secret.key").display()
            )
        });
        client.finish().await
    }
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// File that `apex backup` wrote
    file: PathBuf,
}

impl Restore {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let config = &context.config;
        if config.database_url.expose_secret().starts_with("postgres") {
            return Err(Failure::Failed(
                "restore PostgreSQL with its own pg_restore".to_owned(),
            ));
        }
        let Some(_owner) = owner::claim(&config.data_dir)? else {
            return Err(Failure::Failed("stop the server first".to_owned()));
        };
        backup::check(&self.file).await?;
        let target = config.sqlite_path();
        let fresh = target.with_extension("restoring");
        std::fs::copy(&self.file, &fresh)?;
        std::fs::File::open(&fresh)?.sync_all()?;
        let kept = set_aside(&target)?;
        std::fs::rename(&fresh, &target)?;
        std::fs::File::open(&config.data_dir)?.sync_all()?;
        // A copy of a newer version is refused, and what was there comes back.
        let opened = async {
            let db = Db::open(config).await?;
            migrate::up(&db).await
        };
        if let Err(error) = opened.await {
            remove(&target)?;
            if let Some(kept) = kept {
                std::fs::rename(kept, &target)?;
            }
            return Err(error.into());
        }
        let json = json!({"file": self.file, "kept": kept});
        context.output.result(&json, || match &kept {
            Some(kept) => format!(
                "restored; the database before is kept as {}",
                kept.display()
            ),
            None => "restored".to_owned(),
        });
        Ok(())
    }
}

/// Keeps a database that is there, out of the way.
fn set_aside(target: &Path) -> Outcome<Option<PathBuf>> {
    if !target.exists() {
        return Ok(None);
    }
    let now = jiff::Timestamp::now()
        .strftime("%Y%m%dT%H%M%S%3f")
        .to_string();
    let kept = target.with_extension(format!("before-{now}.db"));
    // Its WAL is part of it and keeps its name beside it.
    for suffix in ["-wal", "-shm"] {
        let (from, to) = (with_suffix(target, suffix), with_suffix(&kept, suffix));
        if from.exists() {
            std::fs::rename(from, to)?;
        }
    }
    std::fs::rename(target, &kept)?;
    Ok(Some(kept))
}

fn remove(target: &Path) -> Outcome {
    for suffix in ["", "-wal", "-shm"] {
        match std::fs::remove_file(with_suffix(target, suffix)) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
