//! The one place where a failure becomes an answer: the documented REST body, or
//! gRPC trailers. It also shows how the rate limit stands.

use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use tonic::body::Body;
use tonic::{Code, Status};

use super::headers::{GRPC_STATUS, GRPC_STATUS_DETAILS};
use super::shared::Shared;
use crate::api::SERVICES;
use crate::error::{Error, Kind};
use crate::limit::Standing;
use crate::policy::{Dialect, MethodSpec, ServiceSpec};
use crate::transcode::errors::{Problem, Words};

/// JSON, as every REST answer says.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// How a method, or a path nobody owns, words its failures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) words: Words,
    pub(super) rate_headers: bool,
}

/// The words of a method's failures.
pub fn words_of(spec: &MethodSpec) -> Words {
    Words {
        dialect: spec.dialect,
        invalid: spec.service.invalid_code,
    }
}

/// Who claims a path that is no method's: the product its host belongs to, else the
/// service with the longest prefix of it.
pub(super) fn owner(
    shared: &Shared,
    path: &str,
    host: Option<&str>,
) -> Option<&'static ServiceSpec> {
    let is_own = |own: &str| host.is_some_and(|host| own.eq_ignore_ascii_case(host));
    let product = shared.hosts.iter().find(|(own, _)| is_own(own));
    let by_host =
        product.and_then(|(_, product)| SERVICES.iter().find(|service| service.product == product));
    let by_prefix = || {
        let claims = SERVICES.iter().flat_map(|service| {
            let own = service.owns.iter();
            let own = own.filter(|prefix| path.starts_with(**prefix));
            own.map(move |prefix| (prefix.len(), service))
        });
        let longest = claims.max_by_key(|(len, _)| *len);
        longest.map(|(_, service)| service)
    };
    by_host.or_else(by_prefix)
}

impl Manner {
    pub(super) fn of(spec: &MethodSpec) -> Self {
        Self {
            words: words_of(spec),
            rate_headers: spec.service.rate_headers,
        }
    }

    /// The manner of a path that is no method's: of the product that claims it, or the
    /// flat one that most have.
    pub(super) fn of_path(owner: Option<&ServiceSpec>) -> Self {
        Self {
            words: Words {
                dialect: owner.map_or(Dialect::Flat, |service| service.dialect),
                invalid: owner.and_then(|service| service.invalid_code),
            },
            rate_headers: owner.is_some_and(|service| service.rate_headers),
        }
    }

    /// The status of a failure.
    pub(super) fn status(self, error: Error) -> Status {
        let word = self.words.word(error.kind());
        error.into_status(word)
    }

    /// A failure as a REST answer.
    pub(super) fn rest(self, status: &Status) -> Response<Body> {
        let problem = Problem::of(status, self.words);
        let body = Full::from(problem.body(self.words.dialect));
        let mut response = Response::new(Body::new(body));
        *response.status_mut() = StatusCode::from_u16(problem.status).unwrap_or_default();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        if let Some(wait) = problem.retry_after {
            headers.insert(RETRY_AFTER, wait.as_secs().max(1).into());
        }
        if problem.status == 401 {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        for (name, value) in status.metadata().clone().into_headers().iter() {
            headers.append(name, value.clone());
        }
        response
    }

    /// Gives a failure that tonic made itself the details every failure has.
    pub(super) fn mend(self, response: Response<Body>) -> Response<Body> {
        let headers = response.headers();
        let Some(status) = bare(headers) else {
            return response;
        };
        let mut mended = self.status(Error::from_status(&status)).into_http();
        // What else was said stands, such as which encodings are known.
        for (name, value) in headers {
            let replaced = name.as_str().starts_with("content-") || is_status(name.as_str());
            if !replaced {
                mended.headers_mut().append(name, value.clone());
            }
        }
        mended
    }

    /// The same of a failure that was found after the head had gone.
    pub(super) fn mend_trailers(self, trailers: &mut HeaderMap) {
        if let Some(status) = bare(trailers) {
            let mended = self.status(Error::from_status(&status));
            // What cannot be written stays as it was.
            let _ = mended.add_header(trailers);
        }
    }
}

/// A failure without the details every failure has.
fn bare(headers: &HeaderMap) -> Option<Status> {
    let failed = headers.get(&GRPC_STATUS).is_some_and(|code| code != "0");
    let bare = failed && !headers.contains_key(&GRPC_STATUS_DETAILS);
    bare.then(|| Status::from_header_map(headers)).flatten()
}

impl Error {
    /// The failure a foreign status speaks of, with nothing but its message.
    pub fn from_status(status: &Status) -> Self {
        if matches!(status.code(), Code::Internal | Code::DataLoss)
            && let Some(words) = malformed(status.message())
        {
            return Self::invalid(words.to_owned());
        }
        let error = Self::new(Kind::of(status.code()), status.message().to_owned());
        match status.code() {
            // Of tonic's own failures only a message's size exhausts anything.
            Code::OutOfRange | Code::ResourceExhausted => {
                error.reason(crate::error::reason::PAYLOAD_TOO_LARGE)
            }
            _ => error,
        }
    }
}

/// Whether a header tells how a call ended.
fn is_status(name: &str) -> bool {
    matches!(
        name,
        "grpc-status" | "grpc-message" | "grpc-status-details-bin"
    )
}

/// What to say if tonic speaks of a message that was cut off, is not compressed as it
/// says, is marked as nothing can be, or is none of its type: the client's fault, which
/// tonic calls its own. A message that is marked as compressed without saying how stays
/// INTERNAL, as the protocol demands.
fn malformed(message: &str) -> Option<&str> {
    if message.starts_with("failed to decode Protobuf message") {
        return Some("The request is not a message of the method's type");
    }
    if message.starts_with("tonic-web:") {
        return Some("The request is not valid gRPC-Web");
    }
    const BEGINNINGS: [&str; 3] = [
        "Unexpected EOF decoding stream",
        "Error decompressing",
        "protocol error: received message with invalid compression flag",
    ];
    let known = BEGINNINGS.iter().any(|words| message.starts_with(words));
    known.then_some(message)
}

/// Shows how the rate limit stands.
pub(super) fn put_standing(headers: &mut HeaderMap, standing: Standing) {
    const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
    const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
    const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
    headers.insert(LIMIT, standing.limit.into());
    headers.insert(REMAINING, standing.remaining.into());
    headers.insert(RESET, standing.reset.into());
}
