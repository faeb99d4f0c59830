//! The bytes of files on the disk. They are called by names of the server's own; one that
//! is there is whole and synced. Files and their folder are readable by their owner alone.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _};
use tokio::fs;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::error::{Error, Result};

/// Most bytes of a piece that is read.
const PIECE: usize = 64 * 1024;

/// Bytes as they are read.
pub(super) type Pieces = BoxStream<'static, std::io::Result<Bytes>>;

/// Where files are.
#[derive(Debug)]
pub(super) struct Disk(pub(super) PathBuf);

/// A file that is being written, and is gone unless it gets its name.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // It may have its name by now, or never have been.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Disk {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn part(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.part"))
    }

    /// Writes pieces as they come; answers how many bytes they are.
    pub(super) async fn write(
        &self,
        name: &str,
        pieces: impl Stream<Item = Result<Bytes>>,
    ) -> Result<i64> {
        let mut folder = fs::DirBuilder::new();
        folder.recursive(true).mode(0o700);
        folder.create(&self.0).await.map_err(failed)?;
        let part = Part(self.part(name));
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(&part.0).await.map_err(failed)?;
        let (mut pieces, mut size) = (pin!(pieces), 0);
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            file.write_all(&piece).await.map_err(failed)?;
            size += piece.len() as i64;
        }
        if size == 0 {
            return Err(Error::invalid_field("file", "A file has bytes"));
        }
        file.flush().await.map_err(failed)?;
        file.sync_all().await.map_err(failed)?;
        let named = fs::rename(&part.0, self.path(name)).await;
        named.map_err(failed)?;
        let folder = fs::File::open(&self.0).await.map_err(failed)?;
        folder.sync_all().await.map_err(failed)?;
        Ok(size)
    }

    /// The bytes of a file, piece by piece; nothing, if there is none.
    pub(super) async fn read(&self, name: &str) -> Result<Option<Pieces>> {
        let file = match fs::File::open(self.path(name)).await {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::internal(error)),
        };
        let pieces = stream::unfold(Some(file), |file| async move {
            let mut file = file?;
            let mut piece = BytesMut::with_capacity(PIECE);
            match file.read_buf(&mut piece).await {
                Ok(0) => None,
                Ok(_) => Some((Ok(piece.freeze()), Some(file))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(Some(pieces.boxed()))
    }

    /// Removes a file, whole or not, if there is one.
    pub(super) async fn remove(&self, name: &str) -> Result<()> {
        for path in [self.part(name), self.path(name)] {
            match fs::remove_file(path).await {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Error::internal(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

/// A disk that is full is something callers can be told.
fn failed(error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            let full = Error::unavailable("There is no room for files at the moment");
            full.caused_by(error)
        }
        _ => Error::internal(error),
    }
}
