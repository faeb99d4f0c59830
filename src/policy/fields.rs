//! What policy asks of the fields of messages: that an option names a field there
//! is, that a field's own options suit its type, and which well-known messages
//! are one scalar in JSON.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::options::{Options, flag, positive, text};

/// Whether a well-known message is one scalar in JSON.
pub fn is_text_like(name: &str) -> bool {
    let Some(name) = name.strip_prefix("google.protobuf.") else {
        return false;
    };
    matches!(name, "Timestamp" | "Duration" | "FieldMask") || is_wrapper(name)
}

/// Whether the message `google.protobuf.<name>` wraps one scalar.
pub fn is_wrapper(name: &str) -> bool {
    matches!(
        name,
        "DoubleValue"
            | "FloatValue"
            | "Int64Value"
            | "UInt64Value"
            | "Int32Value"
            | "UInt32Value"
            | "BoolValue"
            | "StringValue"
            | "BytesValue"
    )
}

pub(super) fn is_message(field: &FieldDescriptor, name: &str) -> bool {
    let kind = field.kind();
    kind.as_message().is_some_and(|m| m.full_name() == name)
}

pub(super) fn top_level(
    message: &MessageDescriptor,
    name: &str,
    option: &str,
) -> Result<FieldDescriptor, String> {
    let field = message.get_field_by_name(name);
    field.ok_or_else(|| format!("{option} `{name}` names no field of {}", message.name()))
}

pub(super) fn check_field(field: &FieldDescriptor, options: &Options) -> Option<String> {
    let own = options.field(field)?;
    let is_text = field.kind() == Kind::String;
    let texts = ["min_length", "max_length"];
    if !is_text && texts.iter().any(|name| positive(&own, name).is_some()) {
        return Some("a length needs a text field".to_owned());
    }
    for name in ["pattern", "raw_json", "raw_query", "parse_error", "header"] {
        if !is_text && own.has_field_by_name(name) {
            return Some(format!("{name} needs a text field"));
        }
    }
    if flag(&own, "millis") && !is_message(field, "google.protobuf.Timestamp") {
        return Some("millis needs a time".to_owned());
    }
    if flag(&own, "decimal") && !is_text && field.kind() != Kind::Double {
        return Some("decimal needs a text or a double".to_owned());
    }
    if positive(&own, "max_items").is_some() && !(field.is_list() || field.is_map()) {
        return Some("max_items needs a repeated field".to_owned());
    }
    if positive(&own, "min_items").is_some() && !field.is_list() {
        return Some("min_items needs a list".to_owned());
    }
    if flag(&own, "each_alone") && !(field.is_list() && matches!(field.kind(), Kind::Message(_))) {
        return Some("each_alone needs a list of messages".to_owned());
    }
    let is_member = field.containing_oneof().is_some_and(|o| !o.is_synthetic());
    let rules = [
        "required",
        "min",
        "max",
        "min_length",
        "max_length",
        "pattern",
        "min_items",
        "max_items",
        "raw_json",
    ];
    let rule = rules.into_iter().find(|name| own.has_field_by_name(name));
    if let (true, Some(rule)) = (is_member, rule) {
        return Some(format!("{rule} is not checked inside a oneof"));
    }
    let kind = field.kind();
    let is_countable = matches!(
        kind,
        Kind::Int32
            | Kind::Int64
            | Kind::Uint32
            | Kind::Uint64
            | Kind::Sint32
            | Kind::Sint64
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Sfixed32
            | Kind::Sfixed64
            | Kind::Float
            | Kind::Double
    );
    if !is_countable
        && ["min", "max"]
            .iter()
            .any(|name| own.has_field_by_name(name))
    {
        return Some("min and max need a number".to_owned());
    }
    let has_absence =
        field.is_list() || matches!(kind, Kind::String | Kind::Message(_)) || is_countable;
    if flag(&own, "required") && (field.is_map() || !has_absence) {
        return Some("required needs a text, a number, a message or a list".to_owned());
    }
    if field.is_list() && own.has_field_by_name("raw_json") {
        return Some("raw_json needs a single field".to_owned());
    }
    let pattern = text(&own, "pattern");
    regex::Regex::new(&pattern).err().map(|e| e.to_string())
}
