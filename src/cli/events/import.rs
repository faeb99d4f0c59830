//! `apex events import`.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::intake::Intake;
use super::lines::{self, BLANK};
use super::past::{self, Part};
use crate::cli::client::{Client, Target, Targeted};
use crate::cli::{Context, Failure, Outcome};

/// What an import did.
#[derive(Debug, Default)]
struct Tally {
    imported: i64,
    duplicates: i64,
    refused: i64,
    /// Lines that were taken in, but what became of each was lost with the
    /// connection.
    unreported: i64,
    /// Lines that imports before took in.
    before: Option<i64>,
    /// The last line something was said of, once there was a connection.
    reported_to: Option<i64>,
}

impl Tally {
    /// The server says that a part goes on after so many lines.
    fn goes_on(&mut self, start: i64) {
        self.before.get_or_insert(start);
        if let Some(reported_to) = self.reported_to {
            self.unreported += start - reported_to;
        }
        self.reported_to = Some(start);
    }

    fn told(&self) -> String {
        let Self {
            imported,
            duplicates,
            refused,
            unreported,
            ..
        } = self;
        let mut told =
            format!("imported {imported}, known already {duplicates}, refused {refused}");
        if *unreported > 0 {
            told += &format!("; {unreported} more lines were taken in while the server went away");
        }
        match self.before {
            None | Some(0) => {}
            before if before == self.reported_to => {
                told += "; the file was imported before, and has not changed";
            }
            Some(1) => told += "; its first line was imported before",
            Some(lines) => told += &format!("; its first {lines} lines were imported before"),
        }
        told
    }
}

/// Imports a file.
pub(super) async fn import<I: Intake>(context: &Context, file: &Path, project: String) -> Outcome {
    let from_stdin = file == Path::new("-");
    let bar = bar(file, from_stdin)?;
    let mut client = Client::connect(context).await?;
    let target = Target {
        organization: None,
        project: Some(project),
    };
    let mut run = Run {
        context,
        file,
        parts: from_stdin.then(|| [Part::of_stdin()].into()),
        bar,
        tally: Tally::default(),
    };
    loop {
        let channel = client.targeted(target.clone());
        match run.all::<I>(&channel).await {
            Ok(()) => break,
            Err(status) if resumable(&status) && client.is_remote() && !from_stdin => {
                let told = format!("interrupted ({}); resuming", status.message());
                run.bar.println(told);
                client.reconnect(context).await?;
            }
            Err(status) => return Err(status.into()),
        }
    }
    run.bar.finish_and_clear();
    let tally = run.tally;
    let json = json!({
        "imported": tally.imported, "duplicates": tally.duplicates, "refused": tally.refused,
        "unreported": tally.unreported, "lines_before": tally.before.unwrap_or(0),
    });
    context.output.result(&json, || tally.told());
    client.finish().await?;
    match tally.refused {
        0 => Ok(()),
        1 => Err(Failure::Failed("a line was refused".to_owned())),
        lines => Err(Failure::Failed(format!("{lines} lines were refused"))),
    }
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
    /// What is left to send, once it is known.
    parts: Option<VecDeque<Part>>,
    bar: ProgressBar,
    tally: Tally,
}

impl Run<'_> {
    /// Sends every part, one after the other.
    async fn all<I: Intake>(&mut self, channel: &Targeted) -> Result<(), tonic::Status> {
        let mut left = match self.parts.take() {
            Some(left) => left,
            None => past::parts::<I>(channel, self.file).await?.into(),
        };
        let mut sent = Ok(());
        while let Some(part) = left.front() {
            sent = self.part::<I>(channel, part).await;
            if sent.is_err() {
                break;
            }
            left.pop_front();
        }
        self.parts = Some(left);
        sent
    }

    /// Sends a part, from where the server says it got to.
    async fn part<I: Intake>(
        &mut self,
        channel: &Targeted,
        part: &Part,
    ) -> Result<(), tonic::Status> {
        let (sender, receiver) = mpsc::channel(4);
        let opening = I::step(part.stream.clone(), 0, Vec::new());
        let _ = sender.send(opening).await;
        let mut answers = I::open(channel.clone(), ReceiverStream::new(receiver)).await?;
        let first = answers.message().await?.map(I::told);
        let reached = first.map_or(0, |first| first.position);
        let start = reached.max(part.start);
        self.tally.goes_on(start);
        let (file, bytes, bar) = (self.file.to_owned(), part.bytes, self.bar.clone());
        let reader = tokio::task::spawn_blocking(move || {
            lines::send::<I>((&file, bytes), start, &sender, &bar)
        });
        let mut first_line = start;
        while let Some(answer) = answers.message().await?.map(I::told) {
            self.tally.imported += answer.received;
            self.tally.duplicates += answer.duplicates;
            for (index, why) in answer.refused.iter().filter(|(_, why)| why != BLANK) {
                self.tally.refused += 1;
                let line = first_line + index + 1;
                self.bar
                    .suspend(|| self.context.output.note(&format!("line {line}: {why}")));
            }
            first_line = answer.position;
            self.tally.reported_to = Some(answer.position);
        }
        let read = reader
            .await
            .map_err(|error| tonic::Status::failed_precondition(error.to_string()))?;
        read.map_err(|error| tonic::Status::failed_precondition(format!("cannot read: {error}")))
    }
}

fn bar(file: &Path, from_stdin: bool) -> Outcome<ProgressBar> {
    let bar = match from_stdin {
        true => ProgressBar::new_spinner(),
        false => {
            let found = std::fs::metadata(file);
            let cannot =
                |error| Failure::Failed(format!("cannot read {}: {error}", file.display()));
            ProgressBar::new(found.map_err(cannot)?.len())
        }
    };
    let style = match from_stdin {
        true => "{spinner} {bytes} {bytes_per_sec}",
        false => "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    };
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    Ok(bar)
}
