//! What earlier imports took in of a file.
//!
//! A file's stream is named by the digest of the file, and how far it got is kept
//! with its events. To find the streams of a file as it was before it grew, the
//! lengths it had are kept as well, before anything of it is sent: in streams that
//! have no events, named by the file's first line and numbered.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::intake::Intake;
use crate::cli::client::Targeted;

/// A part of a file that is fed into a stream of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Name of the stream; without one the server remembers nothing.
    pub(super) stream: String,
    /// How many bytes of the file it is.
    pub(super) bytes: u64,
    /// Lines before are in other streams.
    pub(super) start: i64,
}

impl Part {
    /// All of standard input.
    pub(super) fn of_stdin() -> Self {
        Self {
            stream: String::new(),
            bytes: u64::MAX,
            start: 0,
        }
    }
}

/// A file as it was when it had a length, as far as its lines are the same now: the
/// last one may have been written only in part.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    stream: String,
    bytes: u64,
    lines: i64,
}

/// What is to be sent of a file: first what an import of the file as it was left
/// out, if it was stopped, and then the rest of what there is now.
pub(super) async fn parts<I: Intake>(channel: &Targeted, file: &Path) -> Result<Vec<Part>, Status> {
    let Some((family, bytes)) = read(file, first_line).await? else {
        return Ok(Vec::new());
    };
    let lengths = lengths::<I>(channel, &family, bytes).await?;
    let mut versions = read(file, move |file| versions(file, &lengths)).await?;
    let Some(whole) = versions.pop() else {
        return Ok(Vec::new());
    };
    let mut parts = Vec::new();
    let mut start = 0;
    // Once the file itself was begun, what came before it was finished.
    if position::<I>(channel, &whole.stream).await? == 0 {
        // So it is with all versions: the longest tells of the others.
        while let Some(version) = versions.pop() {
            let reached = position::<I>(channel, &version.stream).await?;
            if reached == 0 {
                continue;
            }
            start = version.lines;
            if reached < version.lines {
                parts.push(Part {
                    stream: version.stream,
                    bytes: version.bytes,
                    start: 0,
                });
            }
            break;
        }
    }
    parts.push(Part {
        stream: whole.stream,
        bytes: whole.bytes,
        start,
    });
    Ok(parts)
}

/// Reads a file where nobody waits for it.
async fn read<T: Send + 'static>(
    file: &Path,
    how: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
) -> Result<T, Status> {
    let own = file.to_owned();
    let done = tokio::task::spawn_blocking(move || {
        let cannot = |error| format!("cannot read {}: {error}", own.display());
        how(&own).map_err(cannot)
    });
    let done = done.await.unwrap_or_else(|error| Err(error.to_string()));
    done.map_err(Status::failed_precondition)
}

/// What its versions have in common, and how long a file is; `None` if it is empty.
fn first_line(file: &Path) -> std::io::Result<Option<(String, u64)>> {
    let file = File::open(file)?;
    let bytes = file.metadata()?.len();
    let mut line = Vec::new();
    BufReader::new(file).read_until(b'\n', &mut line)?;
    let family = format!("imports:{}", hex(Sha256::digest(line.trim_ascii_end())));
    Ok((bytes > 0).then_some((family, bytes)))
}

/// The versions of a file, shortest first; the last is what there is now.
fn versions(file: &Path, lengths: &[u64]) -> std::io::Result<Vec<Version>> {
    let Some(last) = lengths.last() else {
        return Ok(Vec::new());
    };
    let mut reader = BufReader::with_capacity(1 << 20, File::open(file)?).take(*last);
    let mut lengths = lengths.iter().peekable();
    let mut versions = Vec::with_capacity(lengths.len());
    let mut hash = Sha256::new();
    let (mut line, mut bytes, mut lines) = (Vec::new(), 0, 0);
    while reader.read_until(b'\n', &mut line)? > 0 {
        let end = bytes + line.len() as u64;
        let mut rest = line.as_slice();
        while let Some(length) = lengths.next_if(|length| **length <= end) {
            let (part, left) = rest.split_at(rest.len() - (end - length) as usize);
            hash.update(part);
            rest = left;
            let whole = left.trim_ascii().is_empty();
            versions.push(Version {
                stream: format!("import:{}", hex(hash.clone().finalize())),
                bytes: if whole { *length } else { bytes },
                lines: lines + i64::from(whole),
            });
        }
        hash.update(rest);
        (bytes, lines) = (end, lines + 1);
        line.clear();
    }
    Ok(versions)
}

fn hex(digest: impl AsRef<[u8]>) -> String {
    let bytes = digest.as_ref().iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// The lengths that a file had when it was imported before, and its own, which is
/// kept for later imports; shortest first.
async fn lengths<I: Intake>(
    channel: &Targeted,
    family: &str,
    own: u64,
) -> Result<Vec<u64>, Status> {
    let mut lengths = Vec::new();
    for number in 0.. {
        let mut stream = Opened::<I>::new(channel, &format!("{family}:{number}")).await?;
        let mut kept = stream.position;
        if kept == 0 && !lengths.contains(&own) {
            kept = stream.keep(own as i64).await?;
        }
        match u64::try_from(kept) {
            Ok(0) | Err(_) => break,
            Ok(length) => lengths.push(length),
        }
    }
    lengths.retain(|length| *length <= own);
    lengths.sort_unstable();
    lengths.dedup();
    Ok(lengths)
}

/// How far a stream got.
async fn position<I: Intake>(channel: &Targeted, stream: &str) -> Result<i64, Status> {
    Ok(Opened::<I>::new(channel, stream).await?.position)
}

/// A stream that is open, and how far it got.
struct Opened<I: Intake> {
    sender: mpsc::Sender<I::Step>,
    answers: Streaming<I::Answer>,
    position: i64,
}

impl<I: Intake> Opened<I> {
    async fn new(channel: &Targeted, stream: &str) -> Result<Self, Status> {
        let (sender, receiver) = mpsc::channel(1);
        let opening = I::step(stream.to_owned(), 0, Vec::new());
        let _ = sender.send(opening).await;
        let mut answers = I::open(channel.clone(), ReceiverStream::new(receiver)).await?;
        let first = answers.message().await?.map(I::told);
        let position = first.map_or(0, |first| first.position);
        Ok(Self {
            sender,
            answers,
            position,
        })
    }

    /// Moves it on without events. Answers what is kept, which is another's where
    /// somebody else was faster.
    async fn keep(&mut self, position: i64) -> Result<i64, Status> {
        let step = I::step(String::new(), position, Vec::new());
        let _ = self.sender.send(step).await;
        let answer = self.answers.message().await?.map(I::told);
        Ok(answer.map_or(0, |kept| kept.position))
    }
}

#[cfg(test)]
mod tests;
