//! The documented shapes of REST error bodies, rendered from any gRPC status, so
//! that tonic's own failures come out in the documented form too.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tonic::Status;
use tonic_types::StatusExt as _;

use crate::error::{Kind, Violation, reason};
use crate::policy::Dialect;

/// The fact whose text is JSON, which one of the shapes shows as its `data`.
pub const DATA: &str = "data";

/// A failure as REST shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Kind of failure.
    pub kind: Kind,
    /// HTTP status.
    pub status: u16,
    /// UPPER_SNAKE reason, which two of the shapes show as their code.
    pub reason: String,
    /// Message for people.
    pub message: String,
    /// Fields that are not valid.
    pub violations: Vec<Violation>,
    /// How long to wait before trying again.
    pub retry_after: Option<Duration>,
    /// Facts a program may read.
    pub metadata: Vec<(String, String)>,
}

/// The words of a dialect, with the service's own for what is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// Shape of the body.
    pub dialect: Dialect,
    /// Code of a request that is not valid.
    pub invalid: Option<&'static str>,
}

impl Words {
    /// The reason of a failure that has no specific one.
    pub fn word(self, kind: Kind) -> &'static str {
        match kind {
            Kind::InvalidArgument if self.dialect == Dialect::Ofrep => "INVALID_CONTEXT",
            Kind::InvalidArgument => self.invalid.unwrap_or(match self.dialect {
                Dialect::Flat => "VALIDATION_ERROR",
                Dialect::Feathers | Dialect::Nested | Dialect::Envelope | Dialect::Ofrep => {
                    "BAD_REQUEST"
                }
            }),
            Kind::Unauthenticated => "UNAUTHORIZED",
            Kind::PermissionDenied => "FORBIDDEN",
            Kind::NotFound => "NOT_FOUND",
            Kind::AlreadyExists | Kind::Aborted => "CONFLICT",
            Kind::FailedPrecondition => "FAILED_PRECONDITION",
            Kind::ResourceExhausted => "RATE_LIMITED",
            Kind::Unimplemented => "NOT_IMPLEMENTED",
            Kind::Unavailable => "UNAVAILABLE",
            Kind::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Kind::Cancelled => "CANCELLED",
            Kind::Internal => "INTERNAL_ERROR",
        }
    }
}

impl Words {
    /// What is said of a path that does not exist.
    pub fn not_found(self) -> &'static str {
        match self.dialect {
            Dialect::Feathers => "Page not found",
            Dialect::Flat | Dialect::Nested | Dialect::Envelope | Dialect::Ofrep => {
                "There is no such path"
            }
        }
    }
}

/// HTTP status of a kind and reason (`google/rpc/code.proto`, and the statuses
/// only HTTP has).
pub fn http_status(kind: Kind, reason: &str) -> u16 {
    match reason {
        reason::METHOD_NOT_ALLOWED => return 405,
        reason::REQUEST_TIMEOUT => return 408,
        reason::PAYLOAD_TOO_LARGE => return 413,
        reason::URI_TOO_LONG => return 414,
        reason::UNSUPPORTED_MEDIA_TYPE => return 415,
        reason::HEADERS_TOO_LARGE => return 431,
        reason::HTTP_VERSION_NOT_SUPPORTED => return 505,
        _ => {}
    }
    match kind {
        Kind::InvalidArgument | Kind::FailedPrecondition => 400,
        Kind::Unauthenticated => 401,
        Kind::PermissionDenied => 403,
        Kind::NotFound => 404,
        Kind::AlreadyExists | Kind::Aborted => 409,
        Kind::ResourceExhausted => 429,
        Kind::Cancelled => 499,
        Kind::Internal => 500,
        Kind::Unimplemented => 501,
        Kind::Unavailable => 503,
        Kind::DeadlineExceeded => 504,
    }
}

impl Problem {
    /// Reads a status; one without details is given the dialect's word.
    pub fn of(status: &Status, words: Words) -> Self {
        let details = status.get_error_details();
        let kind = Kind::of(status.code());
        let info = details.error_info();
        let reason = info.map_or_else(|| words.word(kind).to_owned(), |info| info.reason.clone());
        let violations = details.bad_request().map(|bad| {
            let of = |v: &tonic_types::FieldViolation| Violation {
                field: v.field.clone(),
                description: v.description.clone(),
            };
            bad.field_violations.iter().map(of).collect()
        });
        let mut metadata: Vec<(String, String)> = info
            .map(|info| info.metadata.clone().into_iter().collect())
            .unwrap_or_default();
        metadata.sort();
        Self {
            kind,
            status: http_status(kind, &reason),
            reason,
            message: status.message().to_owned(),
            violations: violations.unwrap_or_default(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            metadata,
        }
    }

    /// The body in a dialect.
    pub fn body(&self, dialect: Dialect) -> Vec<u8> {
        let body = match dialect {
            Dialect::Flat => json!({
                "error": self.message,
                "code": self.reason,
                "status": self.status,
            }),
            Dialect::Nested => json!({
                "error": {"code": self.reason, "message": self.message},
            }),
            Dialect::Envelope => {
                let facts = self.metadata.iter().map(|(k, v)| (k.clone(), json!(v)));
                json!({
                    "error": {"code": self.reason.to_lowercase(), "message": self.message},
                    "metadata": Value::Object(facts.collect()),
                })
            }
            Dialect::Feathers => self.feathers(),
            Dialect::Ofrep => self.ofrep(),
        };
        body.to_string().into_bytes()
    }

    /// The protocol has codes for what is wrong with a question, and leaves the others
    /// open.
    fn ofrep(&self) -> Value {
        let mut body = Map::new();
        if let Some((_, flag)) = self.metadata.iter().find(|(name, _)| name == "key") {
            body.insert("key".into(), json!(flag));
        }
        body.insert("errorCode".into(), json!(self.reason));
        body.insert("errorDetails".into(), json!(self.message));
        Value::Object(body)
    }

    /// The members in the order FeathersJS writes them. Its documented 429 has
    /// no `className` and says in `data` how the limit stands.
    fn feathers(&self) -> Value {
        let (name, class) = feathers_class(self.status);
        let mut body = Map::new();
        body.insert("name".into(), json!(name));
        body.insert("message".into(), json!(self.message));
        body.insert("code".into(), json!(self.status));
        if self.status == 429 {
            let mut data = Map::new();
            for name in ["limit", "current", "window"] {
                let fact = self.metadata.iter().find(|(known, _)| known == name);
                if let Some(number) = fact.and_then(|(_, text)| text.parse::<i64>().ok()) {
                    data.insert(name.into(), json!(number));
                }
            }
            let retry = self.retry_after.map_or(1, |wait| wait.as_secs().max(1));
            data.insert("retryAfter".into(), json!(retry));
            body.insert("data".into(), Value::Object(data));
            return Value::Object(body);
        }
        body.insert("className".into(), json!(class));
        let data = self.metadata.iter().find(|(name, _)| name == DATA);
        if let Some(data) = data.and_then(|(_, text)| serde_json::from_str(text).ok()) {
            body.insert("data".into(), data);
        }
        if !self.violations.is_empty() {
            let errors = self.violations.iter();
            let errors = errors.map(|v| json!({"path": v.field, "message": v.description}));
            body.insert("errors".into(), errors.collect());
        }
        Value::Object(body)
    }
}

/// Name and class of an HTTP status among the classes of `@feathersjs/errors`.
fn feathers_class(status: u16) -> (&'static str, &'static str) {
    match status {
        401 => ("NotAuthenticated", "not-authenticated"),
        403 => ("Forbidden", "forbidden"),
        404 => ("NotFound", "not-found"),
        405 => ("MethodNotAllowed", "method-not-allowed"),
        408 | 504 => ("Timeout", "timeout"),
        409 => ("Conflict", "conflict"),
        429 => ("TooManyRequests", "too-many-requests"),
        501 => ("NotImplemented", "not-implemented"),
        503 => ("Unavailable", "unavailable"),
        400..=499 => ("BadRequest", "bad-request"),
        _ => ("GeneralError", "general-error"),
    }
}
