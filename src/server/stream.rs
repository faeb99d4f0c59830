//! Server streams over REST: a line of JSON per message, server-sent events, or
//! one array, as the `Accept` header asks. A failure after the first message is a
//! last message of its own, so that a cut connection is told from a failed call.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use tonic::Status;
use tonic::body::Body;

use super::respond::words_of;
use super::rest;
use crate::transcode::bind::Plurality;
use crate::transcode::errors::Problem;
use crate::transcode::router::Route;
use crate::transcode::schema::Schema;

/// How the messages of a stream are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Lines,
    Events,
    Array,
    /// Raw bytes of `google.api.HttpBody`, one after another.
    Raw,
}

impl Framing {
    fn of(headers: &HeaderMap, route: &Route) -> Self {
        if route.spec.output == "google.api.HttpBody" {
            return Self::Raw;
        }
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        let accept = accept.unwrap_or_default();
        if accept.contains("text/event-stream") {
            Self::Events
        } else if accept.contains("application/json") {
            Self::Array
        } else {
            Self::Lines
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Lines => "application/x-ndjson",
            Self::Events => "text/event-stream",
            Self::Array => "application/json; charset=utf-8",
            Self::Raw => "application/octet-stream",
        })
    }

    fn message(self, first: bool, json: &[u8]) -> Vec<u8> {
        match self {
            Self::Lines => [json, b"\n"].concat(),
            Self::Events => [b"data: ".as_slice(), json, b"\n\n"].concat(),
            Self::Array => [if first { b"[".as_slice() } else { b"," }, json].concat(),
            Self::Raw => json.to_vec(),
        }
    }

    fn failure(self, first: bool, json: &[u8]) -> Vec<u8> {
        let body = [b"{\"error\":".as_slice(), json, b"}"].concat();
        match self {
            Self::Lines => [body.as_slice(), b"\n"].concat(),
            Self::Events => [b"event: error\ndata: ".as_slice(), &body, b"\n\n"].concat(),
            Self::Array => self.message(first, &body),
            Self::Raw => Vec::new(),
        }
    }

    fn end(self, first: bool) -> Vec<u8> {
        match (self, first) {
            (Self::Array, true) => b"[]".to_vec(),
            (Self::Array, false) => b"]".to_vec(),
            (Self::Lines | Self::Events | Self::Raw, _) => Vec::new(),
        }
    }
}

type Messages = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// The answer of a method that answers with a stream.
pub(super) fn respond(
    schema: &'static Schema,
    route: &'static Route,
    headers: &HeaderMap,
    answer: tonic::Response<Messages>,
) -> Response<Body> {
    let framing = Framing::of(headers, route);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::OK;
    let out = response.headers_mut();
    out.insert(CONTENT_TYPE, framing.content_type());
    out.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    rest::put_headers(out, &answer);
    let state = State {
        schema,
        route,
        framing,
        messages: Some(answer.into_inner()),
        first: true,
    };
    let chunks = stream::unfold(state, State::next);
    let frames = chunks.map(|chunk| Ok::<_, Status>(Frame::data(Bytes::from(chunk))));
    *response.body_mut() = Body::new(StreamBody::new(frames));
    response
}

struct State {
    schema: &'static Schema,
    route: &'static Route,
    framing: Framing,
    /// `None` once the stream has ended and its end is written.
    messages: Option<Messages>,
    first: bool,
}

impl State {
    async fn next(mut self) -> Option<(Vec<u8>, Self)> {
        let message = self.messages.as_mut()?.next().await;
        let first = std::mem::take(&mut self.first);
        let chunk = match message {
            Some(Ok(wire)) => {
                let mut json = Vec::new();
                match rest::write(self.schema, self.route, Plurality::Many, &wire, &mut json) {
                    Ok(_) => self.framing.message(first, &json),
                    Err(_) => self.fail(first, &Status::internal("Internal server error")),
                }
            }
            Some(Err(status)) => self.fail(first, &status),
            None => {
                self.messages = None;
                self.framing.end(first)
            }
        };
        Some((chunk, self))
    }

    fn fail(&mut self, first: bool, status: &Status) -> Vec<u8> {
        self.messages = None;
        let problem = Problem::of(status, words_of(self.route.spec));
        let json = serde_json::json!({"code": problem.reason, "message": problem.message});
        let mut chunk = self.framing.failure(first, json.to_string().as_bytes());
        chunk.extend(self.framing.end(false));
        chunk
    }
}
