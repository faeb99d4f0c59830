//! How endpoints are called: REST and plain calls of gRPC by a typed call of the very
//! method, in the same task; streams and compressed messages by tonic's own server of
//! the service.

use std::any::Any;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use prost::{Message, Name};
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::{Request, Response, Status};
use tower::Service;
use tower::util::BoxCloneSyncService;

use crate::api::google::api::HttpBody;

use super::call::{Call, Replies};
use super::{codec, parts};

/// What stands before a message of gRPC, in bytes: a flag and a length.
pub(super) const HEAD: usize = 5;

/// A service that answers gRPC and REST.
pub trait Endpoint: Send + Sync + 'static {
    /// Full name of the service.
    fn service(&self) -> &'static str;

    /// All of it, for gRPC.
    fn grpc(&self, limits: MessageLimits) -> GrpcService;

    /// Calls the method at this index of the policy table with an encoded request.
    fn dispatch(&self, method: usize, request: Request<Bytes>) -> Dispatched;

    /// Whether plain calls of gRPC may be dispatched too. Who looks at metadata takes
    /// them as they are.
    fn dispatches_grpc(&self) -> bool {
        true
    }
}

/// Largest gRPC messages, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct MessageLimits {
    /// Largest request.
    pub decoding: usize,
    /// Largest answer.
    pub encoding: usize,
}

/// How gRPC messages may be compressed, both ways.
pub(super) const ENCODINGS: [CompressionEncoding; 2] =
    [CompressionEncoding::Gzip, CompressionEncoding::Zstd];

/// An endpoint as tonic serves it.
pub type GrpcService =
    BoxCloneSyncService<http::Request<Body>, http::Response<Body>, std::convert::Infallible>;

/// An answer on its way.
pub type Dispatched = Pin<Box<dyn Future<Output = Result<Answer, Status>> + Send>>;

/// The bytes of an answer that is a body of its own. A page that many ask for is in
/// memory once, however slowly each of them takes it.
#[derive(Debug, Clone)]
pub struct SharedBody(pub Bytes);

/// An answer, still encoded.
pub enum Answer {
    /// One message, in the frame that gRPC sends it in.
    One(Response<Bytes>),
    /// A stream of messages.
    Many(Response<Replies<Bytes>>),
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::One(_) => "One",
            Self::Many(_) => "Many",
        })
    }
}

/// Erases the type of a generated gRPC server.
pub fn grpc<S>(server: S) -> GrpcService
where
    S: Service<
            http::Request<Body>,
            Response = http::Response<Body>,
            Error = std::convert::Infallible,
        > + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    BoxCloneSyncService::new(server)
}

/// Calls a method with one answer.
pub async fn unary<I, O, F, Fut>(request: Request<Bytes>, method: F) -> Result<Answer, Status>
where
    I: Message + Name + Default,
    O: Message + 'static,
    F: FnOnce(Request<I>) -> Fut,
    Fut: Future<Output = Result<Response<O>, Status>>,
{
    let response = method(decoded(request)?).await?;
    let (metadata, message, mut extensions) = response.into_parts();
    if let Some(body) = (&message as &dyn Any).downcast_ref::<HttpBody>() {
        extensions.insert(SharedBody(body.data.clone()));
    }
    let frame = framed(message.encoded_len(), |frame| {
        // It has room for all of it.
        let _ = message.encode(frame);
    });
    Ok(Answer::One(Response::from_parts(
        metadata, frame, extensions,
    )))
}

/// A frame around a message of this length.
pub(crate) fn framed(length: usize, put: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut frame = Vec::with_capacity(HEAD + length);
    frame.push(0);
    // Longer ones are refused before they are sent.
    frame.extend_from_slice(&(length as u32).to_be_bytes());
    put(&mut frame);
    frame.into()
}

/// Calls a method with a stream of answers.
pub async fn stream<I, O, S, F, Fut>(request: Request<Bytes>, method: F) -> Result<Answer, Status>
where
    I: Message + Name + Default,
    O: Message,
    S: Stream<Item = Result<O, Status>> + Send + 'static,
    F: FnOnce(Request<I>) -> Fut,
    Fut: Future<Output = Result<Response<S>, Status>>,
{
    let response = method(decoded(request)?).await?;
    let (metadata, messages, extensions) = response.into_parts();
    let bytes = messages.map(|message| Ok(Bytes::from(message?.encode_to_vec())));
    Ok(Answer::Many(Response::from_parts(
        metadata,
        Box::pin(bytes),
        extensions,
    )))
}

fn decoded<I: Message + Name + Default>(request: Request<Bytes>) -> Result<Request<I>, Status> {
    let (metadata, extensions, bytes) = request.into_parts();
    if let Err(error) = parts::check::<I>(&bytes) {
        return Err(match extensions.get::<Call>() {
            Some(call) => call.status_of(error),
            None => Status::invalid_argument(error.message()),
        });
    }
    let message = I::decode(bytes).map_err(|_| codec::no_message())?;
    Ok(Request::from_parts(metadata, extensions, message))
}

/// A method index that is not of the service: the routing table is wrong.
pub fn unknown() -> Dispatched {
    Box::pin(ready(Err(Status::internal("Internal server error"))))
}

/// Answers every call UNIMPLEMENTED; stands where a service is not mounted.
#[derive(Debug, Clone)]
pub struct NotMounted;

impl Service<http::Request<Body>> for NotMounted {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        let status = Status::unimplemented("Method is not implemented by this server");
        ready(Ok(status.into_http()))
    }
}
