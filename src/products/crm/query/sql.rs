//! SQL that is put together piece by piece, with every value bound. Nothing of a caller's
//! becomes part of its text.

use sea_orm::Value;

/// A statement on its way.
#[derive(Debug, Default, Clone)]
pub(in super::super) struct Sql {
    /// Its text so far.
    pub(in super::super) text: String,
    /// The values it binds, in the order of their numbers.
    pub(in super::super) values: Vec<Value>,
}

impl Sql {
    /// Begins with a text.
    pub(in super::super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            values: Vec::new(),
        }
    }

    /// Adds text of the program's own.
    pub(in super::super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds the place of a value.
    pub(in super::super) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        self.text.push_str(&format!("${}", self.values.len()));
        self
    }

    /// Adds the places of values, with commas between.
    pub(in super::super) fn list(&mut self, values: impl IntoIterator<Item = Value>) -> &mut Self {
        for (at, value) in values.into_iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.bind(value);
        }
        self
    }
}
