//! gRPC's TestService, through everything a product's method passes: the edge, the
//! gate, the guards of its kind of method.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use apex::error::{DOMAIN, Error, Result};
use apex::policy::MethodSpec;
use apex::server::dispatch::{
    self, Asked, Dispatched, Endpoint, GrpcService, MessageLimits, Messages,
};
use apex::server::{Call, Replies, Reply, Requests, guard, library};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http_body_util::BodyExt as _;
use prost::Message as _;
use tonic::body::Body;
use tonic::{Code, Status};
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

/// The service, as tonic would serve it.
pub fn server(methods: &'static [MethodSpec]) -> GrpcService {
    dispatch::grpc(service_fn(move |request: http::Request<Body>| async move {
        let given = request.headers().clone();
        let call = request.extensions().get::<Call>().expect("a call").clone();
        let response = library::answer(Arc::new(TestService(methods)), call, request, LIMITS);
        Ok(echo(&given, response.await))
    }))
}

const LIMITS: MessageLimits = MessageLimits {
    decoding: 4 << 20,
    encoding: 16 << 20,
};

struct TestService(&'static [MethodSpec]);

impl Endpoint for TestService {
    fn service(&self) -> &'static str {
        "grpc.testing.TestService"
    }

    fn dispatch(&self, method: usize, asked: Asked) -> Dispatched {
        let spec = &self.0[method];
        match spec.name {
            "EmptyCall" => guard::unary(spec, asked, None, nothing),
            "UnaryCall" => simple(spec, asked),
            "StreamingInputCall" => guard::client_stream(spec, asked, count),
            "StreamingOutputCall" => {
                guard::server_stream(spec, asked, |_, request| async { Ok(outputs(request)) })
            }
            "FullDuplexCall" => guard::bidirectional(spec, asked, duplex),
            _ => Box::pin(async { Err(Status::unimplemented("There is no such method")) }),
        }
    }
}

async fn nothing(_call: Call, _request: Empty) -> Result<Reply<Empty>> {
    Ok(Empty {}.into())
}

fn simple(spec: &'static MethodSpec, asked: Asked) -> Dispatched {
    let Messages::One(wire) = &asked.messages else {
        return dispatch::unknown();
    };
    // The server's own errors do not know every code.
    let request = SimpleRequest::decode(wire.as_ref()).expect("a request");
    if let Some(status) = &request.response_status {
        let failure = failure(status);
        return Box::pin(async { Err(failure) });
    }
    let answer = |_, request: SimpleRequest| async move {
        let payload = Some(zeros(request.response_size));
        Ok(SimpleResponse { payload }.into())
    };
    guard::unary(spec, asked, None, answer)
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
