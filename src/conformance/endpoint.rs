//! An endpoint of a service that is known only at run time: messages stay
//! encoded, and one handler answers every method.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use tonic::{Status, Streaming};

use crate::error::Error;
use crate::policy::MethodSpec;
use crate::server::dispatch::{self, Answer, Asked, Dispatched, Endpoint, Messages, One};
use crate::server::{Call, Replies, pace, page};
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

    fn dispatch(&self, method: usize, asked: Asked) -> Dispatched {
        let (spec, handler) = (&self.methods[method], self.handler.clone());
        let Asked {
            call,
            route,
            messages,
        } = asked;
        let exchange = move |call: &Call, request: Bytes| Exchange {
            call: call.clone(),
            spec,
            template: route.map(|route| route.template),
            request,
        };
        let key = self.keys.get(method).copied().flatten();
        Box::pin(async move {
            let mut answers = match messages {
                Messages::Many(requests) => answers(call.clone(), requests, exchange, handler),
                Messages::One(request) => {
                    if let Some((field, number)) = key {
                        let named = text(&request, number);
                        let identified = page::identify(&call, field, &named).await;
                        identified.map_err(|error| call.status_of(error))?;
                    }
                    let exchange = exchange(&call, request);
                    Box::pin(stream::iter(told(&call, handler(exchange).await)))
                }
            };
            if spec.server_streaming {
                return Ok(Answer::Many(pace::until_deadline(&call, answers)));
            }
            let answer = answers.next().await.unwrap_or_else(|| Ok(Bytes::new()))?;
            let frame = dispatch::framed(answer.len(), |frame| frame.extend_from_slice(&answer));
            Ok(Answer::One(One {
                frame,
                ..One::default()
            }))
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

/// The answers to every request of a stream.
fn answers(
    call: Call,
    requests: Streaming<Bytes>,
    exchange: impl Fn(&Call, Bytes) -> Exchange + Send + 'static,
    handler: Handler,
) -> Replies<Bytes> {
    let each = requests.then(move |request| {
        let asked = request.map(|request| exchange(&call, request));
        let (call, handler) = (call.clone(), handler.clone());
        async move { Ok(told(&call, handler(asked?).await)) }
    });
    Box::pin(
        each.flat_map(|answers| stream::iter(answers.unwrap_or_else(|status| vec![Err(status)]))),
    )
}
