//! Server streams over REST: a line of JSON per message, server-sent events, or
//! one array, as the `Accept` header asks. A failure after the first message is a
//! last message of its own, so that a cut connection is told from a failed call.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use tonic::Status;
use tonic::body::Body;

use super::call::Replies;
use super::respond::words_of;
use super::{accept, rest};
use crate::transcode::bind::Plurality;
use crate::transcode::errors::Problem;
use crate::transcode::router::Route;
use crate::transcode::schema::Schema;

const LINES: &str = "application/x-ndjson";
const EVENTS: &str = "text/event-stream";
const ARRAY: &str = "application/json";

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
        match accept::best(headers, &[LINES, EVENTS, ARRAY]) {
            Some(EVENTS) => Self::Events,
            Some(ARRAY) => Self::Array,
            Some(_) | None => Self::Lines,
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Lines => LINES,
            Self::Events => EVENTS,
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

/// The answer of a method that answers with a stream.
pub(super) async fn respond(
    schema: &'static Schema,
    route: &'static Route,
    headers: &HeaderMap,
    mut answers: Replies<Bytes>,
) -> Result<Response<Body>, Status> {
    let framing = Framing::of(headers, route);
    let mut content_type = framing.content_type();
    if framing == Framing::Raw {
        // A stream that has ended may not be asked again.
        let mut pieces = answers.fuse();
        if let Some(first) = pieces.next().await {
            // The first piece names the type of all.
            let first = first?;
            let named = rest::write(schema, route, Plurality::Many, &first, &mut Vec::new());
            content_type = named.map_err(|_| Status::internal("Internal server error"))?;
            answers = Box::pin(stream::iter([Ok(first)]).chain(pieces));
        } else {
            answers = Box::pin(pieces);
        }
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::OK;
    let out = response.headers_mut();
    if framing == Framing::Raw && !is_picture(&content_type) {
        // Callers made it: what a browser would run is kept, not shown.
        let kept = HeaderValue::from_static("attachment");
        out.insert(CONTENT_DISPOSITION, kept);
    }
    out.insert(CONTENT_TYPE, content_type);
    out.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let state = State {
        schema,
        route,
        framing,
        messages: Some(answers),
        first: true,
    };
    let chunks = stream::unfold(state, State::next);
    let frames = chunks.map(|chunk| chunk.map(|chunk| Frame::data(Bytes::from(chunk))));
    *response.body_mut() = Body::new(StreamBody::new(frames));
    Ok(response)
}

/// Whether bytes of a type are a picture and nothing else, which SVG is not.
fn is_picture(content_type: &HeaderValue) -> bool {
    const PICTURES: [&str; 5] = [
        "image/avif",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
    ];
    PICTURES.iter().any(|kind| content_type == kind)
}

struct State {
    schema: &'static Schema,
    route: &'static Route,
    framing: Framing,
    /// `None` once the stream has ended and its end is written.
    messages: Option<Replies<Bytes>>,
    first: bool,
}

impl State {
    async fn next(mut self) -> Option<(Result<Vec<u8>, Status>, Self)> {
        let message = self.messages.as_mut()?.next().await;
        let first = std::mem::take(&mut self.first);
        let chunk = match message {
            Some(Ok(wire)) => {
                let mut json = Vec::new();
                match rest::write(self.schema, self.route, Plurality::Many, &wire, &mut json) {
                    Ok(_) => Ok(self.framing.message(first, &json)),
                    Err(_) => self.fail(first, Status::internal("Internal server error")),
                }
            }
            Some(Err(status)) => self.fail(first, status),
            None => {
                self.messages = None;
                Ok(self.framing.end(first))
            }
        };
        Some((chunk, self))
    }

    fn fail(&mut self, first: bool, status: Status) -> Result<Vec<u8>, Status> {
        self.messages = None;
        if self.framing == Framing::Raw {
            // Bytes have no room for words; an end that is none says it.
            return Err(status);
        }
        let problem = Problem::of(&status, words_of(self.route.spec));
        let json = serde_json::json!({"code": problem.reason, "message": problem.message});
        let mut chunk = self.framing.failure(first, json.to_string().as_bytes());
        chunk.extend(self.framing.end(false));
        Ok(chunk)
    }
}
