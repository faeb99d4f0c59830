//! Conditional requests: an answer that carries an `ETag` is not sent again to a
//! caller who has it already.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, Response, StatusCode};
use tonic::body::Body;

/// The answer to what was asked to be read, or 304 if that is what the caller has.
pub(super) fn settle(asked: &HeaderMap, response: Response<Body>) -> Response<Body> {
    let Some(tag) = response.headers().get(ETAG) else {
        return response;
    };
    let mut lines = asked.get_all(IF_NONE_MATCH).iter();
    if response.status() != StatusCode::OK
        || !lines.any(|line| names(line.as_bytes(), tag.as_bytes()))
    {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::empty())
}

/// Whether a line of tags names this one. Tags are compared weakly, for who
/// compresses an answer on its way weakens its tag.
fn names(line: &[u8], tag: &[u8]) -> bool {
    fn strong(tag: &[u8]) -> &[u8] {
        let tag = tag.trim_ascii();
        tag.strip_prefix(b"W/").unwrap_or(tag)
    }
    let mut own = line.split(|byte| *byte == b',');
    line.trim_ascii() == b"*" || own.any(|own| strong(own) == strong(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        for line in ["\"a\"", "W/\"a\"", "\"b\", W/\"a\"", "\"b\",\"a\"", "*"] {
            assert!(names(line.as_bytes(), b"\"a\""), "{line}");
        }
        for line in ["", "a", "\"b\"", "\"A\"", "\"a\" \"b\""] {
            assert!(!names(line.as_bytes(), b"\"a\""), "{line}");
        }
    }
}
