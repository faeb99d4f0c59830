//! The outermost layer: gives every request an id, and sees it off with a line in
//! the log however it ends: answered, cut short, or given up by its client.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::X_CONTENT_TYPE_OPTIONS;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower::Service;
use uuid::Uuid;

use super::client::{Peer, client};
use super::headers::{TRACEPARENT, X_REQUEST_ID};
use super::note::Note;
use super::shared::Shared;

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// Traces requests of an inner service.
#[derive(Debug, Clone)]
pub struct Trace<S> {
    inner: S,
    shared: Arc<Shared>,
}

/// A request's body, which carries through the layers what is known of the request.
/// Extensions would do the same for an allocation each.
#[derive(Debug)]
pub struct Arrival {
    pub(super) peer: Peer,
    pub(super) note: Arc<Note>,
    pub(super) body: Incoming,
}

impl<S, R> Trace<S>
where
    S: Service<Request<Arrival>, Response = Response<R>, Error = Infallible> + Clone,
{
    pub(super) fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }

    /// Answers a request that came from `peer`.
    pub fn serve(&self, peer: Peer, request: Request<Incoming>) -> Tracing<S::Future> {
        let (parts, body) = request.into_parts();
        let shared = self.shared.clone();
        shared.metrics.in_flight.inc();
        let client = client(peer, &parts, &shared.trusted_proxies);
        let note = Arc::new(Note::new(
            shared,
            request_id(&parts.headers),
            trace_id(&parts.headers),
            parts.method.clone(),
            client,
        ));
        let departure = Some(Departure(note.clone()));
        let arrival = Arrival { peer, note, body };
        Tracing {
            answer: self.inner.clone().call(Request::from_parts(parts, arrival)),
            departure,
        }
    }
}

pin_project! {
    /// An answer on its way.
    #[derive(Debug)]
    pub struct Tracing<F> {
        #[pin]
        answer: F,
        departure: Option<Departure>,
    }
}

impl<F, R> Future for Tracing<F>
where
    F: Future<Output = Result<Response<R>, Infallible>>,
{
    type Output = Result<Response<Traced<R>>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let own = self.project();
        let Ok(mut response) = ready!(own.answer.poll(context));
        let departure = own.departure.take();
        if let Some(Departure(note)) = &departure {
            note.headed(response.status(), response.headers());
            let headers = response.headers_mut();
            headers.insert(&X_REQUEST_ID, note.id.clone());
            if !note.is_grpc() {
                // Browsers must not take what callers wrote for more than its type says.
                headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
            }
        }
        Poll::Ready(Ok(response.map(|body| Traced { body, departure })))
    }
}

/// Counts a request out, also one whose client went away.
#[derive(Debug)]
struct Departure(Arc<Note>);

impl Drop for Departure {
    fn drop(&mut self) {
        self.0.leave();
    }
}

pin_project! {
    /// A body whose request is over when it is.
    #[derive(Debug)]
    pub struct Traced<B> {
        #[pin]
        body: B,
        departure: Option<Departure>,
    }
}

impl<B: Body<Data = Bytes>> Body for Traced<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut own = self.project();
        let mut frame = ready!(own.body.as_mut().poll_frame(context));
        if let (Some(Ok(frame)), Some(Departure(note))) = (&mut frame, own.departure.as_ref())
            && let Some(trailers) = frame.trailers_mut()
        {
            note.trailed(trailers);
        }
        // Its client must not see the end before it is counted.
        if !matches!(frame, Some(Ok(_))) || own.body.is_end_stream() {
            *own.departure = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The caller's own id, if it is one that can stand in a log, or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let mut id = own_or_new(headers);
    // It is another one each time: HTTP/2 must not remember it for the next answers,
    // which would push out what they have in common.
    id.set_sensitive(true);
    id
}

fn own_or_new(headers: &HeaderMap) -> HeaderValue {
    let own = headers.get(&X_REQUEST_ID).filter(|value| {
        let safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
        (1..=128).contains(&value.len()) && value.as_bytes().iter().all(safe)
    });
    if let Some(own) = own {
        return own.clone();
    }
    let mut buffer = Uuid::encode_buffer();
    let text = Uuid::now_v7().hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown"))
}

/// The trace of a W3C `traceparent`.
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let parent = headers.get(&TRACEPARENT)?.to_str().ok()?;
    let id = parent.split('-').nth(1)?;
    let valid = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    valid.then(|| id.to_owned())
}
