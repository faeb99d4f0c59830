//! Schemas of messages and fields: what their descriptors and our field options
//! say, as JSON Schema.

use prost_reflect::{DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::super::page::{about_field, about_message};
use super::Writer;
use crate::policy::options::{flag, number, positive, text};

impl Writer {
    /// A reference to a message's schema, which is made on first use.
    pub(super) fn message(&mut self, message: &MessageDescriptor) -> Value {
        if let Some(schema) = known(message.full_name()) {
            return schema;
        }
        let name = message.full_name().to_owned();
        if !self.schemas.contains_key(&name) {
            // Stands in while the message's own fields are written.
            self.schemas.insert(name.clone(), json!({}));
            let schema = self.properties(message, &[]);
            self.schemas.insert(name.clone(), schema);
        }
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    pub(super) fn properties(&mut self, message: &MessageDescriptor, left_out: &[&str]) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in message
            .fields()
            .filter(|field| !left_out.contains(&field.name()))
        {
            let own = self.options.field(&field);
            if own
                .as_ref()
                .is_some_and(|own| flag(own, "parse_error") || flag(own, "selection"))
            {
                continue;
            }
            if own.as_ref().is_some_and(|own| flag(own, "required")) {
                required.push(field.json_name().to_owned());
            }
            let mut schema = self.field(&field);
            let about = about_field(&field);
            if let Some(schema) = schema.as_object_mut().filter(|_| !about.is_empty()) {
                schema.insert("description".into(), json!(about));
            }
            properties.insert(field.json_name().to_owned(), schema);
        }
        let mut schema = json!({"type": "object", "properties": properties});
        let about = about_message(message);
        if !about.is_empty() {
            schema["description"] = json!(about);
        }
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schema
    }

    pub(super) fn field(&mut self, field: &FieldDescriptor) -> Value {
        let own = self.options.field(field);
        if field.is_map() {
            let kind = field.kind();
            let value = kind
                .as_message()
                .map(MessageDescriptor::map_entry_value_field);
            let value = value.map_or(json!({}), |value| self.value(&value, None));
            return json!({"type": "object", "additionalProperties": value});
        }
        if field.is_list() {
            let mut schema = json!({"type": "array", "items": self.value(field, own.as_ref())});
            if let Some(max) = own.as_ref().and_then(|own| positive(own, "max_items")) {
                schema["maxItems"] = json!(max);
            }
            return schema;
        }
        let schema = self.value(field, own.as_ref());
        match own.is_some_and(|own| flag(&own, "nullable")) {
            true => json!({"anyOf": [schema, {"type": "null"}]}),
            false => schema,
        }
    }

    fn value(&mut self, field: &FieldDescriptor, own: Option<&DynamicMessage>) -> Value {
        let mut schema = match field.kind() {
            Kind::Message(message) => return self.message(&message),
            Kind::Enum(values) => return self.words(&values),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::Double | Kind::Float => json!({"type": "number"}),
            Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
            Kind::String => match own.map_or(0, |own| number(own, "raw_json")) {
                0 => json!({"type": "string"}),
                1 => json!({"type": "object", "additionalProperties": true}),
                _ => json!({}),
            },
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint64 | Kind::Fixed64 => {
                json!({"type": "integer", "format": "int64"})
            }
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 | Kind::Uint32 | Kind::Fixed32 => {
                json!({"type": "integer", "format": "int32"})
            }
        };
        let Some(own) = own else {
            return schema;
        };
        for (option, keyword) in [("min_length", "minLength"), ("max_length", "maxLength")] {
            if let Some(bound) = positive(own, option) {
                schema[keyword] = json!(bound);
            }
        }
        for (option, keyword) in [("min", "minimum"), ("max", "maximum")] {
            let bound = own
                .get_field_by_name(option)
                .and_then(|value| value.as_f64());
            if let Some(bound) = bound.filter(|_| own.has_field_by_name(option)) {
                schema[keyword] = json!(bound);
            }
        }
        let pattern = text(own, "pattern");
        if !pattern.is_empty() {
            schema["pattern"] = json!(format!("^(?:{pattern})$"));
        }
        schema
    }

    fn words(&self, values: &EnumDescriptor) -> Value {
        let all: Vec<_> = values.values().collect();
        let words: Vec<String> = all
            .iter()
            .filter_map(|value| self.options.word(value))
            .collect();
        let names = || all.iter().map(|value| value.name().to_owned()).collect();
        let words = if words.is_empty() { names() } else { words };
        json!({"type": "string", "enum": words})
    }
}

/// Well-known types by their JSON form.
fn known(name: &str) -> Option<Value> {
    let short = name.strip_prefix("google.protobuf.")?;
    Some(match short {
        "Timestamp" => json!({"type": "string", "format": "date-time"}),
        "Duration" => json!({"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{1,9})?s$"}),
        "FieldMask" | "StringValue" | "BytesValue" => json!({"type": "string"}),
        "Struct" | "Any" => json!({"type": "object", "additionalProperties": true}),
        "ListValue" => json!({"type": "array", "items": {}}),
        "BoolValue" => json!({"type": "boolean"}),
        "DoubleValue" | "FloatValue" => json!({"type": "number"}),
        "Value" => json!({}),
        _ => json!({"type": "integer"}),
    })
}
