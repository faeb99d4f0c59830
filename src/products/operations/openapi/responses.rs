//! The answers of a route: its success, and the failures that its policy, the form
//! of its request or the words of its comment say there are.

use std::collections::BTreeMap;

use prost_reflect::MethodDescriptor;
use serde_json::{Map, Value, json};

use super::super::page::about_method;
use super::errors::error_name;
use super::schema::Side;
use super::{Writer, headers};
use crate::error::{Kind, reason};
use crate::policy::{Auth, Binding, Body, MethodSpec};
use crate::transcode::errors::http_status;

pub(super) const HTTP_BODY: &str = "google.api.HttpBody";

/// Codes that a comment may name, by the names callers know.
const CODES: [(&str, Kind); 8] = [
    ("UNAUTHENTICATED", Kind::Unauthenticated),
    ("PERMISSION_DENIED", Kind::PermissionDenied),
    ("NOT_FOUND", Kind::NotFound),
    ("ALREADY_EXISTS", Kind::AlreadyExists),
    ("ABORTED", Kind::Aborted),
    ("FAILED_PRECONDITION", Kind::FailedPrecondition),
    ("UNAVAILABLE", Kind::Unavailable),
    ("UNIMPLEMENTED", Kind::Unimplemented),
];

impl Writer {
    pub(super) fn responses(
        &mut self,
        spec: &MethodSpec,
        descriptor: &MethodDescriptor,
        binding: &Binding,
    ) -> Value {
        let output = descriptor.output();
        let side = Side::answer(spec.profile);
        let field = binding
            .response_body
            .and_then(|name| output.get_field_by_name(name));
        let alike = spec.one_or_many;
        let alike = alike.and_then(|name| output.get_field_by_name(name));
        let content = match (field, output.full_name()) {
            (_, HTTP_BODY) => json!({"*/*": {}}),
            (None, _) if let Some(list) = alike => {
                let schema = self.one_or_many(&list, side);
                json!({"application/json": {"schema": schema}})
            }
            (Some(field), _) => json!({"application/json": {"schema": self.field(&field, side)}}),
            (None, _) if spec.server_streaming => {
                let schema = self.message(&output, side);
                json!({"application/x-ndjson": {"schema": schema}, "text/event-stream": {}})
            }
            (None, _) => json!({"application/json": {"schema": self.message(&output, side)}}),
        };
        let error = format!("#/components/schemas/{}", error_name(spec.dialect));
        let error = json!({"application/json": {"schema": {"$ref": error}}});
        let mut responses = Map::new();
        let headers = headers::of(spec, spec.success_status);
        responses.insert(
            spec.success_status.to_string(),
            json!({"description": "Success.", "headers": headers, "content": content}),
        );
        for (status, text) in failures(spec, binding, &about_method(descriptor)) {
            // A page says in a form of its own that it is not available.
            let content = match (status, output.full_name()) {
                (503, HTTP_BODY) => json!({"application/json": {}}),
                _ => error.clone(),
            };
            let headers = headers::of(spec, status);
            responses.insert(
                status.to_string(),
                json!({"description": text, "headers": headers, "content": content}),
            );
        }
        Value::Object(responses)
    }
}

/// Statuses of the failures of a route, with a few words each.
pub fn failures(spec: &MethodSpec, binding: &Binding, about: &str) -> BTreeMap<u16, &'static str> {
    let mut statuses = vec![400, 414, 429, 431, 500, 503, 504];
    if binding.body != Body::None {
        statuses.extend([408, 413, 415]);
    }
    if spec.auth != Auth::Public {
        // The organization or the project the request names may be another's.
        statuses.extend([401, 403, 404]);
    }
    if binding.template.contains('{') {
        statuses.push(404);
    }
    if takes_idempotency_key(spec) {
        statuses.push(http_status(Kind::Aborted, reason::IDEMPOTENCY_KEY_REUSED));
    }
    statuses.extend(named(about));
    statuses
        .into_iter()
        .map(|status| (status, words(status)))
        .collect()
}

/// Whether an `Idempotency-Key` of the caller counts.
pub fn takes_idempotency_key(spec: &MethodSpec) -> bool {
    let reads = spec.scope.is_some_and(|scope| !scope.write);
    spec.auth != Auth::Public && !reads
}

/// Statuses of the codes a comment names after `Errors:`.
fn named(about: &str) -> impl Iterator<Item = u16> {
    let errors = about.split_once("Errors:").map_or("", |(_, errors)| errors);
    let words = errors.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
    let known = CODES
        .into_iter()
        .filter(move |(name, _)| words.clone().any(|word| word == *name));
    known.map(|(_, kind)| http_status(kind, ""))
}

fn words(status: u16) -> &'static str {
    match status {
        400 => "The request is not valid.",
        401 => "The credential is missing or wrong.",
        403 => "The caller may not do this.",
        404 => "There is no such thing, or it is another's.",
        408 => "The body took too long.",
        409 => {
            "It is there already, or the Idempotency-Key was used with another request or by one \
             that still runs."
        }
        413 => "The body is too large.",
        414 => "The URL is too long.",
        415 => "The body's type or encoding is none that is known.",
        429 => "Too many requests; `Retry-After` says how long to wait.",
        431 => "The headers are too large.",
        503 => "The server cannot do it now; try again later.",
        504 => "It took longer than the caller or the server waits.",
        _ => "Something failed inside.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_names_its_errors() {
        let statuses = |about| named(about).collect::<Vec<_>>();
        assert_eq!(statuses("Lists things."), [0; 0]);
        assert_eq!(statuses("NOT_FOUND is not an error here."), [0; 0]);
        let about = "Makes it. Errors: NOT_FOUND afterwards, PERMISSION_DENIED for a wrong token.";
        assert_eq!(statuses(about), [403, 404]);
        assert_eq!(statuses("Errors: ALREADY_EXISTS."), [409]);
    }
}
