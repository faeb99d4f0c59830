//! How endpoints are called, whichever protocol a call came by: with messages that are
//! still encoded. What is made for every method anew is as little as it can be (see
//! [`super::guard`]); whatever is left is here once.

use std::future::ready;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::{Status, Streaming};
use tower::Service;
use tower::util::BoxCloneSyncService;

use super::call::{Call, Replies};
use crate::policy::Binding;

/// What stands before a message of gRPC, in bytes: a flag and a length.
pub(super) const HEAD: usize = 5;

/// A service that answers gRPC and REST.
pub trait Endpoint: Send + Sync + 'static {
    /// Full name of the service.
    fn service(&self) -> &'static str;

    /// Calls the method at this index of the policy table.
    fn dispatch(&self, method: usize, asked: Asked) -> Dispatched;
}

/// What a method is asked.
#[derive(Debug)]
pub struct Asked {
    /// The call, as the gate let it in.
    pub call: Call,
    /// The route it came by; none over gRPC.
    pub route: Option<&'static Binding>,
    /// What was sent.
    pub messages: Messages,
}

/// Encoded requests.
#[derive(Debug)]
pub enum Messages {
    /// One message.
    One(Bytes),
    /// A stream of messages, as they arrive.
    Many(Streaming<Bytes>),
}

/// An answer on its way.
pub type Dispatched = Pin<Box<dyn Future<Output = Result<Answer, Status>> + Send>>;

/// An answer, still encoded.
pub enum Answer {
    /// One message.
    One(One),
    /// A stream of messages.
    Many(Replies<Bytes>),
}

/// A message that answers.
#[derive(Debug, Default)]
pub struct One {
    /// The message, in the frame that gRPC sends it in.
    pub frame: Bytes,
    /// The bytes of an answer that is a body of its own. A page that many ask for is
    /// in memory once, however slowly each of them takes it.
    pub body: Option<Bytes>,
    /// HTTP headers, or gRPC metadata.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// HTTP status, where it is not the method's own.
    pub status: Option<u16>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::One(_) => "One",
            Self::Many(_) => "Many",
        })
    }
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

/// Of what should not happen: the gate was passed by, or the routing table is wrong.
pub(super) fn astray() -> Status {
    Status::internal("Internal server error")
}

/// A method index that is not of the service.
pub fn unknown() -> Dispatched {
    Box::pin(ready(Err(astray())))
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

/// A service whose proto is not ours, as tonic serves it.
pub type GrpcService =
    BoxCloneSyncService<http::Request<Body>, http::Response<Body>, std::convert::Infallible>;

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
