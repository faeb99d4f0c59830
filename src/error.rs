//! The one error type. A failure is made where it is understood, carries what a
//! caller may know, and becomes a `google.rpc` status with `ErrorInfo` always,
//! `BadRequest` for violations and `RetryInfo` when waiting helps. What a caller
//! must not know (driver texts, paths) rides along as `source`, for the log.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

/// Domain of every `ErrorInfo`.
pub const DOMAIN: &str = "apex";

/// Most bytes of a message.
const MAX_MESSAGE: usize = 1024;
/// Most bytes of any other text of a failure.
const MAX_TEXT: usize = 200;
/// Most violations that are told; who mends them is told the next.
const MAX_VIOLATIONS: usize = 16;

/// Something failed.
#[derive(Debug)]
pub struct Error(Box<Inner>);

/// The result of anything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug)]
struct Inner {
    kind: Kind,
    reason: Option<&'static str>,
    message: Cow<'static, str>,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
    metadata: Vec<(&'static str, String)>,
    source: Option<Source>,
}

/// What kind of failure; one gRPC code each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the gRPC codes by their own names
pub enum Kind {
    Cancelled,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    Unimplemented,
    Internal,
    Unavailable,
    Unauthenticated,
}

/// A field that is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON path of the field.
    pub field: String,
    /// What is wrong, as a whole sentence without its full stop.
    pub description: String,
}

/// Reasons that REST answers with a status of its own. The code alone cannot
/// say it: `RESOURCE_EXHAUSTED` is 429 for a rate and 413 for a size.
pub mod reason {
    /// 405
    pub const METHOD_NOT_ALLOWED: &str = "METHOD_NOT_ALLOWED";
    /// 408
    pub const REQUEST_TIMEOUT: &str = "REQUEST_TIMEOUT";
    /// 413
    pub const PAYLOAD_TOO_LARGE: &str = "PAYLOAD_TOO_LARGE";
    /// 414
    pub const URI_TOO_LONG: &str = "URI_TOO_LONG";
    /// 415
    pub const UNSUPPORTED_MEDIA_TYPE: &str = "UNSUPPORTED_MEDIA_TYPE";
    /// 505
    pub const HTTP_VERSION_NOT_SUPPORTED: &str = "HTTP_VERSION_NOT_SUPPORTED";
    /// 431
    pub const HEADERS_TOO_LARGE: &str = "HEADERS_TOO_LARGE";
    /// The key was used with another request.
    pub const IDEMPOTENCY_KEY_REUSED: &str = "IDEMPOTENCY_KEY_REUSED";
    /// The first request with the key still runs.
    pub const IDEMPOTENCY_IN_PROGRESS: &str = "IDEMPOTENCY_IN_PROGRESS";
}

impl Error {
    /// A failure of a kind, worded for the caller.
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            reason: None,
            message: message.into(),
            violations: Vec::new(),
            retry_after: None,
            metadata: Vec::new(),
            source: None,
        }))
    }

    /// The request is not valid.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::InvalidArgument, message)
    }

    /// One field of the request is not valid.
    pub fn invalid_field(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::violations(vec![Violation {
            field: field.into(),
            description: description.into(),
        }])
    }

    /// Fields of the request are not valid; the first one words the message.
    pub fn violations(violations: Vec<Violation>) -> Self {
        let first = violations.first().map(|v| v.description.clone());
        let mut error = Self::invalid(first.unwrap_or_else(|| "The request is not valid".into()));
        error.0.violations = violations;
        error
    }

    /// There is no such thing, or it belongs to somebody else.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// The caller is not known.
    pub fn unauthenticated(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unauthenticated, message)
    }

    /// The caller is known and may not.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::PermissionDenied, message)
    }

    /// There is such a thing already.
    pub fn exists(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::AlreadyExists, message)
    }

    /// A body has more bytes than it may.
    pub fn too_large(limit: impl std::fmt::Display) -> Self {
        let words = format!("The body is larger than {limit} bytes");
        Self::new(Kind::ResourceExhausted, words).reason(reason::PAYLOAD_TOO_LARGE)
    }

    /// The server cannot do it now; the caller may try again.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unavailable, message).retry_after(Duration::from_secs(1))
    }

    /// Something failed that the caller can do nothing about.
    pub fn internal(source: impl Into<Source>) -> Self {
        let mut error = Self::new(Kind::Internal, "Internal server error");
        error.0.source = Some(source.into());
        error
    }

    /// Names a specific reason, in UPPER_SNAKE.
    #[must_use]
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.0.reason = Some(reason);
        self
    }

    /// Says how long to wait before trying again.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Adds a fact a program may read.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        self.0.metadata.push((name, value.to_string()));
        self
    }

    /// Says inside of what the fields are that are not valid, such as `[3].`.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        for violation in &mut self.0.violations {
            violation.field.insert_str(0, prefix);
        }
        self
    }

    /// Keeps what the log should know.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The kind of failure.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The specific reason, if there is one.
    pub fn specific_reason(&self) -> Option<&'static str> {
        self.0.reason
    }

    /// The message for the caller.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What is not valid, field by field.
    pub fn told_violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// The cause, worded for the log.
    pub fn log_cause(&self) -> Option<String> {
        let mut cause: &dyn std::error::Error = self.0.source.as_deref()?;
        let mut text = cause.to_string();
        while let Some(next) = cause.source() {
            let told = next.to_string();
            // What wraps another failure often says it as well.
            if !text.ends_with(&told) {
                text.push_str(": ");
                text.push_str(&told);
            }
            cause = next;
        }
        // It has a line of its own and no say about how a terminal shows it.
        Some(text.replace(char::is_control, " "))
    }

    /// The status callers see. `word` is the reason of a failure that has no
    /// specific one. It goes into an answer's head, which clients bound, some at
    /// 16 KiB; so much of a caller's own words is repeated and no more.
    pub fn into_status(self, word: &str) -> Status {
        let inner = *self.0;
        let metadata: HashMap<String, String> = inner
            .metadata
            .into_iter()
            .map(|(name, value)| (name.to_owned(), cut(value, MAX_TEXT)))
            .collect();
        let mut details = ErrorDetails::new();
        details.set_error_info(inner.reason.unwrap_or(word), DOMAIN, metadata);
        if !inner.violations.is_empty() {
            let violations: Vec<FieldViolation> = inner
                .violations
                .into_iter()
                .take(MAX_VIOLATIONS)
                .map(|v| FieldViolation::new(cut(v.field, MAX_TEXT), cut(v.description, MAX_TEXT)))
                .collect();
            details.set_bad_request(violations);
        }
        if let Some(wait) = inner.retry_after {
            details.set_retry_info(Some(wait));
        }
        let message = cut(inner.message.into_owned(), MAX_MESSAGE);
        Status::with_error_details(inner.kind.code(), message, details)
    }
}

/// A text of at most so many bytes, cut between two letters.
fn cut(mut text: String, most: usize) -> String {
    const MARK: &str = "…";
    if text.len() > most {
        let mut end = most - MARK.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(MARK);
    }
    text
}

impl Kind {
    /// The gRPC code of the kind.
    pub fn code(self) -> Code {
        match self {
            Self::Cancelled => Code::Cancelled,
            Self::InvalidArgument => Code::InvalidArgument,
            Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::NotFound => Code::NotFound,
            Self::AlreadyExists => Code::AlreadyExists,
            Self::PermissionDenied => Code::PermissionDenied,
            Self::ResourceExhausted => Code::ResourceExhausted,
            Self::FailedPrecondition => Code::FailedPrecondition,
            Self::Aborted => Code::Aborted,
            Self::Unimplemented => Code::Unimplemented,
            Self::Internal => Code::Internal,
            Self::Unavailable => Code::Unavailable,
            Self::Unauthenticated => Code::Unauthenticated,
        }
    }

    /// The kind of a code. Codes this server never chooses itself count as the
    /// nearest one it does.
    pub fn of(code: Code) -> Self {
        match code {
            Code::Cancelled => Self::Cancelled,
            Code::InvalidArgument => Self::InvalidArgument,
            Code::DeadlineExceeded => Self::DeadlineExceeded,
            Code::NotFound => Self::NotFound,
            Code::AlreadyExists => Self::AlreadyExists,
            Code::PermissionDenied => Self::PermissionDenied,
            // tonic says OUT_OF_RANGE of a message over its size limit.
            Code::ResourceExhausted | Code::OutOfRange => Self::ResourceExhausted,
            Code::FailedPrecondition => Self::FailedPrecondition,
            Code::Aborted => Self::Aborted,
            Code::Unimplemented => Self::Unimplemented,
            Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => Self::Internal,
            Code::Unavailable => Self::Unavailable,
            Code::Unauthenticated => Self::Unauthenticated,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn a_cause_is_told_once() {
        let inner = Layer("no such file", None);
        let outer = Layer("cannot open: no such file", Some(Box::new(inner)));
        let error = Error::internal(Layer("cannot start", Some(Box::new(outer))));
        let told = "cannot start: cannot open: no such file";
        assert_eq!(error.log_cause().as_deref(), Some(told));
    }
}
