//! What bounds a stream: its deadline, how long its client may be silent, and the
//! server's own end. Until the head of the answer the edge watches over a call;
//! afterwards nobody did but a client that is still there.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http_body::{Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};
use tonic::{Code, Status, Streaming};
use tower::BoxError;

use super::call::{Call, Replies};
use super::deadline;
use super::dispatch::HEAD;
use crate::error::{Error, Kind, Result, reason};
use crate::panics;

/// A stream that has said nothing for so long is not waited for when the server
/// goes; one that keeps sending may finish.
const PAUSE: Duration = Duration::from_secs(1);

/// Ends a stream of answers when the call's deadline passes, when it pauses while
/// the server goes, and when what makes it panics.
pub(crate) fn until_deadline<O: Send + 'static>(call: &Call, replies: Replies<O>) -> Replies<O> {
    let late = call
        .deadline()
        .map(|deadline| Box::pin(tokio::time::sleep_until(deadline.into())));
    let closing = call.shared().closing.subscribe();
    let state = Some((replies, late, closing, call.clone()));
    Box::pin(stream::unfold(state, |state| async move {
        let (mut replies, mut late, mut closing, call) = state?;
        let late_now = async {
            match &mut late {
                Some(late) => late.await,
                None => std::future::pending().await,
            }
        };
        let failure = tokio::select! {
            // A stream that never pauses ends too.
            biased;
            () = late_now => deadline::passed(),
            reply = AssertUnwindSafe(replies.next()).catch_unwind() => match reply {
                Ok(None) => return None,
                Ok(Some(reply)) => {
                    let reply = reply.inspect_err(|status| log(&call, status));
                    return Some((reply, Some((replies, late, closing, call))));
                }
                Err(panic) => panicked(&*panic),
            },
            () = paused(&mut closing) => going(),
        };
        let status = call.status_of(failure);
        log(&call, &status);
        Some((Err(status), None))
    }))
}

/// The messages of a client, as long as it keeps sending.
pub(super) fn while_sending<I: Send + 'static>(
    call: &Call,
    messages: Streaming<I>,
) -> impl stream::Stream<Item = Result<I>> + Send + 'static {
    let longest = call.shared().transport.stream_idle_timeout.0;
    let closing = call.shared().closing.subscribe();
    stream::unfold(Some((messages, closing)), move |state| async move {
        let (mut messages, mut closing) = state?;
        let next = tokio::select! {
            biased;
            next = tokio::time::timeout(longest, messages.next()) => next,
            () = paused(&mut closing) => return Some((Err(going()), None)),
        };
        let Ok(next) = next else {
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
            Some((messages, closing)),
        ))
    })
}

/// Waits until the server goes, and a moment more.
async fn paused(closing: &mut watch::Receiver<bool>) {
    let gone = closing.wait_for(|closing| *closing).await.is_err();
    if gone {
        // Only tests drop what a server shares while a stream is open.
        std::future::pending::<()>().await;
    }
    sleep(PAUSE).await;
}

fn going() -> Error {
    Error::unavailable("The server is shutting down").reason("SHUTTING_DOWN")
}

/// What a panic of a handler is to its caller.
pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    Error::internal(format!("a handler panicked: {}", panics::words(panic)))
}

/// Over REST the request's own line was written with the head of its answer.
fn log(call: &Call, status: &Status) {
    if matches!(
        status.code(),
        Code::Internal | Code::Unknown | Code::DataLoss
    ) {
        tracing::error!(
            request_id = call.request_id(),
            method = call.spec().path,
            cause = call.cause(),
            "stream failed"
        );
    }
}

/// The body of a request that is one message, as long as it comes in time and is no
/// larger than the method allows.
pub(super) fn whole_in_time<B>(call: &Call, body: B) -> Timed<B> {
    Timed {
        body,
        call: call.clone(),
        late: None,
        taken: 0,
    }
}

/// See [`whole_in_time`].
pub(super) struct Timed<B> {
    body: B,
    call: Call,
    /// Set once the body is waited for, which most never are.
    late: Option<Pin<Box<Sleep>>>,
    /// Bytes that came.
    taken: usize,
}

impl<B> Timed<B> {
    /// Holds what came against the method's own limit.
    fn within(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Status> {
        let Some(limit) = self.call.spec().body_limit else {
            return Ok(frame);
        };
        let limit = limit as usize;
        self.taken += frame.data_ref().map_or(0, Bytes::len);
        if self.taken <= limit + HEAD {
            return Ok(frame);
        }
        Err(self.call.status_of(Error::too_large(limit)))
    }
}

impl<B> http_body::Body for Timed<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| {
                let frame = frame.map_err(|error| Status::from_error(error.into()));
                self.within(frame?)
            }));
        }
        let longest = self.call.shared().transport.body_timeout.0;
        let late = self.late.get_or_insert_with(|| Box::pin(sleep(longest)));
        late.as_mut().poll(context).map(|()| {
            let error = Error::new(Kind::DeadlineExceeded, "The body took too long");
            let error = error.reason(reason::REQUEST_TIMEOUT);
            Some(Err(self.call.status_of(error)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
