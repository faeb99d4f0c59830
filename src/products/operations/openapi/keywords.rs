//! Parts of schemas: what field options demand in JSON Schema's keywords, null
//! beside a value, and the well-known types.

use prost_reflect::DynamicMessage;
use serde_json::{Value, json};

use crate::policy::options::{flag, positive, text};

/// What a field's options demand of one value. Lengths are of bytes: of letters
/// that take several, fewer fit than `maxLength` says.
pub(super) fn bounds(own: &DynamicMessage, is_text: bool, schema: &mut Value) {
    let is_required = flag(own, "required");
    if let Some(most) = positive(own, "max_length") {
        schema["maxLength"] = json!(most);
    }
    if is_text && is_required {
        schema["minLength"] = json!(positive(own, "min_length").unwrap_or(1));
    }
    for (option, keyword) in [("min", "minimum"), ("max", "maximum")] {
        let bound = own
            .get_field_by_name(option)
            .and_then(|value| value.as_f64());
        if let Some(bound) = bound.filter(|_| own.has_field_by_name(option)) {
            schema[keyword] = json!(bound);
        }
    }
    // A text that may be left out may be empty whatever its pattern, and one that
    // must be there is more than white space.
    let pattern = text(own, "pattern");
    match (is_text && is_required, pattern.is_empty()) {
        (true, true) => schema["pattern"] = json!("\\S"),
        (true, false) => schema["pattern"] = json!(format!("^(?:{pattern})$")),
        (false, true) => {}
        (false, false) => schema["pattern"] = json!(format!("^(?:{pattern})?$")),
    }
}

/// The schema, or null.
pub(super) fn or_null(mut schema: Value) -> Value {
    let nothing = json!({"type": "null"});
    if let Some(Value::Array(ways)) = schema.get_mut("anyOf") {
        if !ways.contains(&nothing) {
            ways.push(nothing);
        }
        return schema;
    }
    match schema.get("type").and_then(Value::as_str) {
        // With a format, null would have to be of it.
        Some(own) if schema.get("format").is_none() => {
            schema["type"] = json!([own, "null"]);
            schema
        }
        // What says nothing takes null already.
        None if schema == json!({}) => schema,
        Some(_) | None => json!({"anyOf": [schema, nothing]}),
    }
}

/// A comma list of paths of members.
const MASK: &str = "^[A-Za-z0-9.,]*$";

/// Well-known types by their JSON form.
pub(super) fn known(name: &str) -> Option<Value> {
    let short = name.strip_prefix("google.protobuf.")?;
    Some(match short {
        "Timestamp" => json!({"type": "string", "format": "date-time"}),
        "Duration" => json!({"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{1,9})?s$"}),
        "FieldMask" => json!({"type": "string", "pattern": MASK}),
        "StringValue" | "BytesValue" => json!({"type": "string"}),
        "Struct" | "Any" => json!({"type": "object", "additionalProperties": true}),
        "ListValue" => json!({"type": "array", "items": {}}),
        "BoolValue" => json!({"type": "boolean"}),
        "DoubleValue" | "FloatValue" => json!({"type": "number"}),
        "Value" => json!({}),
        _ => json!({"type": "integer"}),
    })
}
