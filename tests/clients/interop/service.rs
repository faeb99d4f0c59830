//! gRPC's TestService, through everything a product's method passes: the edge, the
//! gate, the guards of its kind of method.

use std::collections::HashMap;
use std::time::Duration;

use apex::error::{DOMAIN, Error, Result};
use apex::policy::MethodSpec;
use apex::server::dispatch::{self, Dispatched, Endpoint, GrpcService, MessageLimits};
use apex::server::{Call, Replies, Reply, Requests, guard};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http_body_util::BodyExt as _;
use prost::Message;
use tonic::body::Body;
use tonic::codec::CompressionEncoding::{Gzip, Zstd};
use tonic::server::Grpc;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tonic_types::{ErrorDetails, StatusExt as _};
use tower::service_fn;

use super::messages::{
    EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest,
    StreamingOutputCallResponse,
};

/// Metadata that is sent back, before the answer and after it.
const INITIAL: &str = "x-grpc-test-echo-initial";
const TRAILING: &str = "x-grpc-test-echo-trailing-bin";

/// The service.
#[derive(Debug, Clone, Copy)]
pub struct TestService(pub &'static [MethodSpec]);

impl Endpoint for TestService {
    fn service(&self) -> &'static str {
        "grpc.testing.TestService"
    }

    fn grpc(&self, limits: MessageLimits) -> GrpcService {
        let service = *self;
        dispatch::grpc(service_fn(move |request: http::Request<Body>| async move {
            let given = request.headers().clone();
            let response = service.call(limits, request).await;
            Ok(echo(&given, response))
        }))
    }

    fn dispatch(&self, _method: usize, _request: Request<Bytes>) -> Dispatched {
        dispatch::unknown()
    }

    fn dispatches_grpc(&self) -> bool {
        false
    }
}

impl TestService {
    async fn call(
        self,
        limits: MessageLimits,
        request: http::Request<Body>,
    ) -> http::Response<Body> {
        let path = request.uri().path().to_owned();
        let spec = self.0.iter().find(|spec| spec.path == path);
        let spec = spec.expect("the edge knows no other");
        match spec.name {
            "EmptyCall" => {
                let method = |request: Request<Empty>| guard::unary(spec, request, nothing);
                server(limits).unary(service_fn(method), request).await
            }
            "UnaryCall" => {
                let method = |request| simple(spec, request);
                server(limits).unary(service_fn(method), request).await
            }
            "StreamingInputCall" => {
                let method = |requests: Request<Streaming<StreamingInputCallRequest>>| {
                    guard::client_stream(spec, requests, count)
                };
                let method = service_fn(method);
                server(limits).client_streaming(method, request).await
            }
            "StreamingOutputCall" => {
                let method = |request: Request<StreamingOutputCallRequest>| {
                    guard::server_stream(spec, request, |_, request| async { Ok(outputs(request)) })
                };
                let method = service_fn(method);
                server(limits).server_streaming(method, request).await
            }
            "FullDuplexCall" => {
                let method = |requests: Request<Streaming<StreamingOutputCallRequest>>| {
                    guard::bidirectional(spec, requests, duplex)
                };
                server(limits).streaming(service_fn(method), request).await
            }
            _ => Status::unimplemented("There is no such method").into_http(),
        }
    }
}

/// A server as those of products are set up.
fn server<O, I>(limits: MessageLimits) -> Grpc<ProstCodec<O, I>>
where
    O: Message + Default + Send + 'static,
    I: Message + Default + Send + 'static,
{
    let mut server = Grpc::new(ProstCodec::default())
        .apply_max_message_size_config(Some(limits.decoding), Some(limits.encoding));
    for encoding in [Gzip, Zstd] {
        server = server.accept_compressed(encoding).send_compressed(encoding);
    }
    server
}

async fn nothing(_call: Call, _request: Empty) -> Result<Reply<Empty>> {
    Ok(Empty {}.into())
}

async fn simple(
    spec: &'static MethodSpec,
    request: Request<SimpleRequest>,
) -> Result<Response<SimpleResponse>, Status> {
    // The server's own errors do not know every code.
    if let Some(status) = &request.get_ref().response_status {
        return Err(failure(status));
    }
    let answer = |_, request: SimpleRequest| async move {
        let payload = Some(zeros(request.response_size));
        Ok(SimpleResponse { payload }.into())
    };
    guard::unary(spec, request, answer).await
}

async fn count(
    _call: Call,
    requests: Requests<StreamingInputCallRequest>,
) -> Result<Reply<StreamingInputCallResponse>> {
    let size = |request: StreamingInputCallRequest| request.payload.map_or(0, |p| p.body.len());
    let sum = |sum, request| async move { Ok::<_, Error>(sum + size(request)) };
    let sum = requests.try_fold(0, sum).await?;
    let aggregated_payload_size = i32::try_from(sum).expect("a few");
    Ok(StreamingInputCallResponse {
        aggregated_payload_size,
    }
    .into())
}

async fn duplex(
    call: Call,
    requests: Requests<StreamingOutputCallRequest>,
) -> Result<Replies<StreamingOutputCallResponse>> {
    let answers = requests.flat_map(move |request| match request {
        Ok(request) => outputs(request),
        Err(error) => Box::pin(stream::iter([Err(call.status_of(error))])),
    });
    Ok(Box::pin(answers))
}

/// The answers that a request asks for.
fn outputs(request: StreamingOutputCallRequest) -> Replies<StreamingOutputCallResponse> {
    let each = |parameters: ResponseParameters| async move {
        let wait = u64::try_from(parameters.interval_us).unwrap_or_default();
        if wait > 0 {
            tokio::time::sleep(Duration::from_micros(wait)).await;
        }
        let payload = Some(zeros(parameters.size));
        Ok(StreamingOutputCallResponse { payload })
    };
    let end = request.response_status.as_ref().map(|s| Err(failure(s)));
    let answers = stream::iter(request.response_parameters).then(each);
    Box::pin(answers.chain(stream::iter(end)))
}

fn zeros(size: i32) -> Payload {
    let size = usize::try_from(size).unwrap_or_default();
    Payload {
        body: vec![0; size],
    }
}

/// A failure as asked for, with the details that every failure here has.
fn failure(status: &EchoStatus) -> Status {
    let details = ErrorDetails::with_error_info("ASKED_FOR", DOMAIN, HashMap::new());
    Status::with_error_details(Code::from_i32(status.code), &status.message, details)
}

/// Sends back what a client asked to see again.
fn echo(given: &http::HeaderMap, mut response: http::Response<Body>) -> http::Response<Body> {
    if let Some(value) = given.get(INITIAL) {
        response.headers_mut().insert(INITIAL, value.clone());
    }
    let Some(value) = given.get(TRAILING).cloned() else {
        return response;
    };
    response.map(|body| {
        Body::new(body.map_frame(move |mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                trailers.insert(TRAILING, value.clone());
            }
            frame
        }))
    })
}
