//! The outermost layer: gives every request an id, and sees it off with a line in
//! the log however it ends: answered, cut short, or given up by its client.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Layer, Service};
use uuid::Uuid;

use super::headers::{TRACEPARENT, X_REQUEST_ID};
use super::note::Note;
use super::shared::Shared;

/// Traces requests.
#[derive(Debug, Clone)]
pub(super) struct TraceLayer(pub(super) Arc<Shared>);

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Trace<S> {
        Trace {
            inner,
            shared: self.0.clone(),
        }
    }
}

/// Traces requests of an inner service.
#[derive(Debug, Clone)]
pub struct Trace<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S, B, R> Service<Request<B>> for Trace<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
    S::Future: Send + 'static,
    R: 'static,
{
    type Response = Response<Traced<R>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let id = request_id(request.headers());
        let trace_id = trace_id(request.headers());
        request.headers_mut().insert(&X_REQUEST_ID, id.clone());
        let verb = request.method().clone();
        let shared = self.shared.clone();
        shared.metrics.in_flight.inc();
        let note = Arc::new(Note::new(shared, id, trace_id, verb));
        request.extensions_mut().insert(note.clone());
        let departure = Departure(note);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let Ok(mut response) = answer.await;
            let note = &departure.0;
            note.headed(response.status(), response.headers());
            response
                .headers_mut()
                .insert(&X_REQUEST_ID, note.id.clone());
            Ok(response.map(|body| Traced {
                body,
                departure: Some(departure),
            }))
        })
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
