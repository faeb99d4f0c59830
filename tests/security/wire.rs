//! One request, sent in every way its method can be reached: gRPC, gRPC-Web and
//! each REST route. Requests are JSON; the product's own codec turns them into
//! messages, and the `google.api.http` rules into paths, queries and bodies, so a
//! new method needs nothing here.

use apex::api::SCHEMA;
use apex::error::Kind;
use apex::policy::{Binding, Body, MethodSpec};
use apex::transcode::errors::http_status;
use apex::transcode::json::{Rules, decode, encode};
use bytes::{Buf as _, BufMut as _, Bytes};
use futures_util::StreamExt as _;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value, json};
use tonic::client::Grpc;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::frames::{Raw, parsed};
use super::rest;
use crate::support::grpc;

/// A way to reach a method.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    Grpc,
    GrpcWeb,
    Rest(&'static Binding),
}

/// Every way to reach a method.
pub fn ways(spec: &'static MethodSpec) -> Vec<Way> {
    let routes = spec.bindings.iter().map(Way::Rest);
    [Way::Grpc, Way::GrpcWeb]
        .into_iter()
        .chain(routes)
        .collect()
}

impl Way {
    /// Whether a browser may take it without meaning to change anything.
    pub fn is_safe(self) -> bool {
        matches!(self, Self::Rest(binding) if binding.verb == "GET")
    }

    /// For messages of failing tests.
    pub fn name(self) -> String {
        match self {
            Self::Grpc => "gRPC".to_owned(),
            Self::GrpcWeb => "gRPC-Web".to_owned(),
            Self::Rest(binding) => format!("{} {}", binding.verb, binding.template),
        }
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Outcome {
    way: String,
    /// The gRPC code; `None` over REST.
    code: Option<Code>,
    /// HTTP status; 200 over gRPC.
    pub http: u16,
    /// UPPER_SNAKE reason of a failure, where the answer shows one.
    pub reason: String,
    /// Everything a failure says, or the JSON of the answer.
    pub text: String,
    /// HTTP headers or gRPC metadata.
    pub headers: HeaderMap,
}

impl Outcome {
    /// Whether it succeeded.
    pub fn succeeded(&self) -> bool {
        match self.code {
            Some(code) => code == Code::Ok,
            None => (200..300).contains(&self.http),
        }
    }

    /// Whether it failed in this way.
    pub fn failed(&self, kind: Kind) -> bool {
        match self.code {
            Some(code) => code == kind.code(),
            None => self.http == http_status(kind, ""),
        }
    }

    /// Expects a success and answers its JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert!(self.succeeded(), "{self}");
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    fn of_status(way: String, status: &Status, headers: HeaderMap) -> Self {
        Self {
            way,
            code: Some(status.code()),
            http: 200,
            reason: grpc::reason(status),
            text: format!("{} {:?}", status.message(), status.get_error_details()),
            headers,
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            way, http, text, ..
        } = self;
        match self.code {
            Some(code) => write!(f, "{way}: {code:?}: {text}"),
            None => write!(f, "{way}: {http}: {text}"),
        }
    }
}

/// How a caller proves who it is.
#[derive(Debug, Clone)]
pub enum Credential {
    None,
    /// An API key, carried as the service takes it.
    Key(String),
    /// A session token, in the cookie.
    Session(String),
}

/// Somebody who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    url: String,
    channel: Channel,
    client: reqwest::Client,
    credential: Credential,
    headers: Vec<(String, String)>,
}

impl Caller {
    /// Somebody without a credential.
    pub async fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            channel: grpc::channel(url).await,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            credential: Credential::None,
            headers: Vec::new(),
        }
    }

    /// The same with a credential.
    pub fn who(&self, credential: Credential) -> Self {
        Self {
            credential,
            ..self.clone()
        }
    }

    /// The same over another connection.
    pub fn through(&self, channel: Channel) -> Self {
        Self {
            channel,
            ..self.clone()
        }
    }

    /// The same with another header.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut own = self.clone();
        own.headers.push((name.to_owned(), value.to_owned()));
        own
    }

    /// Calls a method.
    pub async fn call(&self, spec: &'static MethodSpec, way: Way, request: &Value) -> Outcome {
        match way {
            Way::Grpc => self.grpc(spec, request).await,
            Way::GrpcWeb => self.grpc_web(spec, request).await,
            Way::Rest(binding) => self.rest(spec, binding, request).await,
        }
    }

    fn headers(&self, spec: &MethodSpec) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut put = |name: &str, value: &str| {
            let name: http::HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        };
        match &self.credential {
            Credential::None => {}
            Credential::Key(key) if spec.service.carriers.bearer => {
                put("authorization", &format!("Bearer {key}"));
            }
            Credential::Key(key) => put("x-api-key", key),
            Credential::Session(token) => put("cookie", &format!("apex_session={token}")),
        }
        for (name, value) in &self.headers {
            put(name, value);
        }
        headers
    }

    /// A call the transport lost is no answer, and is sent once more. Who is refused before
    /// the request is read has the stream reset, and the server ends a connection that
    /// came to thousands of those.
    async fn grpc(&self, spec: &'static MethodSpec, request: &Value) -> Outcome {
        let first = self.grpc_once(spec, request).await;
        let lost = first.code == Some(Code::Unknown) && first.text.starts_with("transport error");
        match lost {
            true => self.grpc_once(spec, request).await,
            false => first,
        }
    }

    async fn grpc_once(&self, spec: &'static MethodSpec, request: &Value) -> Outcome {
        let way = Way::Grpc.name();
        let message = Bytes::from(message(spec, request));
        let mut client = Grpc::new(self.channel.clone());
        client.ready().await.expect("a connection");
        // On the wire a single message is a stream of one.
        let mut request = Request::new(tokio_stream::once(message));
        *request.metadata_mut() = MetadataMap::from_headers(self.headers(spec));
        let path = http::uri::PathAndQuery::from_static(spec.path);
        let answer = match client.streaming(request, path, Raw).await {
            Ok(answer) => answer,
            Err(status) => {
                if status.message() == "transport error" {
                    println!("lost by the transport: {}: {status:?}", spec.path);
                }
                let headers = status.metadata().clone().into_headers();
                return Outcome::of_status(way, &status, headers);
            }
        };
        let (metadata, mut messages, _) = answer.into_parts();
        let headers = metadata.into_headers();
        let mut all = Vec::new();
        while let Some(next) = messages.next().await {
            match next {
                Ok(bytes) => all.push(shown(spec, &bytes)),
                Err(status) => return Outcome::of_status(way, &status, headers),
            }
            if is_endless(spec) {
                break;
            }
        }
        Outcome {
            way,
            code: Some(Code::Ok),
            http: 200,
            reason: String::new(),
            text: joined(spec, &all),
            headers,
        }
    }

    async fn grpc_web(&self, spec: &'static MethodSpec, request: &Value) -> Outcome {
        let way = Way::GrpcWeb.name();
        let message = message(spec, request);
        let mut frame = vec![0];
        frame.put_u32(message.len() as u32);
        frame.extend(message);
        let request = self
            .client
            .post(format!("{}{}", self.url, spec.path))
            .headers(self.headers(spec))
            .header("content-type", "application/grpc-web+proto")
            .header("x-grpc-web", "1")
            .body(frame);
        let answer = request.send().await.expect("an answer");
        let (http, headers) = (answer.status().as_u16(), answer.headers().clone());
        let mut body = said(spec, answer).await;
        let (mut all, mut trailers) = (Vec::new(), headers.clone());
        while body.remaining() >= 5 {
            let (flags, length) = (body.get_u8(), body.get_u32() as usize);
            let part = body.split_to(length);
            match flags {
                0 => all.push(shown(spec, &part)),
                _ => trailers.extend(parsed(&part)),
            }
        }
        let status = Status::from_header_map(&trailers).unwrap_or_else(|| {
            match is_endless(spec) && !all.is_empty() {
                true => Status::ok(""),
                false => Status::unknown(format!("HTTP {http}, no grpc-status")),
            }
        });
        let mut outcome = Outcome::of_status(way, &status, headers);
        if status.code() == Code::Ok {
            outcome.text = joined(spec, &all);
        }
        Outcome { http, ..outcome }
    }

    async fn rest(
        &self,
        spec: &'static MethodSpec,
        binding: &'static Binding,
        request: &Value,
    ) -> Outcome {
        let request = rest::request(spec, binding, request);
        let verb = Method::from_bytes(binding.verb.as_bytes()).unwrap();
        let url = format!("{}{}", self.url, request.path);
        let mut sending = self.client.request(verb, url).headers(self.headers(spec));
        for (name, value) in request.headers {
            sending = sending.header(name, value);
        }
        if let Some(body) = request.body {
            let sending_json = sending.header("content-type", "application/json");
            sending = sending_json.body(body.to_string());
        }
        let answer = sending.send().await.expect("an answer");
        let (http, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = said(spec, answer).await;
        let text = String::from_utf8(text.to_vec()).expect("text");
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        let reason = [&body["code"], &body["error"]["code"], &body["errorCode"]];
        let reason = reason.into_iter().find_map(Value::as_str);
        Outcome {
            way: Way::Rest(binding).name(),
            code: None,
            http,
            reason: reason.unwrap_or_default().to_owned(),
            text,
            headers,
        }
    }
}

/// The request as a message. A mask names what the request changes, as it does
/// over REST.
fn message(spec: &MethodSpec, request: &Value) -> Vec<u8> {
    let mut request = request.clone();
    if spec.update_mask_from_body && request.get("updateMask").is_none() {
        let bound = rest::variables(spec);
        // What is changed is the request, or the member of it that is REST's body.
        let target = spec.bindings.iter().find_map(|binding| match binding.body {
            Body::Field(name) => Some(&request[name]),
            Body::Whole | Body::None => None,
        });
        let target = target.unwrap_or(&request);
        let members: Map<String, Value> = target.as_object().cloned().unwrap_or_default();
        let changed = members.keys().filter(|name| !bound.contains(name));
        let paths: Vec<String> = changed.map(|name| rest::camel(name)).collect();
        request["updateMask"] = json!(paths.join(","));
    }
    let id = SCHEMA.find(spec.input).expect("the request's type");
    let mut wire = Vec::new();
    let rules = Rules::of(spec.profile);
    let text = request.to_string();
    decode::message(&SCHEMA, rules, id, &text, &mut wire)
        .unwrap_or_else(|fault| panic!("{}: {fault} in {text}", spec.path));
    wire
}

/// Whether a method's answer goes on until somebody ends it; its first message is enough.
fn is_endless(spec: &MethodSpec) -> bool {
    matches!(spec.name, "WatchChanges" | "WatchServiceLogs")
}

/// The body of an answer, or how one that does not end begins.
async fn said(spec: &MethodSpec, mut answer: reqwest::Response) -> Bytes {
    match is_endless(spec) {
        true => answer.chunk().await.expect("a body").unwrap_or_default(),
        false => answer.bytes().await.expect("a body"),
    }
}

/// A message of the answer as JSON.
fn shown(spec: &MethodSpec, wire: &[u8]) -> String {
    let id = SCHEMA.find(spec.output).expect("the answer's type");
    let mut text = Vec::new();
    encode::message(&SCHEMA, Rules::of(spec.profile), id, wire, &mut text).expect("a message");
    String::from_utf8(text).expect("text")
}

fn joined(spec: &MethodSpec, messages: &[String]) -> String {
    match spec.server_streaming {
        true => format!("[{}]", messages.join(",")),
        false => messages.concat(),
    }
}
