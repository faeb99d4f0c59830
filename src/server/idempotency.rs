//! `Idempotency-Key`: a request that was answered is answered the same, and its
//! effect happens once. Here the key is only read; the record is written in the
//! transaction of the effect, by [`crate::db::Db::answer`].

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use prost::Message;
use tonic::{Response, Status};

use super::call::Call;
use super::guard;
use crate::db::Attempt;
use crate::error::{Error, Result};

/// Longest key, in bytes.
const MAX_KEY: usize = 255;
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Begins an attempt, if the call has a key and something to change.
pub(super) fn begin(call: &Call, request: &impl Message) -> Result<Option<Attempt>> {
    let Some(key) = call.idempotency_key() else {
        return Ok(None);
    };
    let spec = call.spec();
    let reads = spec.scope.is_some_and(|scope| !scope.write);
    let Some(organization) = call.principal().organization.filter(|_| !reads) else {
        return Ok(None);
    };
    let valid = (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    if !valid {
        return Err(Error::invalid_field(
            "Idempotency-Key",
            format!("Idempotency-Key must be 1 to {MAX_KEY} visible ASCII characters"),
        ));
    }
    // Calls that name different projects of one organization do not meet.
    let project = call.named_project().map_or(0, |project| project.0);
    let attempt = call.shared().ledger.begin(
        format!("{organization}/{project}"),
        spec.path,
        key,
        request,
        Duration::from_secs(spec.idempotency_window_s.into()),
        !spec.secret_answer,
    )?;
    call.set_attempt(attempt.clone());
    Ok(Some(attempt))
}

/// The answer given before, if there is one.
pub(super) async fn replay<O: Message + Default>(
    call: &Call,
    attempt: &Option<Attempt>,
) -> Result<Option<Response<O>>, Status> {
    let Some(attempt) = attempt else {
        return Ok(None);
    };
    let stored = async {
        let read = call.shared().db.read(call.deadline()).await?;
        attempt.stored::<O>(&read).await
    };
    let stored = stored.await.map_err(|error| call.status_of(error))?;
    Ok(stored.map(|message| {
        let mut response = Response::new(message);
        guard::append(&mut response, REPLAYED, HeaderValue::from_static("true"));
        response
    }))
}
