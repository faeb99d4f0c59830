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
        let copied = self.write_out(&id, &volume, to).await;
        self.remove(&id).await?;
        copied
    }

    async fn write_out(&self, id: &str, volume: &str, to: &Path) -> Result<Result<u64, String>> {
        // What is in the folder, rather than the folder.
        let options = DownloadFromContainerOptions {
            path: format!("{volume}/."),
        };
        let mut pieces = std::pin::pin!(self.api.download_from_container(id, Some(options)));
        // It has its name only once it is whole.
        let fresh = to.with_extension("new");
        let mut file = File::create(&fresh).await.map_err(Error::internal)?;
        let mut size = 0;
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => return Ok(Err(words(&error))),
            };
            size += piece.len() as u64;
            file.write_all(&piece).await.map_err(Error::internal)?;
        }
        file.sync_all().await.map_err(Error::internal)?;
        tokio::fs::rename(&fresh, to)
            .await
            .map_err(Error::internal)?;
        Ok(Ok(size))
    }

    /// Puts what is in a file into the volume of a workload, which is empty.
    pub(super) async fn copy_in(
        &self,
        workload: &Workload,
        from: &Path,
    ) -> Result<Result<(), String>> {
        let file = match File::open(from).await {
            Ok(file) => file,
            Err(_) => return Ok(Err("The file of the backup is gone".to_owned())),
        };
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
