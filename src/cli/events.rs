//! `apex events import` and `apex events export`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use prost::Message as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::client::{Client, Target};
use super::{Context, Failure, Outcome};
use crate::api::SCHEMA;
use crate::api::apex::metrics::v1 as pb;
use crate::policy::Profile;
use crate::transcode::json::{Rules, decode, encode};
use pb::metrics_service_client::MetricsServiceClient;

/// Lines per message, and so per commit.
const BATCH: usize = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum Events {
    /// Import events, one JSON object per line; a second run imports nothing twice
    Import {
        /// File to read, or - for standard input
        file: PathBuf,
        /// Project to import into, by id or key
        #[arg(long)]
        project: String,
        /// What the lines look like
        #[arg(long, value_enum, default_value = "metrics")]
        format: Format,
    },
    /// Export events, one JSON object per line, in the order they happened
    Export {
        /// Project to export, by id or key
        #[arg(long)]
        project: String,
        /// Only events at or after this time, as 2024-01-01T00:00:00Z
        #[arg(long)]
        from: Option<jiff::Timestamp>,
        /// Only events before this time
        #[arg(long)]
        to: Option<jiff::Timestamp>,
    },
}

/// What lines of a file look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Events and purchases as the metrics product takes them
    Metrics,
}

impl Events {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Import {
                file,
                project,
                format: Format::Metrics,
            } => import(context, &file, project).await,
            Self::Export { project, from, to } => export(context, project, from, to).await,
        }
    }
}

/// What an import did.
#[derive(Debug, Default)]
struct Tally {
    imported: i64,
    duplicates: i64,
    refused: i64,
    /// Lines that were taken in, but what became of each was lost with the
    /// connection.
    unreported: i64,
    /// The last line something was said of, once there was a connection.
    reported_to: Option<i64>,
}

async fn import(context: &Context, file: &Path, project: String) -> Outcome {
    let mut client = Client::connect(context).await?;
    let target = Target {
        organization: None,
        project: Some(project),
    };
    let from_stdin = file == Path::new("-");
    // The digest names the stream: the server remembers how far a file got.
    let stream = if from_stdin {
        String::new()
    } else {
        digest(file)?
    };
    let bar = bar(file, from_stdin)?;
    let mut tally = Tally::default();
    loop {
        let mut service = MetricsServiceClient::new(client.targeted(target.clone()));
        let run = Run {
            context,
            file,
            stream: &stream,
            bar: &bar,
        };
        match run.go(&mut service, &mut tally).await {
            Ok(()) => break,
            Err(status) if resumable(&status) && client.is_remote() && !from_stdin => {
                bar.println(format!("interrupted ({}); resuming", status.message()));
                client.reconnect(context).await?;
            }
            Err(status) => return Err(status.into()),
        }
    }
    bar.finish_and_clear();
    let Tally {
        imported,
        duplicates,
        refused,
        unreported,
        reported_to: _,
    } = tally;
    let json = json!({
        "imported": imported, "duplicates": duplicates, "refused": refused,
        "unreported": unreported,
    });
    context.output.result(&json, || {
        let told = format!("imported {imported}, known already {duplicates}, refused {refused}");
        match unreported {
            0 => told,
            lines => format!("{told}; {lines} more lines were taken in while the server went away"),
        }
    });
    client.finish().await
}

fn resumable(status: &tonic::Status) -> bool {
    matches!(
        status.code(),
        // Aborted: somebody else imports the same file at the same time.
        Code::Aborted | Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal
    )
}

struct Run<'a> {
    context: &'a Context,
    file: &'a Path,
    stream: &'a str,
    bar: &'a ProgressBar,
}

impl Run<'_> {
    /// Sends the file, from where the server says it got to.
    async fn go(
        &self,
        service: &mut MetricsServiceClient<super::client::Targeted>,
        tally: &mut Tally,
    ) -> Result<(), tonic::Status> {
        let (sender, receiver) = mpsc::channel(4);
        let opening = pb::IngestEventsRequest {
            stream: self.stream.to_owned(),
            ..Default::default()
        };
        let _ = sender.send(opening).await;
        let answers = service.ingest_events(ReceiverStream::new(receiver)).await?;
        let mut answers = answers.into_inner();
        let start = answers.message().await?.map_or(0, |answer| answer.position);
        if let Some(reported_to) = tally.reported_to {
            tally.unreported += start - reported_to;
        }
        tally.reported_to = Some(start);
        let file = self.file.to_owned();
        let bar = self.bar.clone();
        let reader = tokio::task::spawn_blocking(move || send(&file, start, &sender, &bar));
        let mut first_line = start;
        while let Some(answer) = answers.message().await? {
            tally.imported += answer.received;
            tally.duplicates += answer.duplicates;
            tally.refused += answer.errors.len() as i64;
            for refused in &answer.errors {
                let line = first_line + refused.index + 1;
                let why = refused.error();
                self.bar
                    .suspend(|| self.context.output.note(&format!("line {line}: {why}")));
            }
            first_line = answer.position;
            tally.reported_to = Some(answer.position);
        }
        let read = reader
            .await
            .map_err(|error| tonic::Status::failed_precondition(error.to_string()))?;
        read.map_err(|error| tonic::Status::failed_precondition(format!("cannot read: {error}")))
    }
}

/// Reads lines and sends them in batches. A line is an item, also an empty one:
/// lines are how positions are counted.
fn send(
    file: &Path,
    start: i64,
    sender: &mpsc::Sender<pb::IngestEventsRequest>,
    bar: &ProgressBar,
) -> std::io::Result<()> {
    let mut reader: Box<dyn BufRead> = match file == Path::new("-") {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(BufReader::with_capacity(1 << 20, File::open(file)?)),
    };
    let mut line = Vec::new();
    let mut number = 0;
    let mut batch = Vec::with_capacity(BATCH);
    bar.set_position(0);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if read > 0 {
            number += 1;
            if number > start {
                batch.push(item(&line));
            } else {
                bar.inc(read as u64);
                continue;
            }
            bar.inc(read as u64);
        }
        if batch.len() == BATCH || (read == 0 && !batch.is_empty()) {
            let message = pb::IngestEventsRequest {
                position: number,
                events: std::mem::take(&mut batch),
                ..Default::default()
            };
            if sender.blocking_send(message).is_err() {
                return Ok(());
            }
        }
        if read == 0 {
            return Ok(());
        }
    }
}

/// The item of a line. One that cannot be read says so itself.
fn item(line: &[u8]) -> pb::EventItem {
    let refused = |why: String| pb::EventItem {
        parse_error: why,
        ..Default::default()
    };
    let text = match std::str::from_utf8(line) {
        Ok(text) if text.trim().is_empty() => return refused("the line is empty".to_owned()),
        Ok(text) => text,
        Err(_) => return refused("the line is not UTF-8".to_owned()),
    };
    let Some(id) = SCHEMA.find("apex.metrics.v1.EventItem") else {
        return refused("the item's type is not known".to_owned());
    };
    let mut wire = Vec::with_capacity(text.len());
    match decode::message(&SCHEMA, Rules::of(Profile::Lenient), id, text, &mut wire) {
        Ok(()) => pb::EventItem::decode(wire.as_slice()).unwrap_or_else(|e| refused(e.to_string())),
        Err(fault) => refused(fault.to_string().replace("The body", "The line")),
    }
}

fn digest(file: &Path) -> Outcome<String> {
    let mut reader = File::open(file)
        .map_err(|error| Failure::Failed(format!("cannot read {}: {error}", file.display())))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
    }
    let hex: String = hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(format!("import:{hex}"))
}

fn bar(file: &Path, from_stdin: bool) -> Outcome<ProgressBar> {
    let length = match from_stdin {
        true => None,
        false => Some(std::fs::metadata(file)?.len()),
    };
    let bar = match length {
        Some(length) => ProgressBar::new(length),
        None => ProgressBar::new_spinner(),
    };
    let style = "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    let style = if from_stdin {
        "{spinner} {bytes} {bytes_per_sec}"
    } else {
        style
    };
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    Ok(bar)
}

async fn export(
    context: &Context,
    project: String,
    from: Option<jiff::Timestamp>,
    to: Option<jiff::Timestamp>,
) -> Outcome {
    let client = Client::connect(context).await?;
    let target = Target {
        organization: None,
        project: Some(project),
    };
    let time = |at: jiff::Timestamp| crate::products::timestamp(at.as_microsecond());
    let request = pb::ExportEventsRequest {
        from: from.map(time),
        to: to.map(time),
    };
    let mut service = MetricsServiceClient::new(client.targeted(target));
    let mut pages = service.export_events(request).await?.into_inner();
    let rules = Rules::of(Profile::Lenient);
    let id = SCHEMA.find("apex.metrics.v1.StoredEvent");
    while let Some(page) = pages.message().await? {
        for mut event in page.events {
            // The id by which an import knows it again, and a client that repeats it.
            if let Some(own) = event.client_id.take() {
                event.event_id = own;
            }
            let mut line = Vec::new();
            if let Some(id) = id {
                let written =
                    encode::message(&SCHEMA, rules, id, &event.encode_to_vec(), &mut line);
                written.map_err(|error| Failure::Failed(error.to_string()))?;
            }
            // Properties are kept as they were sent. What ends a line in them is never
            // inside of a string.
            let line = String::from_utf8_lossy(&line).replace(['\n', '\r'], " ");
            context.output.line(&line);
        }
    }
    client.finish().await
}
