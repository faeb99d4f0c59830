//! Calls of gRPC that are not plain: streams, and messages that are compressed. tonic's
//! own server answers them, one for all methods there are.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::server::{
    ClientStreamingService, Grpc, ServerStreamingService, StreamingService, UnaryService,
};
use tonic::{Request, Response, Status, Streaming};

use super::call::{Call, Replies};
use super::codec::Codec;
use super::dispatch::{
    Answer, Asked, Dispatched, ENCODINGS, Endpoint, HEAD, MessageLimits, Messages, One, astray,
};

/// Answers a call.
pub async fn answer(
    endpoint: Arc<dyn Endpoint>,
    call: Call,
    request: http::Request<Body>,
    limits: MessageLimits,
) -> http::Response<Body> {
    let spec = call.spec();
    let mut grpc = Grpc::new(Codec)
        .apply_max_message_size_config(Some(limits.decoding), Some(limits.encoding));
    for encoding in ENCODINGS {
        grpc = grpc.accept_compressed(encoding).send_compressed(encoding);
    }
    let method = Method { endpoint, call };
    match (spec.client_streaming, spec.server_streaming) {
        (false, false) => grpc.unary(method, request).await,
        (false, true) => grpc.server_streaming(method, request).await,
        (true, false) => grpc.client_streaming(method, request).await,
        (true, true) => grpc.streaming(method, request).await,
    }
}

/// A method, once.
struct Method {
    endpoint: Arc<dyn Endpoint>,
    call: Call,
}

/// A response on its way.
type Pending<T> = BoxFuture<'static, Result<Response<T>, Status>>;

impl Method {
    fn ask(&self, messages: Messages) -> Dispatched {
        let asked = Asked {
            call: self.call.clone(),
            route: None,
            messages,
        };
        self.endpoint.dispatch(self.call.spec().index, asked)
    }

    fn one(&self, messages: Messages) -> Pending<Bytes> {
        let answer = self.ask(messages);
        Box::pin(async move {
            match answer.await? {
                Answer::One(one) => Ok(response(one)),
                Answer::Many(_) => Err(astray()),
            }
        })
    }

    fn many(&self, messages: Messages) -> Pending<Replies<Bytes>> {
        let answer = self.ask(messages);
        Box::pin(async move {
            match answer.await? {
                Answer::Many(answers) => Ok(Response::new(answers)),
                Answer::One(_) => Err(astray()),
            }
        })
    }
}

fn response(one: One) -> Response<Bytes> {
    let mut response = Response::new(one.frame.slice(HEAD..));
    if !one.headers.is_empty() {
        let mut headers = http::HeaderMap::with_capacity(one.headers.len());
        for (name, value) in one.headers {
            headers.append(name, value);
        }
        *response.metadata_mut() = MetadataMap::from_headers(headers);
    }
    response
}

impl UnaryService<Bytes> for Method {
    type Response = Bytes;
    type Future = Pending<Bytes>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        self.one(Messages::One(request.into_inner()))
    }
}

impl ClientStreamingService<Bytes> for Method {
    type Response = Bytes;
    type Future = Pending<Bytes>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        self.one(Messages::Many(request.into_inner()))
    }
}

impl ServerStreamingService<Bytes> for Method {
    type Response = Bytes;
    type ResponseStream = Replies<Bytes>;
    type Future = Pending<Replies<Bytes>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        self.many(Messages::One(request.into_inner()))
    }
}

impl StreamingService<Bytes> for Method {
    type Response = Bytes;
    type ResponseStream = Replies<Bytes>;
    type Future = Pending<Replies<Bytes>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        self.many(Messages::Many(request.into_inner()))
    }
}
