//! Images: pulled when something new is deployed, found again by their digest afterwards.

use std::time::Duration;

use bollard::query_parameters::CreateImageOptions;
use futures_util::StreamExt as _;

use super::super::super::registry;
use super::super::Release;
use super::{Docker, status, trouble, words};
use crate::error::Result;

/// How long pulling an image may take.
const PULL: Duration = Duration::from_secs(15 * 60);

/// An image that is there.
#[derive(Debug, Clone)]
pub(super) struct Image {
    /// What containers are made of.
    pub(super) id: String,
    /// What it is known by ever after.
    pub(super) digest: String,
}

impl Docker {
    /// The image of a release, or why there is none.
    pub(super) async fn image(&self, release: &Release) -> Result<Result<Image, String>> {
        if let Some(digest) = &release.digest {
            if let Some(known) = self.known(digest).await? {
                return Ok(Ok(known));
            }
            return Ok(match digest.contains('@') {
                true => match self.pull(digest).await {
                    Ok(()) => self.known(digest).await?.ok_or_else(|| missing(digest)),
                    Err(why) => Err(unpulled(digest, &why)),
                },
                false => Err(missing(digest)),
            });
        }
        let name = registry::whole(&release.image);
        let pulled = self.pull(&name).await;
        // One that was made on this machine is in no registry.
        match (self.known(&name).await?, pulled) {
            (Some(known), _) => Ok(Ok(known)),
            (None, Ok(())) => Ok(Err(missing(&release.image))),
            (None, Err(why)) => Ok(Err(unpulled(&release.image, &why))),
        }
    }

    async fn known(&self, name: &str) -> Result<Option<Image>> {
        match self.api.inspect_image(name).await {
            Ok(found) => {
                let id = found.id.unwrap_or_default();
                let digests = found.repo_digests.unwrap_or_default();
                let digest = digests.first().cloned().unwrap_or_else(|| id.clone());
                Ok(Some(Image { id, digest }))
            }
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(trouble(error)),
        }
    }

    /// Pulls an image of a whole name, or says why that cannot be.
    async fn pull(&self, image: &str) -> Result<(), String> {
        let options = CreateImageOptions {
            from_image: Some(image.to_owned()),
            ..Default::default()
        };
        let pulled = async {
            let mut steps = std::pin::pin!(self.api.create_image(Some(options), None, None));
            while let Some(step) = steps.next().await {
                let step = step.map_err(|error| words(&error))?;
                if let Some(failed) = step.error_detail {
                    return Err(failed.message.unwrap_or_default());
                }
            }
            Ok(())
        };
        match tokio::time::timeout(PULL, pulled).await {
            Ok(result) => result,
            Err(_) => Err("it took too long".to_owned()),
        }
    }
}

fn unpulled(image: &str, why: &str) -> String {
    format!("The image {image} cannot be pulled: {why}")
}

fn missing(image: &str) -> String {
    format!("The image {image} is not there")
}
