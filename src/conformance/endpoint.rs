//! An endpoint of a service that is known only at run time: messages stay
//! encoded, and one handler answers every method.

use std::pin::Pin;
use std::sync::Arc;

use bytes::{Buf as _, BufMut as _, Bytes};
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt as _, stream};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::Grpc;
use tonic::{Request, Response, Status, Streaming};

use crate::error::Error;
use crate::policy::MethodSpec;
use crate::server::call::Matched;
use crate::server::dispatch::{self, Answer, Dispatched, Endpoint, GrpcService, MessageLimits};
use crate::server::{Call, pace, page};
use crate::transcode::schema::Schema;
use crate::transcode::wire::{Fields, Raw};

/// One request to a method.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The call, as the gate let it in.
    pub call: Call,
    /// The method.
    pub spec: &'static MethodSpec,
    /// Path template that matched; `None` over gRPC.
    pub template: Option<&'static str>,
    /// The encoded request.
    pub request: Bytes,
}

/// Answers of a method, encoded; one of them unless the method streams. The
/// first failure ends them.
pub type Answers = Vec<Result<Bytes, Error>>;

/// Answers every method.
pub type Handler = Arc<dyn Fn(Exchange) -> BoxFuture<'static, Answers> + Send + Sync>;

/// A service whose methods are all answered by one handler.
#[derive(Clone)]
pub(super) struct Dynamic {
    service: &'static str,
    methods: &'static [MethodSpec],
    /// JSON name and number of the fields that name a project, by method.
    keys: Arc<[Option<(&'static str, u32)>]>,
    handler: Handler,
}

impl Dynamic {
    pub(super) fn new(
        service: &'static str,
        methods: &'static [MethodSpec],
        schema: &'static Schema,
        handler: Handler,
    ) -> Self {
        let key = |spec: &MethodSpec| {
            let row = schema.message(schema.find(spec.input)?);
            let at = row.position(spec.project_field?, usize::MAX)?;
            let field = &row.fields[usize::from(at)];
            Some((field.json.as_str(), field.number))
        };
        Self {
            service,
            methods,
            keys: methods.iter().map(key).collect(),
            handler,
        }
    }
}

impl Endpoint for Dynamic {
    fn service(&self) -> &'static str {
        self.service
    }

    fn grpc(&self, limits: MessageLimits) -> GrpcService {
        let handler = self.handler.clone();
        dispatch::grpc(tower::service_fn(move |request: http::Request<Body>| {
            let handler = handler.clone();
            async move {
                let call = request.extensions().get::<Call>().cloned();
                let mut grpc = Grpc::new(Plain)
                    .apply_max_message_size_config(Some(limits.decoding), Some(limits.encoding));
                if let Some(call) = call.clone().filter(is_unary) {
                    let service = tower::service_fn(move |request: Request<Bytes>| {
                        one(call.clone(), request.into_inner(), handler.clone())
                    });
                    return Ok(grpc.unary(service, request).await);
                }
                let service = tower::service_fn(move |requests: Request<Streaming<Bytes>>| {
                    let answers = answers(call.clone(), requests.into_inner(), handler.clone());
                    std::future::ready(Ok::<_, Status>(Response::new(answers)))
                });
                Ok(grpc.streaming(service, request).await)
            }
        }))
    }

    fn dispatch(&self, method: usize, mut request: Request<Bytes>) -> Dispatched {
        let (spec, handler) = (&self.methods[method], self.handler.clone());
        let call = request.extensions_mut().remove::<Call>();
        let matched = request.extensions_mut().remove::<Matched>();
        let exchange = call.map(|call| Exchange {
            call,
            spec,
            template: matched.map(|matched| matched.0.template),
            request: request.into_inner(),
        });
        let key = self.keys.get(method).copied().flatten();
        Box::pin(async move {
            let exchange = exchange.ok_or_else(|| Status::internal("the gate was passed by"))?;
            let call = exchange.call.clone();
            if let Some((field, number)) = key {
                let named = text(&exchange.request, number);
                let identified = page::identify(&call, field, &named).await;
                identified.map_err(|error| call.status_of(error))?;
            }
            let mut answers = told(&call, handler(exchange).await);
            if spec.server_streaming {
                return Ok(Answer::Many(Response::new(Box::pin(stream::iter(answers)))));
            }
            let answer = answers.pop().unwrap_or_else(|| Ok(Bytes::new()))?;
            let frame = dispatch::framed(answer.len(), |frame| frame.extend_from_slice(&answer));
            Ok(Answer::One(Response::new(frame)))
        })
    }
}

/// The text of a field.
fn text(message: &[u8], number: u32) -> String {
    let mut fields = Fields::new(message);
    let mut found = String::new();
    while let Ok(Some((own, raw))) = fields.read() {
        if let Raw::Bytes(bytes) = raw
            && own == number
        {
            found = String::from_utf8_lossy(bytes).into_owned();
        }
    }
    found
}

fn told(call: &Call, answers: Answers) -> Vec<Result<Bytes, Status>> {
    let tell = |answer: Result<Bytes, Error>| answer.map_err(|error| call.status_of(error));
    answers.into_iter().map(tell).collect()
}

type Encoded = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

fn is_unary(call: &Call) -> bool {
    !call.spec().client_streaming && !call.spec().server_streaming
}

/// A method with one request and one answer.
async fn one(call: Call, request: Bytes, handler: Handler) -> Result<Response<Bytes>, Status> {
    let exchange = Exchange {
        call: call.clone(),
        spec: call.spec(),
        template: None,
        request,
    };
    let answer = told(&call, handler(exchange).await).pop();
    answer
        .unwrap_or_else(|| Ok(Bytes::new()))
        .map(Response::new)
}

/// Every other kind of gRPC method is a stream of requests and a stream of answers.
fn answers(call: Option<Call>, requests: Streaming<Bytes>, handler: Handler) -> Encoded {
    let Some(call) = call else {
        let refused = Status::internal("the gate was passed by");
        return Box::pin(stream::iter([Err(refused)]));
    };
    let (spec, whole) = (call.spec(), call.clone());
    let each = requests.then(move |request| {
        let (call, handler) = (call.clone(), handler.clone());
        async move {
            let exchange = Exchange {
                call: call.clone(),
                spec,
                template: None,
                request: request?,
            };
            Ok(told(&call, handler(exchange).await))
        }
    });
    let flat =
        each.flat_map(|answers| stream::iter(answers.unwrap_or_else(|status| vec![Err(status)])));
    match spec.server_streaming {
        true => pace::until_deadline(&whole, Box::pin(flat)),
        false => Box::pin(flat.take(1)),
    }
}

/// Messages as the bytes they are.
#[derive(Debug, Clone, Copy)]
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
