//! REST: reads a request into the message of its method, calls the method, and
//! writes the answer as the method's profile says.

use std::io::Read as _;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tonic::Status;
use tonic::body::Body;

use super::call::Call;
use super::dispatch::{Answer, Asked, Endpoint, HEAD, Messages, One};
use super::headers::X_SERVICE_METHOD;
use super::respond::JSON;
use super::{accept, stream};
use crate::error::{Error, Kind, Result, reason};
use crate::policy::{Auth, Dialect, When};
use crate::transcode::bind::{self, Parts, Plurality};
use crate::transcode::json::{DEPTH, Rules, encode, raw};
use crate::transcode::router::Route;
use crate::transcode::schema::{Kind as Type, Schema};
use crate::transcode::wire::{self, Malformed};

/// Most memory a zstd frame may ask for, as RFC 8878 recommends: 8 MiB. Its head can
/// claim gigabytes.
const ZSTD_WINDOW_LOG: u32 = 23;

/// A body that has been read, or why it could not be.
pub(super) type ReadBody = Result<Bytes>;

/// Whose a route is that methods share: it has no circumstance.
pub(super) fn owner<'r>(candidates: &[&'r Route]) -> &'r Route {
    let owner = candidates.iter().find(|route| route.spec.when.is_empty());
    owner.copied().unwrap_or(candidates[0])
}

/// Whether a request of FeathersJS names a method that none of its routes is. It must not
/// be taken for the one that needs no name.
pub(super) fn names_no_method(candidates: &[&Route], parts: &http::request::Parts) -> bool {
    let Some(named) = parts.headers.get(&X_SERVICE_METHOD) else {
        return false;
    };
    let takes =
        parts.method == http::Method::POST && candidates[0].spec.dialect == Dialect::Feathers;
    let mut when = candidates.iter().flat_map(|route| route.spec.when);
    takes && !when.any(|when| when.service_method.is_some_and(|own| named == own))
}

/// Picks among the methods that share a route. Its owner is also answered when the
/// body cannot be read.
pub(super) async fn pick<'r>(
    candidates: &[&'r Route],
    parts: &http::request::Parts,
    body: &mut Option<Incoming>,
    has_credential: bool,
    limits: BodyLimits,
) -> (&'r Route, Option<ReadBody>) {
    let owner = owner(candidates);
    let conditions = || candidates.iter().flat_map(|route| route.spec.when);
    let needs_body = conditions().any(|when| when.body_array || when.body_member.is_some());
    let read = match needs_body.then(|| body.take()).flatten() {
        Some(incoming) => Some(read_body(&parts.headers, incoming, limits).await),
        None => None,
    };
    let bytes = match &read {
        Some(Ok(bytes)) => bytes.as_ref(),
        Some(Err(_)) => return (owner, read),
        None => &[],
    };
    let holds = |when: &When| circumstance(when, parts, bytes, has_credential);
    let hit = candidates
        .iter()
        .find(|route| route.spec.when.iter().any(holds));
    (hit.copied().unwrap_or(owner), read)
}

fn circumstance(
    when: &When,
    parts: &http::request::Parts,
    body: &[u8],
    has_credential: bool,
) -> bool {
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let text = || std::str::from_utf8(body).unwrap_or_default().trim_start();
    let query = || parts.uri.query().unwrap_or_default().split('&');
    when.credential
        .is_none_or(|wanted| wanted == has_credential)
        && when
            .service_method
            .is_none_or(|name| header("x-service-method") == Some(name))
        && when
            .accept
            .is_none_or(|kind| accept::names(&parts.headers, kind))
        && when.query.is_none_or(|pair| query().any(|own| own == pair))
        && when.scheme.is_none_or(|wanted| {
            let scheme = header("authorization").and_then(|value| value.split(' ').next());
            scheme.is_some_and(|own| own.eq_ignore_ascii_case(wanted))
        })
        && (!when.body_array || text().starts_with('['))
        && when.body_member.is_none_or(|name| {
            let members = raw::members(text().trim_end(), DEPTH);
            members.is_ok_and(|members| members.iter().any(|(own, _)| own == name))
        })
}

/// How large a body may be and how long it may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    pub(super) bytes: usize,
    pub(super) time: std::time::Duration,
}

/// Refuses a body that says it is too large, before it is read.
pub(super) fn fits(body: &Incoming, limits: BodyLimits) -> Result<(), Error> {
    match body.size_hint().lower() > limits.bytes as u64 {
        true => Err(Error::too_large(limits.bytes)),
        false => Ok(()),
    }
}

/// Reads and decompresses a body.
pub(super) async fn read_body(headers: &HeaderMap, body: Incoming, limits: BodyLimits) -> ReadBody {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    fits(&body, limits)?;
    let collected = tokio::time::timeout(limits.time, collect(body, limits.bytes)).await;
    let timeout = |_| {
        Error::new(Kind::DeadlineExceeded, "The body took too long").reason(reason::REQUEST_TIMEOUT)
    };
    let bytes = collected.map_err(timeout)??;
    match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity" | b"") => Ok(bytes),
        Some(b"gzip") => decompress(
            flate2::read::MultiGzDecoder::new(bytes.as_ref()),
            limits.bytes,
        ),
        Some(b"zstd") => {
            let decoder = zstd::stream::read::Decoder::new(bytes.as_ref());
            let mut decoder = decoder.map_err(|_| broken("zstd"))?;
            let set = decoder.window_log_max(ZSTD_WINDOW_LOG);
            set.map_err(|_| broken("zstd"))?;
            decompress(decoder, limits.bytes)
        }
        Some(_) => Err(Error::invalid("Content-Encoding must be gzip or zstd")
            .reason(reason::UNSUPPORTED_MEDIA_TYPE)),
    }
}

async fn collect(mut body: Incoming, limit: usize) -> ReadBody {
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Error::new(Kind::Cancelled, "The body ended early").caused_by(error)
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let so_far = first.as_ref().map_or(0, Bytes::len) + rest.len();
        if so_far + data.len() > limit {
            return Err(Error::too_large(limit));
        }
        match first {
            None => first = Some(data),
            Some(_) => rest.extend_from_slice(&data),
        }
    }
    let first = first.unwrap_or_default();
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

/// A body that was read for another method is bounded by this one's limit too.
pub(super) fn within(read: ReadBody, limits: BodyLimits) -> ReadBody {
    match read {
        Ok(body) if body.len() > limits.bytes => Err(Error::too_large(limits.bytes)),
        read => read,
    }
}

/// The limit counts decompressed bytes, so that a small bomb stays small.
fn decompress(decoder: impl std::io::Read, limit: usize) -> ReadBody {
    let mut plain = Vec::new();
    let read = decoder.take(limit as u64 + 1).read_to_end(&mut plain);
    read.map_err(|_| broken("compressed"))?;
    if plain.len() > limit {
        return Err(Error::too_large(limit));
    }
    Ok(plain.into())
}

fn broken(what: &str) -> Error {
    Error::invalid(format!("The body is not valid {what} data"))
}

/// A body that is there must be JSON. Pages may send it as text, which is what
/// `navigator.sendBeacon` does.
fn check_content_type(
    schema: &Schema,
    route: &Route,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<()> {
    let Some(value) = headers.get(CONTENT_TYPE).filter(|_| !body.is_empty()) else {
        return Ok(());
    };
    let value = value.to_str().unwrap_or_default();
    let kind = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let is_json = kind == "application/json" || kind.ends_with("+json");
    let of_pages = route.spec.auth == Auth::ProjectKey || route.spec.any_origin;
    let from_page = of_pages && kind == "text/plain";
    if is_json || from_page || bind::takes_raw_body(schema, route) {
        return Ok(());
    }
    Err(Error::invalid("Content-Type must be application/json")
        .reason(reason::UNSUPPORTED_MEDIA_TYPE))
}

/// What a request brings, for its message.
pub(super) fn brought<'a>(parts: &'a http::request::Parts, body: &'a [u8]) -> Parts<'a> {
    let kind = parts.headers.get(CONTENT_TYPE);
    Parts {
        path: parts.uri.path(),
        query: parts.uri.query(),
        body,
        content_type: kind.and_then(|value| value.to_str().ok()),
        headers: &parts.headers,
    }
}

const HTTP_BODY: &str = "google.api.HttpBody";

/// Calls the method of a route.
pub(super) async fn call(
    schema: &'static Schema,
    endpoint: &dyn Endpoint,
    route: &'static Route,
    call: &Call,
    parts: &http::request::Parts,
    body: Bytes,
) -> Result<Response<Body>, Status> {
    let spec = route.spec;
    let headers = &parts.headers;
    let bound = check_content_type(schema, route, headers, &body)
        .and_then(|()| bind::request(schema, route, brought(parts, &body)));
    let (wire, plurality) = bound.map_err(|error| call.status_of(error))?;
    let asked = Asked {
        call: call.clone(),
        route: Some(route.binding),
        messages: Messages::One(wire.into()),
    };
    match endpoint.dispatch(spec.index, asked).await? {
        Answer::One(answer) => one(schema, route, plurality, answer),
        Answer::Many(answers) => stream::respond(schema, route, headers, answers).await,
    }
}

pub(super) fn one(
    schema: &Schema,
    route: &Route,
    plurality: Plurality,
    answer: One,
) -> Result<Response<Body>, Status> {
    let message = &answer.frame[HEAD..];
    let malformed = |_| Status::internal("Internal server error");
    let (content_type, body) = match answer.body {
        Some(body) => (type_of_body(message).map_err(malformed)?, body),
        None => {
            let mut body = Vec::with_capacity(message.len() * 2 + 32);
            let kind = write(schema, route, plurality, message, &mut body).map_err(malformed)?;
            (kind, Bytes::from(body))
        }
    };
    let status = answer.status.unwrap_or(route.spec.success_status);
    let status = StatusCode::from_u16(status).unwrap_or_default();
    let mut response = match status {
        // There is no such thing as its body, not even an empty object.
        StatusCode::NO_CONTENT => Response::new(Body::empty()),
        _ => {
            let mut response = Response::new(Body::new(Full::from(body)));
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            response
        }
    };
    *response.status_mut() = status;
    for (name, value) in answer.headers {
        response.headers_mut().append(name, value);
    }
    Ok(response)
}

/// Writes an answer and names its type.
pub(super) fn write(
    schema: &Schema,
    route: &Route,
    plurality: Plurality,
    wire: &[u8],
    out: &mut Vec<u8>,
) -> Result<HeaderValue, Malformed> {
    let rules = Rules::of(route.spec.profile);
    let row = schema.message(route.output);
    if row.name == HTTP_BODY {
        return http_body(wire, out);
    }
    let alike = route.spec.one_or_many.or(route.binding.response_body);
    let Some(at) = alike.and_then(|name| row.position(name, usize::MAX)) else {
        encode::message(schema, rules, route.output, wire, out)?;
        return Ok(JSON);
    };
    if let Type::Message(id) = row.fields[usize::from(at)].kind
        && schema.message(id).name == HTTP_BODY
    {
        return http_body(
            wire::bytes_of(wire, row.fields[usize::from(at)].number)?,
            out,
        );
    }
    encode::field(schema, rules, route.output, at, wire, out)?;
    // One object was sent, so one is answered rather than a list of one.
    if route.spec.one_or_many.is_some() && plurality == Plurality::One && out.len() > 2 {
        out.pop();
        out.remove(0);
    }
    Ok(JSON)
}

/// `google.api.HttpBody`: bytes with a type of their own.
fn http_body(wire: &[u8], out: &mut Vec<u8>) -> Result<HeaderValue, Malformed> {
    out.extend_from_slice(wire::bytes_of(wire, 2)?);
    type_of_body(wire)
}

/// The type a `google.api.HttpBody` says it is of.
fn type_of_body(wire: &[u8]) -> Result<HeaderValue, Malformed> {
    let kind = wire::bytes_of(wire, 1)?;
    let fallback = HeaderValue::from_static("application/octet-stream");
    Ok(HeaderValue::from_bytes(kind)
        .ok()
        .filter(|k| !k.is_empty())
        .unwrap_or(fallback))
}
