//! Words that stand nowhere else, and requests full of them.

use std::collections::HashSet;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use crate::security::catalogue;

/// Words of one run. All begin alike, so that one search finds any of them, also
/// in part.
#[derive(Debug)]
pub struct Canaries {
    stem: String,
    places: Vec<String>,
}

impl Canaries {
    pub fn new() -> Self {
        let random = uuid::Uuid::new_v4().simple().to_string();
        Self {
            stem: format!("cnry{}", &random[..12]),
            places: Vec::new(),
        }
    }

    /// What all words of this run begin with.
    pub fn seed(&self) -> &str {
        &self.stem
    }

    /// A word for a place: letters and digits, which every grammar allows.
    pub fn word(&mut self, place: &str) -> String {
        self.places.push(place.to_owned());
        format!("{}n{}e", self.stem, self.places.len() - 1)
    }

    /// Where words stand in a text, whole or cut off, with what is around them.
    pub fn found(&self, what: &str, text: &str) -> Vec<String> {
        let lower = text.to_ascii_lowercase();
        let mut told = HashSet::new();
        let hits = lower.match_indices(&self.stem);
        let hits = hits.filter_map(|(at, _)| {
            let number = lower[at + self.stem.len()..].strip_prefix('n');
            let number = number.and_then(|rest| rest.split('e').next()?.parse::<usize>().ok());
            let place = number.and_then(|number| self.places.get(number));
            let place = place.map_or("part of a word", String::as_str);
            let from = lower.floor_char_boundary(at.saturating_sub(160));
            let to = lower.ceil_char_boundary((at + 60).min(lower.len()));
            let around = lower[from..to].replace('\n', "⏎");
            told.insert(place)
                .then(|| format!("{what} shows the {place}: …{around}…"))
        });
        hits.collect()
    }

    /// A request in which every text holds a word. In round 0 every member is
    /// set, in round 1 the texts that need a form have it, in round 2 lists and
    /// messages are left out.
    pub fn request(&mut self, message: &str, round: u32) -> Value {
        self.message(&catalogue::message(message), round, 0)
    }

    fn message(&mut self, message: &MessageDescriptor, round: u32, depth: u32) -> Value {
        let mut members = Map::new();
        for field in message.fields().filter(is_alone) {
            let value = self.value(&field, round, depth);
            // Two that are no members in JSON.
            let written = !matches!(field.name(), "parse_error" | "shown");
            if let Some(value) = value.filter(|_| written) {
                members.insert(field.json_name().to_owned(), value);
            }
        }
        Value::Object(members)
    }

    fn value(&mut self, field: &FieldDescriptor, round: u32, depth: u32) -> Option<Value> {
        let whole = round < 2;
        let value = match field.kind() {
            Kind::String => self.text(field, round),
            Kind::Bool => json!(true),
            Kind::Enum(_) => json!(1),
            Kind::Message(inner) => match inner.full_name() {
                "google.protobuf.Timestamp" => json!("2024-01-15T10:30:00Z"),
                "google.protobuf.FieldMask" => return None,
                name if name.starts_with("google.") => return None,
                _ if depth > 3 || !whole => return None,
                _ => self.message(&inner, round, depth + 1),
            },
            Kind::Bytes => json!("Y25yeQ=="),
            _ => json!(1),
        };
        match field.is_list() {
            // Some lists begin at two.
            true if whole => Some(json!([value, value])),
            true => None,
            false => Some(value),
        }
    }

    fn text(&mut self, field: &FieldDescriptor, round: u32) -> Value {
        let word = self.word(field.full_name());
        match field.name() {
            "metadata"
            | "event_metadata"
            | "data"
            | "traits"
            | "condition"
            | "attributes"
            | "context"
            | "custom_fields_by_name"
            | "template" => {
                json!({"secret": word.clone(), word: 1})
            }
            "merged_metadata" => json!([{"secret": word}]),
            // Names in it that are not known are told back.
            "updates" => json!({"decay_profile": {"base_rate": word}}),
            "filter" if field.full_name().starts_with("apex.crm.") => json!({"channel": word}),
            "email" if round > 0 => json!(format!("{word}@example.com")),
            "query" if field.full_name().starts_with("apex.crm.") => {
                json!({"first_name": word, "$limit": 1})
            }
            // Names that are not known are told back; see `in_names`.
            "url_query" => json!(format!("first_name={word}")),
            "field" | "select" if field.full_name().starts_with("apex.crm.") => json!("id"),
            // OpenFeature's protocol answers the key that was asked for.
            "flag_key" => json!("new-checkout"),
            "timezone" if round > 0 => json!("UTC"),
            "currency" if round > 0 => json!("USD"),
            "environment" if round > 0 => json!("production"),
            "start_date" | "end_date" if round > 0 => json!("2024-01-15"),
            "interval" | "group_by" | "metrics" if round > 0 => json!(""),
            _ => json!(word),
        }
    }
}

/// Of members that cannot be combined the text is set, or else the last.
fn is_alone(field: &FieldDescriptor) -> bool {
    let Some(oneof) = field
        .containing_oneof()
        .filter(|oneof| !oneof.is_synthetic())
    else {
        return true;
    };
    let text = oneof.fields().find(|field| field.kind() == Kind::String);
    let chosen = text.or_else(|| oneof.fields().last());
    chosen.is_some_and(|chosen| chosen.number() == field.number())
}
