//! Bytes that callers send: where they are on the disk, which of them the database knows
//! of, and the signed URLs by which they come and go.

mod disk;
mod ledger;
mod place;
mod signature;
mod sweep;

use std::path::PathBuf;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::auth::SecretKeys;
use crate::clock::MICROS;
use crate::db::Db;
use crate::error::{Error, Result};

pub(super) use ledger::{claim, kept, release, sent};
pub(super) use place::Place;
pub(super) use signature::Leave;
use signature::Signer;

/// How long a file may be sent after that was signed, in seconds.
const SENT_WITHIN: i64 = 15 * 60;
/// How long a file may be loaded after that was signed, in seconds, at the least. URLs of
/// the same hour are the same, so that browsers know again what they have.
const LOADED_WITHIN: i64 = 60 * 60;

/// The bytes of files.
#[derive(Debug)]
pub struct Files {
    disk: disk::Disk,
    signer: Signer,
    /// Told when bytes are not needed any more.
    wake: Notify,
}

impl Files {
    /// Keeps bytes in a folder, which is made when it is needed.
    pub fn new(folder: PathBuf, keys: &SecretKeys) -> Self {
        Self {
            disk: disk::Disk(folder),
            signer: Signer::new(keys),
            wake: Notify::new(),
        }
    }

    /// The path and query by which a file may be sent, from now on for a while.
    pub(super) fn to_send(&self, place: &Place, kind: &str, now: i64) -> String {
        self.signed(place, Leave::Send(kind), now / MICROS + SENT_WITHIN)
    }

    /// The path and query by which a file may be loaded.
    pub(super) fn to_load(&self, place: &Place, now: i64) -> String {
        let hour = now / MICROS / LOADED_WITHIN;
        self.signed(place, Leave::Load, (hour + 2) * LOADED_WITHIN)
    }

    fn signed(&self, place: &Place, leave: Leave<'_>, until: i64) -> String {
        let signature = self.signer.sign(place, leave, until);
        let key = place.key();
        format!("/conversation-files/{key}?expires={until}&signature={signature}")
    }

    /// Refuses who has no leave, or not any more.
    pub(super) fn check(
        &self,
        place: &Place,
        leave: Leave<'_>,
        (until, signature): (i64, &str),
        now: i64,
    ) -> Result<()> {
        let in_time = now / MICROS < until;
        match in_time && self.signer.knows(place, leave, until, signature) {
            true => Ok(()),
            false => Err(Error::forbidden(match leave {
                Leave::Send(_) => "This URL is not valid for this content type, or not any more",
                Leave::Load => "This URL is not valid, or not any more",
            })),
        }
    }

    /// Takes bytes in as they come, so many at the most; answers how many there were. They
    /// are there once the database says so, when all of them are on the disk: what is cut
    /// off at any moment is not, and is swept away.
    pub(super) async fn receive(
        &self,
        db: &Db,
        (place, kind): (&Place, &str),
        pieces: impl Stream<Item = Result<Bytes>> + Send,
        (most, now): (u64, i64),
    ) -> Result<i64> {
        let name = Uuid::new_v4().simple().to_string();
        let row = (place.clone(), kind.to_owned(), name.clone());
        let begun = db.write(move |tx| {
            let (place, kind, name) = row;
            Box::pin(async move { ledger::begin(tx, (&place, &kind, &name), now).await })
        });
        let id = begun.await?;
        let kept = async {
            let size = self.disk.write(&name, bounded(pieces, most)).await?;
            let place = place.clone();
            let done = db.write(move |tx| {
                Box::pin(async move { ledger::finish(tx, id, &place, size, now).await })
            });
            done.await.map(|()| size)
        };
        let outcome = kept.await;
        if outcome.is_err() {
            // Should that fail as well, it is swept away later.
            let _ = self.disk.remove(&name).await;
            let gone = db.write(move |tx| Box::pin(ledger::forget(tx, vec![id])));
            let _ = gone.await;
        }
        outcome
    }

    /// The bytes of a file, piece by piece; nothing, if there are none.
    pub(super) async fn load(&self, name: &str) -> Result<Option<disk::Pieces>> {
        self.disk.read(name).await
    }

    /// Has what is not needed any more swept away soon.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }
}

/// Pieces, until they are too many.
fn bounded(
    pieces: impl Stream<Item = Result<Bytes>> + Send,
    most: u64,
) -> impl Stream<Item = Result<Bytes>> + Send {
    let mut size = 0;
    pieces.map(move |piece| {
        let piece = piece?;
        size += piece.len() as u64;
        match size > most {
            true => Err(Error::too_large(most)),
            false => Ok(piece),
        }
    })
}
