//! `apex crm import` and `apex crm undo`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::Format;
use crate::api::apex::crm::v1 as pb;
use crate::api::google::api::HttpBody;
use crate::cli::client::{Client, Target, Targeted};
use crate::cli::{Context, Failure, Outcome};
use pb::import_service_client::ImportServiceClient;

/// Bytes of a piece of a file.
const PIECE: usize = 256 * 1024;
/// How often it is asked how far an import got.
const PACE: Duration = Duration::from_millis(100);

/// What is to be imported.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) file: PathBuf,
    pub(super) organization: i64,
    pub(super) resource: String,
    pub(super) format: Option<Format>,
    pub(super) by: String,
    pub(super) keep: bool,
    pub(super) mapping: Vec<(String, Option<String>)>,
}

impl Asked {
    fn target(&self) -> Target {
        target(self.organization)
    }

    fn first(&self) -> pb::CreateImportRequest {
        let extension = self.file.extension().unwrap_or_default().to_string_lossy();
        let lines = matches!(extension.as_ref(), "ndjson" | "jsonl");
        let named = if lines { Format::Ndjson } else { Format::Csv };
        let mapping: BTreeMap<_, _> = self.mapping.iter().cloned().collect();
        let name = self.file.file_name().unwrap_or_default();
        pb::CreateImportRequest {
            resource: self.resource.clone(),
            format: self.format.unwrap_or(named).word(),
            name: name.to_string_lossy().into_owned(),
            by: self.by.clone(),
            keep: self.keep,
            mapping: (!mapping.is_empty()).then(|| json!(mapping).to_string()),
            file: None,
        }
    }
}

fn target(organization: i64) -> Target {
    Target {
        organization: Some(organization),
        project: None,
    }
}

/// Imports a file, and waits until that is done.
pub(super) async fn import(context: &Context, asked: Asked) -> Outcome {
    let cannot = |error| Failure::Failed(format!("cannot read {}: {error}", asked.file.display()));
    let size = std::fs::metadata(&asked.file).map_err(cannot)?.len();
    let mut client = connect(context).await?;
    let bar = bar(size, "{wide_bar} {bytes}/{total_bytes} sent");
    let sent = loop {
        match send(&client.targeted(asked.target()), &asked, &bar).await {
            Ok(import) => break import,
            Err(status) if passes(&status) && client.is_remote() => {
                bar.println(format!("interrupted ({}); sending again", status.message()));
                client.reconnect(context).await?;
            }
            Err(status) => return Err(status.into()),
        }
    };
    bar.finish_and_clear();
    let before = sent.processed_rows.unwrap_or_default();
    let known = sent.status.as_deref() == Some("done");
    let done = wait(context, &mut client, (asked.organization, sent)).await?;
    refused(context, &client, &asked.target(), done.id).await?;
    let [created, updated, unchanged, failed] = [
        done.created_count,
        done.updated_count,
        done.unchanged_count,
        done.failed_count,
    ]
    .map(Option::unwrap_or_default);
    let json = json!({
        "import": done.id, "rows": done.total_rows, "created": created, "updated": updated,
        "unchanged": unchanged, "failed": failed, "known": known,
    });
    context.output.result(&json, || {
        let told = format!(
            "import {}: created {created}, updated {updated}, unchanged {unchanged}, refused {failed}",
            done.id
        );
        match (known, before) {
            (true, _) => told + "; the file was imported before, and nothing again",
            (false, 0) => told,
            (false, rows) => format!("{told}; {rows} rows were imported before"),
        }
    });
    client.finish().await?;
    match failed {
        0 => Ok(()),
        1 => Err(Failure::Failed("a row was refused".to_owned())),
        rows => Err(Failure::Failed(format!("{rows} rows were refused"))),
    }
}

/// Undoes an import, and waits until that is done.
pub(super) async fn undo(context: &Context, organization: i64, id: i64) -> Outcome {
    let mut client = connect(context).await?;
    let mut service = ImportServiceClient::new(client.targeted(target(organization)));
    let begun = service
        .delete_import(pb::DeleteImportRequest { id })
        .await?;
    let begun = begun.into_inner().import.unwrap_or_default();
    let done = wait(context, &mut client, (organization, begun)).await?;
    let undone = done.undone_count.unwrap_or_default();
    let json = json!({"import": id, "undone": undone});
    let told = || format!("import {id} is undone: {undone} records");
    context.output.result(&json, told);
    client.finish().await
}

/// A way to the services; without a server, this process does the work.
async fn connect(context: &Context) -> Outcome<Client> {
    let client = Client::connect(context).await?;
    client.work();
    Ok(client)
}

fn passes(status: &tonic::Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal
    )
}

/// Sends the file.
async fn send(
    channel: &Targeted,
    asked: &Asked,
    bar: &ProgressBar,
) -> Result<pb::Import, tonic::Status> {
    let (sender, receiver) = mpsc::channel(4);
    let (first, file, bar) = (asked.first(), asked.file.clone(), bar.clone());
    bar.set_position(0);
    let reader = tokio::spawn(async move { pieces(first, &file, &sender, &bar).await });
    let mut service = ImportServiceClient::new(channel.clone());
    let answer = service.create_import(ReceiverStream::new(receiver)).await;
    let answer = answer?.into_inner();
    let read = reader.await;
    let failed = |error: String| tonic::Status::failed_precondition(error);
    read.map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(format!("cannot read: {error}")))?;
    answer
        .import
        .ok_or_else(|| failed("the server tells of no import".to_owned()))
}

async fn pieces(
    first: pb::CreateImportRequest,
    file: &Path,
    sender: &mpsc::Sender<pb::CreateImportRequest>,
    bar: &ProgressBar,
) -> std::io::Result<()> {
    let mut file = tokio::fs::File::open(file).await?;
    if sender.send(first).await.is_err() {
        return Ok(());
    }
    loop {
        let mut data = Vec::with_capacity(PIECE);
        let read = (&mut file)
            .take(PIECE as u64)
            .read_to_end(&mut data)
            .await?;
        if read == 0 {
            return Ok(());
        }
        bar.inc(read as u64);
        let piece = pb::CreateImportRequest {
            file: Some(HttpBody {
                data: Bytes::from(data),
                ..Default::default()
            }),
            ..Default::default()
        };
        if sender.send(piece).await.is_err() {
            return Ok(());
        }
    }
}

/// Waits until nothing is to be done for an import, wherever its server goes meanwhile.
async fn wait(
    context: &Context,
    client: &mut Client,
    (organization, mut import): (i64, pb::Import),
) -> Outcome<pb::Import> {
    let rows = import.total_rows.unwrap_or_default();
    let bar = bar(
        rows.unsigned_abs(),
        "{wide_bar} {pos}/{len} rows {per_sec} {eta}",
    );
    loop {
        bar.set_position(import.processed_rows.unwrap_or_default().unsigned_abs());
        if matches!(import.status.as_deref(), Some("done" | "undone")) {
            bar.finish_and_clear();
            return Ok(import);
        }
        tokio::time::sleep(PACE).await;
        let mut service = ImportServiceClient::new(client.targeted(target(organization)));
        let request = pb::GetImportRequest {
            id: import.id,
            ..Default::default()
        };
        match service.get_import(request).await {
            Ok(answer) => import = answer.into_inner().import.unwrap_or(import),
            Err(status) if passes(&status) && client.is_remote() => {
                client.reconnect(context).await?;
            }
            Err(status) => return Err(status.into()),
        }
    }
}

/// Tells which rows were refused.
async fn refused(context: &Context, client: &Client, target: &Target, id: i64) -> Outcome {
    let mut service = ImportServiceClient::new(client.targeted(target.clone()));
    let request = pb::ListImportRowsRequest { id, failed: true };
    let mut rows = service.list_import_rows(request).await?.into_inner();
    while let Some(row) = rows.message().await? {
        let why: Vec<&str> = row.errors.iter().map(|one| one.message.as_str()).collect();
        context
            .output
            .note(&format!("row {}: {}", row.row, why.join("; ")));
    }
    Ok(())
}

fn bar(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
