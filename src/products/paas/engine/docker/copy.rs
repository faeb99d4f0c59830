//! Copies of data: what is in a volume, as an archive. A container that is made for it and
//! never started gives the way in, so that nothing need be installed in any image.

use std::path::Path;

use bollard::query_parameters::{DownloadFromContainerOptions, UploadToContainerOptions};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::Workload;
use super::{Docker, words};
use crate::error::{Error, Result};

/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

impl Docker {
    /// A way in to the volume of a workload: a container, and the path there.
    async fn way_in(&self, workload: &Workload) -> Result<Result<(String, String), String>> {
        let (Some(release), Some(volume)) = (&workload.release, &workload.volume) else {
            return Err(Error::internal("what has no data is not copied"));
        };
        let image = match self.image(release).await? {
            Ok(image) => image,
            Err(words) => return Ok(Err(words)),
        };
        let made = self.create(workload, release, &image, 0).await?;
        Ok(made.map(|id| (id, volume.clone())))
    }

    /// Copies what is in the volume of a workload to a file; answers its size.
    pub(super) async fn copy_out(
        &self,
        workload: &Workload,
        to: &Path,
    ) -> Result<Result<u64, String>> {
        let (id, volume) = match self.way_in(workload).await? {
            Ok(way) => way,
            Err(words) => return Ok(Err(words)),
        };
        // It has its name only once it is whole.
        let fresh = to.with_extension("new");
        let copied = self.write_out(&id, &volume, &fresh).await;
        self.remove(&id).await?;
        let named = match copied {
            Ok(size) => tokio::fs::rename(&fresh, to).await.map(|()| size),
            Err(words) => {
                let _ = tokio::fs::remove_file(&fresh).await;
                return Ok(Err(words));
            }
        };
        Ok(named.map_err(|error| unwritten(&error)))
    }

    async fn write_out(&self, id: &str, volume: &str, to: &Path) -> Result<u64, String> {
        // What is in the folder, rather than the folder.
        let options = DownloadFromContainerOptions {
            path: format!("{volume}/."),
        };
        let mut pieces = std::pin::pin!(self.api.download_from_container(id, Some(options)));
        let mut options = File::options();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let failed = |error: std::io::Error| unwritten(&error);
        let mut file = options.open(to).await.map_err(failed)?;
        let mut size = 0;
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| words(&error))?;
            size += piece.len() as u64;
            file.write_all(&piece).await.map_err(failed)?;
        }
        file.sync_all().await.map_err(failed)?;
        Ok(size)
    }

    /// Puts what is in a file into the volume of a workload, in place of all there is.
    pub(super) async fn copy_in(
        &self,
        workload: &Workload,
        from: &Path,
    ) -> Result<Result<(), String>> {
        // What there is stays until there is something to put in its place.
        let file = match File::open(from).await {
            Ok(file) => file,
            Err(_) => return Ok(Err("The file of the backup is gone".to_owned())),
        };
        self.forget_volume(&workload.id).await?;
        let (id, path) = match self.way_in(workload).await? {
            Ok(way) => way,
            Err(words) => return Ok(Err(words)),
        };
        let pieces = stream::try_unfold(file, |mut file| async move {
            let mut piece = vec![0; PIECE];
            let read = file.read(&mut piece).await?;
            piece.truncate(read);
            Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(piece), file)))
        });
        let options = UploadToContainerOptions {
            path,
            ..Default::default()
        };
        let body = bollard::body_try_stream(pieces);
        let done = self.api.upload_to_container(&id, Some(options), body).await;
        self.remove(&id).await?;
        Ok(done.map_err(|error| words(&error)))
    }
}

/// Why a backup could not be written, for people.
fn unwritten(error: &std::io::Error) -> String {
    format!("The backup cannot be written: {error}")
}
