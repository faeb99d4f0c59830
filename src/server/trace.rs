//! The outermost layer: gives every request an id and a line in the log, and
//! counts it. The line names the method, never a path, a body or a credential,
//! for callers put secrets into all three.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower::{Layer, Service};
use uuid::Uuid;

use super::edge::Seen;
use super::metrics::Code;
use super::resolve::Protocol;
use super::shared::Shared;
use crate::auth::Actor;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

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
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let started = Instant::now();
        let id = request_id(request.headers());
        let trace_id = trace_id(request.headers());
        request.headers_mut().insert(REQUEST_ID, id.clone());
        let verb = request.method().clone();
        let shared = self.shared.clone();
        let answer = self.inner.call(request);
        shared.metrics.in_flight.inc();
        let departure = Departure(shared);
        Box::pin(async move {
            let Ok(mut response) = answer.await;
            let seen = response.extensions_mut().remove::<Seen>();
            let line = Line {
                id: id.to_str().unwrap_or_default(),
                trace_id: trace_id.as_deref(),
                verb: verb.as_str(),
                status: response.status().as_u16(),
                grpc_status: grpc_status(response.headers()),
                started,
            };
            line.write(&departure.0, seen);
            response.headers_mut().insert(REQUEST_ID, id);
            Ok(response)
        })
    }
}

/// Counts a request out, also one whose client went away.
struct Departure(Arc<Shared>);

impl Drop for Departure {
    fn drop(&mut self) {
        self.0.metrics.in_flight.dec();
    }
}

struct Line<'a> {
    id: &'a str,
    trace_id: Option<&'a str>,
    verb: &'a str,
    status: u16,
    grpc_status: Option<&'a str>,
    started: Instant,
}

impl Line<'_> {
    /// The code of the answer's head. What goes wrong later in a gRPC stream is in
    /// its trailers, which nobody waits for here.
    fn code(&self, seen: &Seen) -> Code {
        match (seen.protocol, self.grpc_status) {
            (Protocol::Rest, _) => Code::Http(self.status),
            (Protocol::Grpc | Protocol::GrpcWeb, status) => Code::Grpc(
                status
                    .and_then(|code| code.parse().ok())
                    .unwrap_or_default(),
            ),
        }
    }

    fn write(&self, shared: &Shared, seen: Option<Seen>) {
        // A preflight is answered before anything is known of it.
        let Some(seen) = seen else {
            return;
        };
        let took = self.started.elapsed();
        let method = seen.spec.map_or("unknown", |spec| spec.path);
        let protocol = seen.protocol.name();
        shared
            .metrics
            .answered(method, protocol, self.code(&seen), took);
        let principal = seen.call.as_ref().map(crate::server::Call::principal);
        let organization = principal.and_then(|p| p.organization).map(|id| id.0);
        let key = principal.and_then(|p| match p.actor {
            Actor::Key { number, .. } => Some(number),
            Actor::Session { .. } | Actor::Page | Actor::Operator | Actor::Anonymous => None,
        });
        let cause = seen.call.as_ref().and_then(crate::server::Call::cause);
        let duration_ms = took.as_micros() as f64 / 1000.0;
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    request_id = self.id,
                    trace_id = self.trace_id,
                    protocol,
                    verb = self.verb,
                    method,
                    status = self.status,
                    grpc_status = self.grpc_status,
                    duration_ms,
                    client = %seen.client.address,
                    organization,
                    key,
                    cause,
                    "request"
                )
            };
        }
        let failed = self.status >= 500 || matches!(self.grpc_status, Some("13" | "2" | "15"));
        if failed { line!(error) } else { line!(info) }
    }
}

/// The caller's own id, if it is one that can stand in a log, or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let own = headers.get(REQUEST_ID).filter(|value| {
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
    let parent = headers.get("traceparent")?.to_str().ok()?;
    let id = parent.split('-').nth(1)?;
    let valid = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    valid.then(|| id.to_owned())
}

fn grpc_status(headers: &HeaderMap) -> Option<&str> {
    headers.get("grpc-status")?.to_str().ok()
}
