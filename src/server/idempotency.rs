//! `Idempotency-Key`: a request that was answered is answered the same, and its
//! effect happens once. Here the key is only read; the record is written in the
//! transaction of the effect, by [`crate::db::Db::answer`].

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::call::Call;
use super::dispatch::{Answer, One, framed};
use crate::db::Attempt;
use crate::error::{Error, Result};

/// Longest key, in bytes.
const MAX_KEY: usize = 255;
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Begins an attempt, if the call has a key and something to change.
fn begin(call: &Call, request: &[u8]) -> Result<Option<Attempt>> {
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

/// Begins an attempt with this request, which is encoded; answers what was answered
/// before, if it was.
pub(super) async fn replayed(call: &Call, request: &[u8]) -> Result<Option<Answer>> {
    let Some(attempt) = begin(call, request)? else {
        return Ok(None);
    };
    let read = call.shared().db.read(call.deadline()).await?;
    let stored = attempt.stored(&read).await?;
    Ok(stored.map(|answer| {
        Answer::One(One {
            frame: framed(answer.len(), |frame| frame.extend_from_slice(&answer)),
            headers: vec![(REPLAYED, HeaderValue::from_static("true"))],
            ..One::default()
        })
    }))
}
