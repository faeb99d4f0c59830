//! The tables the JSON codec runs on: one row per field, made once from
//! descriptors. They hold what JSON needs and nothing else, so that no
//! descriptor is touched while a request is served.

mod enumeration;
mod kind;

use std::collections::HashMap;

use prost_reflect::{Cardinality, DescriptorPool, FieldDescriptor, MessageDescriptor};

pub use self::enumeration::{Enum, EnumValue};
pub use self::kind::{Kind, Known};
use crate::policy::RawJson;
use crate::policy::options::{Options, flag, number, positive, text};

/// Every message and enum of a descriptor pool.
#[derive(Debug, Default)]
pub struct Schema {
    messages: Vec<Message>,
    enums: Vec<Enum>,
    names: HashMap<String, MessageId>,
}

/// A message of a [`Schema`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageId(u32);

/// An enum of a [`Schema`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EnumId(u32);

/// What JSON needs to know of a message.
#[derive(Debug)]
pub struct Message {
    /// Full name.
    pub name: String,
    /// Special JSON form, of a well-known type.
    pub known: Option<Known>,
    /// Fields in the order of the `.proto`, which is the order of the output.
    pub fields: Vec<Field>,
    /// Field that takes the reason an item could not be read.
    pub parse_error: Option<u16>,
    /// Field that names the members to write.
    pub selection: Option<u16>,
    names: HashMap<String, u16>,
    numbers: HashMap<u32, u16>,
    dense: [u16; 32],
}

/// What JSON needs to know of a field.
#[derive(Debug)]
pub struct Field {
    /// Name in the `.proto`.
    pub name: String,
    /// Name in JSON.
    pub json: String,
    /// `"name":`, ready to be written.
    pub quoted: String,
    /// Field number.
    pub number: u32,
    /// Type of the value, of a map's values, of a list's elements.
    pub kind: Kind,
    /// How many values there are.
    pub shape: Shape,
    /// Which oneof it belongs to.
    pub oneof: Option<u16>,
    /// Text that is JSON.
    pub raw: Option<RawJson>,
    /// Absent is written as null.
    pub nullable: bool,
    /// An empty list, or a number that is 0, is left out.
    pub omit_empty: bool,
    /// Not part of the JSON form.
    pub hidden: bool,
    /// A time with milliseconds.
    pub millis: bool,
    /// JSON may give a number or text.
    pub decimal: bool,
    /// Takes the undecoded query string.
    pub raw_query: bool,
    /// The header of a REST request it stands in.
    pub header: Option<String>,
    /// Fewest elements of a list that is given.
    pub min_items: u32,
    /// Within what a whole number must be that has bounds of its own.
    pub bounds: Option<(i128, i128)>,
}

/// How many values a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One, whose default is the same as absence.
    Implicit,
    /// One or none.
    Optional,
    /// A list.
    List {
        /// Whether scalars are packed on the wire.
        packed: bool,
    },
    /// A map with keys of this kind.
    Map(Kind),
}

impl Schema {
    /// Makes the tables of a pool.
    pub fn new(pool: &DescriptorPool) -> Self {
        let options = Options::new(pool);
        let mut schema = Self::default();
        let mut enums = HashMap::new();
        for (i, message) in pool.all_messages().enumerate() {
            let name = message.full_name().to_owned();
            schema.names.insert(name, MessageId(i as u32));
        }
        for (i, descriptor) in pool.all_enums().enumerate() {
            enums.insert(descriptor.full_name().to_owned(), EnumId(i as u32));
            schema.enums.push(Enum::new(&descriptor, &options));
        }
        for descriptor in pool.all_messages() {
            let message = Message::new(&descriptor, &options, &schema.names, &enums);
            schema.messages.push(message);
        }
        schema
    }

    /// The message with this full name.
    pub fn find(&self, name: &str) -> Option<MessageId> {
        self.names.get(name).copied()
    }

    /// The row of a message.
    pub fn message(&self, id: MessageId) -> &Message {
        &self.messages[id.0 as usize]
    }

    /// The row of an enum.
    pub fn enumeration(&self, id: EnumId) -> &Enum {
        &self.enums[id.0 as usize]
    }
}

impl Message {
    fn new(
        descriptor: &MessageDescriptor,
        options: &Options,
        messages: &HashMap<String, MessageId>,
        enums: &HashMap<String, EnumId>,
    ) -> Self {
        let mut message = Self {
            name: descriptor.full_name().to_owned(),
            known: Known::of(descriptor.full_name()),
            fields: Vec::new(),
            parse_error: None,
            selection: None,
            names: HashMap::new(),
            numbers: HashMap::new(),
            dense: [u16::MAX; 32],
        };
        // prost-reflect lists fields by number; JSON is written as declared.
        let mut declared: Vec<FieldDescriptor> = descriptor.fields().collect();
        declared.sort_by_key(|field| field.path().last().copied());
        for (i, field) in declared.iter().enumerate() {
            let at = i as u16;
            let own = options.field(field);
            let is = |name| own.as_ref().is_some_and(|own| flag(own, name));
            let raw = own.as_ref().map_or(0, |own| number(own, "raw_json"));
            if is("parse_error") {
                message.parse_error = Some(at);
            }
            if is("selection") {
                message.selection = Some(at);
            }
            let row = Field {
                name: field.name().to_owned(),
                json: field.json_name().to_owned(),
                quoted: format!("{}:", serde_json::json!(field.json_name())),
                number: field.number(),
                kind: Kind::of_value(field, messages, enums),
                shape: Shape::of(field, messages, enums),
                oneof: oneof(descriptor, field),
                raw: RawJson::from_number(raw),
                nullable: is("nullable"),
                omit_empty: is("omit_empty"),
                hidden: is("parse_error") || is("selection"),
                millis: is("millis"),
                decimal: is("decimal"),
                raw_query: is("raw_query"),
                header: own
                    .as_ref()
                    .map(|own| text(own, "header"))
                    .filter(|name| !name.is_empty()),
                min_items: own
                    .as_ref()
                    .and_then(|own| positive(own, "min_items"))
                    .unwrap_or(0),
                bounds: own.as_ref().and_then(|own| kind::bounds(field, own)),
            };
            if !row.hidden {
                message.names.insert(row.name.clone(), at);
                message.names.insert(row.json.clone(), at);
            }
            message.numbers.insert(row.number, at);
            if let Some(slot) = message.dense.get_mut(row.number as usize) {
                *slot = at;
            }
            message.fields.push(row);
        }
        message
    }

    /// Position of the field with this JSON or proto name. `hint` is tried
    /// first: callers send members in the order of the documentation.
    pub fn position(&self, name: &str, hint: usize) -> Option<u16> {
        if let Some(field) = self.fields.get(hint)
            && field.json == name
            && !field.hidden
        {
            return Some(hint as u16);
        }
        self.names.get(name).copied()
    }

    /// Position of the field with this number.
    pub fn by_number(&self, number: u32) -> Option<u16> {
        match self.dense.get(number as usize) {
            Some(&u16::MAX) => None,
            Some(at) => Some(*at),
            None => self.numbers.get(&number).copied(),
        }
    }
}

/// Real oneofs only: a proto3 `optional` field is alone in a synthetic one.
fn oneof(message: &MessageDescriptor, field: &FieldDescriptor) -> Option<u16> {
    let own = field.containing_oneof()?;
    if own.is_synthetic() {
        return None;
    }
    let at = message.oneofs().position(|oneof| oneof == own)?;
    Some(at as u16)
}

impl Shape {
    fn of(
        field: &FieldDescriptor,
        messages: &HashMap<String, MessageId>,
        enums: &HashMap<String, EnumId>,
    ) -> Self {
        if field.is_map() {
            let kind = field.kind();
            let key = kind
                .as_message()
                .map(MessageDescriptor::map_entry_key_field);
            return Self::Map(key.map_or(Kind::String, |key| Kind::of(&key, messages, enums)));
        }
        match field.cardinality() {
            Cardinality::Repeated => Self::List {
                packed: field.is_packed(),
            },
            Cardinality::Optional | Cardinality::Required if field.supports_presence() => {
                Self::Optional
            }
            Cardinality::Optional | Cardinality::Required => Self::Implicit,
        }
    }
}
