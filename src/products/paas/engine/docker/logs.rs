//! What containers write: of all containers of a workload together. What is followed goes
//! on with those that come later.

use std::collections::HashSet;
use std::pin::Pin;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::super::{LogLine, LogQuery};
use super::{Container, Docker, trouble};
use crate::clock::MICROS;
use crate::error::Result;
use crate::server::Replies;

/// How often it is looked for containers that came later.
const LOOK: Duration = Duration::from_secs(1);
/// Lines on their way to who reads them.
const QUEUE: usize = 256;
/// Most bytes of a line that are shown.
const MAX_LINE: usize = 16 * 1024;
/// Most bytes of lines in an answer.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

type Lines = Pin<Box<dyn Stream<Item = Result<LogLine>> + Send>>;

impl Docker {
    /// What the containers of a workload write.
    pub(super) async fn lines(&self, id: String, wanted: LogQuery) -> Result<Replies<LogLine>> {
        let containers = self.containers(Some(&id)).await?;
        if !wanted.follow {
            let mut lines = Vec::new();
            for container in &containers {
                let mut own = self.lines_of(container, wanted);
                while let Some(line) = own.next().await {
                    lines.push(line?);
                }
                lines = newest(lines);
            }
            return Ok(Box::pin(stream::iter(lines.into_iter().map(Ok))));
        }
        let (send, receive) = mpsc::channel(QUEUE);
        tokio::spawn(self.clone().follow(id, wanted, send));
        Ok(Box::pin(ReceiverStream::new(receive)))
    }

    /// Reads all containers of a workload, and those that come later from their beginning,
    /// until nobody listens.
    async fn follow(
        self,
        id: String,
        wanted: LogQuery,
        send: mpsc::Sender<Result<LogLine, Status>>,
    ) {
        let mut known: HashSet<String> = HashSet::new();
        let mut readers = JoinSet::new();
        let mut query = wanted;
        loop {
            // An engine that does not answer now may do so the next time.
            for container in self.containers(Some(&id)).await.unwrap_or_default() {
                if !known.insert(container.id.clone()) {
                    continue;
                }
                let (own, send) = (self.clone(), send.clone());
                readers.spawn(async move {
                    let mut lines = own.lines_of(&container, query);
                    while let Some(Ok(line)) = lines.next().await {
                        if send.send(Ok(line)).await.is_err() {
                            return;
                        }
                    }
                });
            }
            query = LogQuery {
                tail: u32::MAX,
                ..wanted
            };
            while readers.try_join_next().is_some() {}
            tokio::select! {
                () = send.closed() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    fn lines_of(&self, container: &Container, wanted: LogQuery) -> Lines {
        let since = wanted.since.map_or(0, |at| at.div_euclid(MICROS));
        let options = LogsOptions {
            follow: wanted.follow,
            stdout: true,
            stderr: true,
            timestamps: true,
            since: i32::try_from(since).unwrap_or_default(),
            tail: match wanted.tail {
                u32::MAX => "all".to_owned(),
                tail => tail.to_string(),
            },
            ..Default::default()
        };
        let replica = container.replica.to_string();
        let from = wanted.since.unwrap_or(i64::MIN);
        let lines = self.api.logs(&container.id, Some(options));
        let lines = lines.filter_map(move |piece| {
            let line = match piece {
                Ok(piece) => line(&piece, &replica).map(Ok),
                // It was removed meanwhile, and its lines with it.
                Err(error) if super::status(&error) == Some(404) => None,
                Err(error) => Some(Err(trouble(error))),
            };
            // Engines know seconds only.
            let wanted = line.filter(|line| line.as_ref().map_or(true, |own| own.at >= from));
            std::future::ready(wanted)
        });
        Box::pin(lines)
    }
}

/// The newest of some lines, in order of time, as many as an answer has room for.
fn newest(mut lines: Vec<LogLine>) -> Vec<LogLine> {
    lines.sort_by_key(|line| line.at);
    let mut size = 0;
    let fits = |line: &&LogLine| {
        size += line.text.len() + 100;
        size <= MAX_ANSWER
    };
    let count = lines.iter().rev().take_while(fits).count();
    lines.drain(..lines.len() - count);
    lines
}

/// A line of an engine's log: a time, a space, and what was written.
fn line(piece: &LogOutput, replica: &str) -> Option<LogLine> {
    let (bytes, is_error) = match piece {
        LogOutput::StdErr { message } => (message, true),
        LogOutput::StdOut { message }
        | LogOutput::StdIn { message }
        | LogOutput::Console { message } => (message, false),
    };
    let text = String::from_utf8_lossy(bytes);
    let (time, text) = text.split_once(' ').unwrap_or((&text, ""));
    let at: jiff::Timestamp = time.trim().parse().ok()?;
    let text = text.trim_end_matches(['\r', '\n']);
    let mut end = text.len().min(MAX_LINE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Some(LogLine {
        at: at.as_microsecond(),
        replica: replica.to_owned(),
        is_error,
        text: text[..end].to_owned(),
    })
}
