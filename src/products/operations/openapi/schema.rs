//! Schemas of messages and fields: what their descriptors and our field options
//! say, as JSON Schema.

use prost_reflect::{Cardinality, DynamicMessage, EnumDescriptor, FieldDescriptor};
use prost_reflect::{Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::super::page::{about_field, about_message, example};
use super::Writer;
use super::keywords::{bounds, known, or_null};
use crate::policy::Profile;
use crate::policy::options::{flag, number, positive};
use crate::transcode::json::Rules;

/// Which way a message goes, and by whose rules its JSON is read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Request(Rules),
    Answer(Rules),
}

impl Side {
    pub(super) fn request(profile: Profile) -> Self {
        Self::Request(Rules::of(profile))
    }

    pub(super) fn answer(profile: Profile) -> Self {
        Self::Answer(Rules::of(profile))
    }

    /// Told from the other side by this, where a message goes both ways.
    fn suffix(self) -> &'static str {
        match self {
            Self::Request(_) => ".Input",
            Self::Answer(_) => ".Output",
        }
    }
}

impl Writer {
    /// A reference to a message's schema, which is made on first use.
    pub(super) fn message(&mut self, message: &MessageDescriptor, side: Side) -> Value {
        if let Some(schema) = known(message.full_name()) {
            return schema;
        }
        let mut name = message.full_name().to_owned();
        if self.schemas.get(&name).is_some_and(|(own, _)| *own != side) {
            name.push_str(side.suffix());
        }
        if !self.schemas.contains_key(&name) {
            // Stands in while the message's own fields are written.
            self.schemas.insert(name.clone(), (side, json!({})));
            let schema = self.properties(message, side, &[]);
            self.schemas.insert(name.clone(), (side, schema));
        }
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    pub(super) fn properties(
        &mut self,
        message: &MessageDescriptor,
        side: Side,
        left_out: &[&str],
    ) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        let shown = self.writes_all(message);
        for field in message
            .fields()
            .filter(|field| !left_out.contains(&field.name()))
        {
            let own = self.options.field(&field);
            let own = own.as_ref();
            if own.is_some_and(|own| flag(own, "parse_error") || flag(own, "selection")) {
                continue;
            }
            let is_required = match side {
                Side::Request(_) => own.is_some_and(|own| flag(own, "required")),
                Side::Answer(rules) => shown && is_always_written(&field, own, rules),
            };
            let mut schema = self.field(&field, side);
            let is_filled =
                own.is_some_and(|own| positive(own, "min_items").is_some() || flag(own, "always"));
            match side {
                // Null is the same as absence, unless there must be something.
                Side::Request(_) if !is_required && !is_filled => schema = or_null(schema),
                Side::Request(_) | Side::Answer(_) => {}
            }
            if is_required {
                required.push(field.json_name().to_owned());
            }
            let about = about_field(&field);
            if let Some(schema) = schema.as_object_mut().filter(|_| !about.is_empty()) {
                schema.insert("description".into(), json!(about));
            }
            if let Some(example) = example(&field, &self.options) {
                let of_list = field.is_list().then(|| json!([example]));
                schema["examples"] = json!([of_list.unwrap_or(example)]);
            }
            if own.is_some_and(|own| flag(own, "read_only")) {
                schema["readOnly"] = json!(true);
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
        if let Side::Request(rules) = side
            && !rules.ignore_unknown
        {
            schema["additionalProperties"] = json!(false);
        }
        schema
    }

    /// Whether no field of a message chooses which others are written.
    fn writes_all(&self, message: &MessageDescriptor) -> bool {
        let mut fields = message.fields();
        !fields.any(|field| {
            let own = self.options.field(&field);
            own.is_some_and(|own| flag(&own, "selection"))
        })
    }

    pub(super) fn field(&mut self, field: &FieldDescriptor, side: Side) -> Value {
        let own = self.options.field(field);
        if field.is_map() {
            let kind = field.kind();
            let value = kind
                .as_message()
                .map(MessageDescriptor::map_entry_value_field);
            let value = value.map_or(json!({}), |value| self.value(&value, None, side));
            return json!({"type": "object", "additionalProperties": value});
        }
        if field.is_list() {
            let items = self.value(field, own.as_ref(), side);
            let mut schema = json!({"type": "array", "items": items});
            let required = own.as_ref().is_some_and(|own| flag(own, "required"));
            let fewest = own.as_ref().and_then(|own| positive(own, "min_items"));
            if let Some(fewest) = fewest.or(required.then_some(1)) {
                schema["minItems"] = json!(fewest);
            }
            if let Some(max) = own.as_ref().and_then(|own| positive(own, "max_items")) {
                schema["maxItems"] = json!(max);
            }
            return schema;
        }
        let schema = self.value(field, own.as_ref(), side);
        match own.is_some_and(|own| flag(&own, "nullable") && !flag(&own, "always")) {
            true => or_null(schema),
            false => schema,
        }
    }

    fn value(
        &mut self,
        field: &FieldDescriptor,
        own: Option<&DynamicMessage>,
        side: Side,
    ) -> Value {
        let raw = own.map_or(0, |own| number(own, "raw_json"));
        let mut schema = match field.kind() {
            Kind::Message(message) => return self.message(&message, side),
            Kind::Enum(values) => return self.words(&values, side),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::Double | Kind::Float => json!({"type": "number"}),
            Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
            Kind::String => match raw {
                0 => json!({"type": "string"}),
                1 => return json!({"type": "object", "additionalProperties": true}),
                _ => return json!({}),
            },
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint64 | Kind::Fixed64 => {
                match side {
                    Side::Answer(rules) if rules.quoted_numbers => {
                        json!({"type": "string", "format": "int64"})
                    }
                    Side::Request(rules) if rules.quoted_numbers => {
                        json!({"type": ["integer", "string"], "format": "int64"})
                    }
                    Side::Request(_) | Side::Answer(_) => {
                        json!({"type": "integer", "format": "int64"})
                    }
                }
            }
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 | Kind::Uint32 | Kind::Fixed32 => {
                json!({"type": "integer", "format": "int32"})
            }
        };
        if let Some(own) = own {
            bounds(own, field.kind() == Kind::String, &mut schema);
        }
        schema
    }

    fn words(&self, values: &EnumDescriptor, side: Side) -> Value {
        let all: Vec<_> = values.values().collect();
        let words: Vec<String> = all
            .iter()
            .filter_map(|value| self.options.word(value))
            .collect();
        let names = || all.iter().map(|value| value.name().to_owned()).collect();
        let words = if words.is_empty() { names() } else { words };
        let word = json!({"type": "string", "enum": words});
        match side {
            // Protobuf's JSON takes a value's number as well.
            Side::Request(_) => json!({"anyOf": [word, {"type": "integer", "format": "int32"}]}),
            Side::Answer(_) => word,
        }
    }
}

/// Whether every answer has this member.
fn is_always_written(field: &FieldDescriptor, own: Option<&DynamicMessage>, rules: Rules) -> bool {
    if own.is_some_and(|own| flag(own, "nullable")) {
        return true;
    }
    let is_optional = field.cardinality() != Cardinality::Repeated && field.supports_presence();
    let omits = own.is_some_and(|own| flag(own, "omit_empty"));
    rules.defaults && !is_optional && !omits
}
