//! The layers around the edge, outermost first: trace, CORS, compression.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{Either, Map, MapOk};
use futures_util::{FutureExt as _, TryFutureExt as _};
use http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_LENGTH, ORIGIN, RETRY_AFTER,
    VARY,
};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use tonic::body::Body;
use tower::{Layer as _, Service};
use tower_http::compression::predicate::{NotForContentType, Predicate};
use tower_http::compression::{Compression, CompressionLayer};
use tower_http::cors::{AllowHeaders, AllowOrigin, Cors, CorsLayer};

use super::edge::{Answer, Edge};
use super::trace::{Arrival, Trace};

/// Answers smaller than this are not worth compressing.
const COMPRESS_ABOVE: u64 = 860;

/// Everything a request passes.
pub type Stack = Trace<OnlyCors<Compression<EdgeService, Compressible>>>;

/// Which answers are compressed: those that are there as a whole. Streams are not,
/// nor is gRPC in any form: a message must not wait in a compressor for the next one.
#[derive(Debug, Clone, Copy)]
pub struct Compressible;

impl Predicate for Compressible {
    fn should_compress<B: http_body::Body>(&self, response: &Response<B>) -> bool {
        let size = response.body().size_hint().exact();
        size.is_some_and(|size| size > COMPRESS_ABOVE)
            && NotForContentType::IMAGES.should_compress(response)
    }
}

/// Puts the layers around an edge.
pub fn stack(edge: Arc<Edge>) -> Stack {
    let shared = edge.shared().clone();
    let compression = CompressionLayer::new().compress_when(Compressible);
    let service = compression.layer(EdgeService(edge.clone()));
    let service = OnlyCors {
        cors: Arc::new(cors(edge).layer(service.clone())),
        plain: service,
    };
    Trace::new(service, shared)
}

/// Origins of the configuration may call with credentials; any other page may
/// call what is meant for pages, which ignores cookies.
fn cors(edge: Arc<Edge>) -> CorsLayer {
    const EXPOSED: [&str; 10] = [
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "x-request-id",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-trial-days-remaining",
        "x-memory-degraded",
        "idempotent-replayed",
    ];
    let allowed = move |origin: &HeaderValue, parts: &Parts| {
        let own = &edge.shared().cors_origins;
        if own.iter().any(|own| own.as_bytes() == origin.as_bytes()) {
            return true;
        }
        let asked = parts.headers.get(ACCESS_CONTROL_REQUEST_METHOD);
        let verb = asked.and_then(|verb| verb.to_str().ok());
        edge.is_open(verb.unwrap_or(parts.method.as_str()), parts.uri.path())
    };
    let exposed = EXPOSED.into_iter().map(HeaderName::from_static);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed.chain([RETRY_AFTER]).collect::<Vec<_>>())
        .max_age(Duration::from_secs(3600))
}

/// CORS for requests that pages make, which name their origin; nothing for others.
#[derive(Debug, Clone)]
pub struct OnlyCors<S> {
    /// Shared, for few requests need it and it is large.
    cors: Arc<Cors<S>>,
    plain: S,
}

impl<S, B> Service<Request<Arrival>> for OnlyCors<S>
where
    S: Service<Request<Arrival>, Response = Response<B>>,
    Cors<S>: Service<Request<Arrival>, Response = Response<B>, Error = S::Error> + Clone,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Either<
        Then<<Cors<S> as Service<Request<Arrival>>>::Future, Response<B>>,
        Then<S::Future, Response<B>>,
    >;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.plain.poll_ready(context)
    }

    fn call(&mut self, request: Request<Arrival>) -> Self::Future {
        let headers = request.headers();
        // Every OPTIONS would pass for a preflight, which asks for a method.
        let asks = request.method() != Method::OPTIONS
            || headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        match headers.contains_key(ORIGIN) && asks {
            true => Either::Left(
                self.cors
                    .as_ref()
                    .clone()
                    .call(request)
                    .map_ok(only_if_allowed),
            ),
            false => Either::Right(self.plain.call(request).map_ok(vary)),
        }
    }
}

/// An answer that is looked over once more.
type Then<F, R> = MapOk<F, fn(R) -> R>;

/// Who is not allowed is told nothing of what others are: an answer that speaks of
/// credentials and names no origin looks open.
fn only_if_allowed<B>(mut response: Response<B>) -> Response<B> {
    const TOLD: [HeaderName; 5] = [
        ACCESS_CONTROL_ALLOW_CREDENTIALS,
        ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE,
    ];
    let headers = response.headers_mut();
    if !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        for name in TOLD {
            headers.remove(name);
        }
    }
    response
}

/// A cache must not hand it to a page, which would miss what pages are told.
fn vary<B>(mut response: Response<B>) -> Response<B> {
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("origin"));
    response
}

/// The edge as a tower service.
#[derive(Debug, Clone)]
pub struct EdgeService(Arc<Edge>);

impl Service<Request<Arrival>> for EdgeService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Map<Answer, fn(Response<Body>) -> Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Arrival>) -> Self::Future {
        let finish: fn(Response<Body>) -> Result<Response<Body>, Infallible> =
            match *request.method() {
                Method::HEAD => |response| Ok(head(response)),
                _ => Ok,
            };
        self.0.clone().handle(request).map(finish)
    }
}

/// The head of an answer. Of the versions of HTTP only the first has its bodies left
/// out by the connection. That its GET may be compressed is told here, for there is
/// nothing left to compress.
fn head(response: Response<Body>) -> Response<Body> {
    let varies = Compressible.should_compress(&response);
    let (mut parts, body) = response.into_parts();
    if varies {
        parts.headers.append(VARY, ACCEPT_ENCODING.into());
    }
    if let Some(length) = http_body::Body::size_hint(&body).exact() {
        parts.headers.insert(CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, Body::empty())
}
