//! What a request asks for: which protocol it speaks and, of REST, which route
//! it takes.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::transcode::percent;

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
