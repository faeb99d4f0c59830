//! What the head of a request says: which protocol it speaks, and whom and what it
//! is for.

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Version};

use super::headers::{IDEMPOTENCY_KEY, IF_MATCH, X_APEX_PROJECT, X_API_KEY, X_PROJECT};
use crate::config::Transport;
use crate::error::{Error, Kind, Result, reason};
use crate::transcode::percent;

/// Longest path and query, in bytes.
const MAX_URI: usize = 16 * 1024;
/// What HTTP/2 counts for every header besides its name and value; HTTP/1.1 is
/// counted alike.
const PER_HEADER: usize = 32;

const GRPC: &str = "application/grpc";
const WEB: &str = "application/grpc-web";

/// The media type of a body, without its parameters.
fn media_type(headers: &HeaderMap) -> &[u8] {
    let kind = headers.get(CONTENT_TYPE).map_or(&[][..], |v| v.as_bytes());
    let kind = kind.split(|byte| *byte == b';').next();
    kind.unwrap_or_default().trim_ascii()
}

/// What follows a name at the beginning of a media type.
fn suffix<'k>(kind: &'k [u8], name: &str) -> Option<&'k [u8]> {
    let (own, rest) = kind.split_at_checked(name.len())?;
    own.eq_ignore_ascii_case(name.as_bytes()).then_some(rest)
}

/// The type of a gRPC-Web body as its translation spells it.
pub(super) fn web_type(headers: &HeaderMap) -> HeaderValue {
    let own = suffix(media_type(headers), WEB).unwrap_or_default();
    HeaderValue::from_static(match own.first() {
        Some(b'-') => "application/grpc-web-text+proto",
        Some(_) | None => "application/grpc-web+proto",
    })
}

/// The protocol of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    GrpcWeb,
    Rest,
}

impl Protocol {
    /// The protocol a request means to speak.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let kind = media_type(headers);
        if suffix(kind, WEB).is_some() {
            Self::GrpcWeb
        } else if suffix(kind, GRPC).is_some() {
            Self::Grpc
        } else {
            Self::Rest
        }
    }

    /// Refuses what is gRPC of a kind there is none of here, or comes in a way that
    /// gRPC cannot: without HTTP/2 its trailers are lost.
    pub(super) fn check(self, parts: &Parts) -> Result<()> {
        let kind = media_type(&parts.headers);
        let (name, suffixes) = match self {
            Self::Rest => return Ok(()),
            Self::Grpc => (GRPC, ["", "+proto"].as_slice()),
            Self::GrpcWeb => (WEB, ["", "+proto", "-text", "-text+proto"].as_slice()),
        };
        let own = suffix(kind, name).unwrap_or_default();
        let known = |suffix: &&str| own.eq_ignore_ascii_case(suffix.as_bytes());
        let (what, reason) = if !suffixes.iter().any(known) {
            (
                "Of gRPC only messages of protobuf are known",
                reason::UNSUPPORTED_MEDIA_TYPE,
            )
        } else if parts.method != Method::POST {
            ("gRPC is sent with POST", reason::METHOD_NOT_ALLOWED)
        } else if self == Self::Grpc && parts.version < Version::HTTP_2 {
            ("gRPC needs HTTP/2", reason::HTTP_VERSION_NOT_SUPPORTED)
        } else {
            return Ok(());
        };
        Err(Error::new(Kind::Unimplemented, what).reason(reason))
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
        .get(&X_PROJECT)
        .or_else(|| headers.get(&X_APEX_PROJECT));
    if let Some(value) = header {
        // What is no text names a project nobody has, rather than none.
        return Some(value.to_str().unwrap_or_default().to_owned());
    }
    let mut pairs = percent::pairs(query?);
    let (_, value) = pairs.find(|(name, _)| *name == "project")?;
    Some(percent::query(value).unwrap_or_default().into_owned())
}

/// Whether a query carries an API key, or what somebody takes for one.
pub(super) fn has_key(query: &str) -> bool {
    const NAMES: [&str; 4] = ["api_key", "api-key", "apikey", "x-api-key"];
    let mut names = percent::pairs(query).map(|(name, _)| name);
    names.any(|name| NAMES.iter().any(|own| own.eq_ignore_ascii_case(name)))
}

/// Whether the caller shows any credential at all.
pub(super) fn has_credential(headers: &HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION) || headers.contains_key(&X_API_KEY)
}

/// The caller's `If-Match`.
pub(super) fn if_match(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(&IF_MATCH)?;
    // What is no text matches nothing.
    Some(value.to_str().unwrap_or_default().to_owned())
}

/// The caller's `Idempotency-Key`.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(&IDEMPOTENCY_KEY)?;
    // What is no text fails the check of the key's form.
    Some(value.to_str().unwrap_or_default().to_owned())
}
