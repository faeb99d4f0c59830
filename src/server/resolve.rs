//! What a request asks for: which protocol it speaks and, of REST, which route
//! it takes.

use http::header::{CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderMap, Version};

use crate::config::Transport;
use crate::error::{Error, Kind, Result, reason};
use crate::transcode::percent;

/// Longest path and query, in bytes.
const MAX_URI: usize = 16 * 1024;
/// What HTTP/2 counts for every header besides its name and value; HTTP/1.1 is
/// counted alike.
const PER_HEADER: usize = 32;

/// The protocol of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    GrpcWeb,
    Rest,
}

impl Protocol {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let kind = headers
            .get(CONTENT_TYPE)
            .map_or(b"".as_slice(), |v| v.as_bytes());
        if kind.starts_with(b"application/grpc-web") {
            Self::GrpcWeb
        } else if kind.starts_with(b"application/grpc") {
            Self::Grpc
        } else {
            Self::Rest
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::GrpcWeb => "grpc-web",
            Self::Rest => "rest",
        }
    }
}

/// Refuses heads that are too large, and requests that leave open whom they are
/// for. HTTP/2 has looked at its own by then.
pub(super) fn check_head(parts: &Parts, bounds: &Transport) -> Result<()> {
    let uri = parts.uri.path_and_query();
    if uri.is_some_and(|uri| uri.as_str().len() > MAX_URI) {
        let error = Error::invalid(format!("The URL is longer than {MAX_URI} bytes"));
        return Err(error.reason(reason::URI_TOO_LONG));
    }
    let headers = &parts.headers;
    let pairs = headers.iter();
    let size = pairs.map(|(name, value)| name.as_str().len() + value.len() + PER_HEADER);
    let most = bounds.max_header_bytes as usize;
    if size.sum::<usize>() > most {
        let message = format!("The headers are larger than {most} bytes");
        return Err(Error::new(Kind::ResourceExhausted, message).reason(reason::HEADERS_TOO_LARGE));
    }
    if parts.version == Version::HTTP_11 && headers.get_all(HOST).iter().count() != 1 {
        return Err(Error::invalid("Host must be named once"));
    }
    Ok(())
}

/// The project a request names, by header or parameter.
pub(super) fn project_choice(headers: &HeaderMap, query: Option<&str>) -> Option<String> {
    let header = headers
        .get("x-project")
        .or_else(|| headers.get("x-apex-project"));
    if let Some(value) = header {
        // What is no text names a project nobody has, rather than none.
        return Some(value.to_str().unwrap_or_default().to_owned());
    }
    let mut pairs = percent::pairs(query?);
    let (_, value) = pairs.find(|(name, _)| *name == "project")?;
    Some(percent::query(value).unwrap_or_default().into_owned())
}

/// Whether the caller shows any credential at all.
pub(super) fn has_credential(headers: &HeaderMap) -> bool {
    headers.contains_key("authorization") || headers.contains_key("x-api-key")
}

/// The caller's `Idempotency-Key`.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("idempotency-key")?;
    // What is no text fails the check of the key's form.
    Some(value.to_str().unwrap_or_default().to_owned())
}
