//! The table of an enum: its values by number for output, and by name and
//! documented word for input.

use std::collections::HashMap;

use crate::policy::options::Options;

/// Names of an enum's values.
#[derive(Debug, Default)]
pub struct Enum {
    /// Whether this is `google.protobuf.NullValue`.
    pub is_null: bool,
    values: Vec<EnumValue>,
    numbers: HashMap<String, i32>,
}

/// One value of an enum.
#[derive(Debug)]
pub struct EnumValue {
    /// Number on the wire.
    pub number: i32,
    /// Name in the `.proto`.
    pub name: String,
    /// Documented JSON word, if there is one.
    pub word: Option<String>,
}

impl Enum {
    pub(super) fn new(descriptor: &prost_reflect::EnumDescriptor, options: &Options) -> Self {
        let mut row = Self {
            is_null: descriptor.full_name() == "google.protobuf.NullValue",
            ..Self::default()
        };
        // Declaration order: of two names for one number, the first is written.
        let mut declared: Vec<_> = descriptor.values().collect();
        declared.sort_by_key(|value| value.path().last().copied());
        for value in declared {
            let word = options.word(&value);
            row.numbers.insert(value.name().to_owned(), value.number());
            if let Some(word) = &word {
                row.numbers.insert(word.clone(), value.number());
            }
            row.values.push(EnumValue {
                number: value.number(),
                name: value.name().to_owned(),
                word,
            });
        }
        row
    }

    /// The number of a name or word.
    pub fn number(&self, name: &str) -> Option<i32> {
        self.numbers.get(name).copied()
    }

    /// The value with this number.
    pub fn value(&self, number: i32) -> Option<&EnumValue> {
        self.values.iter().find(|value| value.number == number)
    }

    /// The words callers may use, for an error message.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        let words = self.values.iter().filter_map(|v| v.word.as_deref());
        let names = self.values.iter().filter(|v| v.word.is_none());
        let no_words = self.values.iter().all(|v| v.word.is_none());
        words.chain(names.filter(move |_| no_words).map(|v| v.name.as_str()))
    }
}
