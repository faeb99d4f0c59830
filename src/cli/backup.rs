//! `apex backup` and `apex restore`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::client::Client;
use super::{Context, Failure, Outcome};
use crate::api::apex::operations::v1 as pb;
use crate::{db, owner};
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
        let Some(_owner) = owner::claim(&config.data_dir)? else {
            return Err(Failure::Failed("stop the server first".to_owned()));
        };
        let kept = db::restore(config, &self.file).await?;
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
