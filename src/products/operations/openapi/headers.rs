//! Headers of answers: how the rate limit stands, how long to wait, whether it is a
//! repeat, and the request's id.

use serde_json::{Map, Value, json};

use super::responses::takes_idempotency_key;
use crate::policy::MethodSpec;

/// Headers by name, with what they say and what they hold.
const HEADERS: [(&str, &str, &str); 6] = [
    (
        "X-Request-Id",
        "Names the request in the server's log: the caller's own, or a new one.",
        "string",
    ),
    (
        "X-RateLimit-Limit",
        "Requests of the rate group that a window allows.",
        "integer",
    ),
    (
        "X-RateLimit-Remaining",
        "Requests of the rate group that are left.",
        "integer",
    ),
    (
        "X-RateLimit-Reset",
        "When the window turns over, in seconds since 1970.",
        "integer",
    ),
    (
        "Retry-After",
        "Seconds to wait before trying again.",
        "integer",
    ),
    (
        "Idempotent-Replayed",
        "`true` when the answer was given before to the same Idempotency-Key.",
        "string",
    ),
];

/// All of them, for routes to refer to.
pub(super) fn all() -> Value {
    let header = |(name, about, kind): (&str, &str, &str)| {
        let header = json!({"description": about, "schema": {"type": kind}});
        (name.to_owned(), header)
    };
    Value::Object(HEADERS.into_iter().map(header).collect())
}

/// Those an answer of a method with a status may have.
pub(super) fn of(spec: &MethodSpec, status: u16) -> Value {
    let is_success = status < 300;
    let has = |name: &str| match name {
        "Retry-After" => matches!(status, 409 | 429 | 503),
        "Idempotent-Replayed" => is_success && takes_idempotency_key(spec),
        name if name.starts_with("X-RateLimit-") => spec.service.rate_headers,
        _ => true,
    };
    let names = HEADERS
        .iter()
        .map(|(name, ..)| *name)
        .filter(|name| has(name));
    let headers: Map<String, Value> = names
        .map(|name| {
            let header = json!({"$ref": format!("#/components/headers/{name}")});
            (name.to_owned(), header)
        })
        .collect();
    Value::Object(headers)
}
