//! What bounds a stream in time: its deadline, and how long its client may be
//! silent. Until the head of the answer the edge watches the clock; afterwards
//! nobody did but a client that is still there.

use futures_util::{StreamExt as _, stream};
use tonic::{Status, Streaming};

use super::call::{Call, Replies};
use super::deadline;
use crate::error::{Error, Kind, Result};

/// Ends a stream of answers when the call's deadline passes.
pub(super) fn until_deadline<O: Send + 'static>(call: &Call, replies: Replies<O>) -> Replies<O> {
    let Some(deadline) = call.deadline() else {
        return replies;
    };
    let late = Box::pin(tokio::time::sleep_until(deadline.into()));
    let state = Some((replies, late, call.clone()));
    Box::pin(stream::unfold(state, |state| async move {
        let (mut replies, mut late, call) = state?;
        tokio::select! {
            // A stream that never pauses ends too.
            biased;
            () = &mut late => Some((Err(call.status_of(deadline::passed())), None)),
            reply = replies.next() => Some((reply?, Some((replies, late, call)))),
        }
    }))
}

/// The messages of a client, as long as it keeps sending.
pub(super) fn while_sending<I: Send + 'static>(
    call: &Call,
    messages: Streaming<I>,
) -> impl stream::Stream<Item = Result<I>> + Send + 'static {
    let longest = call.shared().transport.stream_idle_timeout.0;
    stream::unfold(Some(messages), move |messages| async move {
        let mut messages = messages?;
        let Ok(next) = tokio::time::timeout(longest, messages.next()).await else {
            let seconds = longest.as_secs_f64();
            let error = Error::new(
                Kind::DeadlineExceeded,
                format!("No message came for {seconds} seconds"),
            );
            return Some((Err(error.reason("STREAM_IDLE")), None));
        };
        let message: Result<I, Status> = next?;
        Some((
            message.map_err(|status| Error::from_status(&status)),
            Some(messages),
        ))
    })
}
