//! Schemas of the REST error bodies, one per dialect.

use serde_json::{Value, json};

use crate::policy::Dialect;

/// Name of a dialect's schema.
pub fn error_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Flat => "FlatError",
        Dialect::Feathers => "FeathersError",
        Dialect::Nested => "NestedError",
        Dialect::Envelope => "EnvelopeError",
        Dialect::Ofrep => "OfrepError",
    }
}

/// What a dialect's error bodies look like.
pub fn error_schema(dialect: Dialect) -> Value {
    let text = || json!({"type": "string"});
    let nested = || {
        json!({
            "type": "object",
            "properties": {"code": text(), "message": text()},
            "required": ["code", "message"],
        })
    };
    let (properties, required) = match dialect {
        Dialect::Flat => (
            json!({"error": text(), "code": text(), "status": {"type": "integer"}}),
            json!(["error", "code", "status"]),
        ),
        Dialect::Feathers => (
            json!({
                "name": text(), "message": text(), "code": {"type": "integer"},
                "className": text(), "data": {}, "errors": {"type": "array", "items": {}},
            }),
            json!(["name", "message", "code"]),
        ),
        Dialect::Nested => (json!({"error": nested()}), json!(["error"])),
        Dialect::Envelope => (
            json!({"error": nested(), "metadata": {"type": "object"}}),
            json!(["error", "metadata"]),
        ),
        Dialect::Ofrep => (
            json!({"key": text(), "errorCode": text(), "errorDetails": text()}),
            json!(["errorCode", "errorDetails"]),
        ),
    };
    json!({"type": "object", "properties": properties, "required": required})
}
