//! SQL that is put together piece by piece, with every value bound. Nothing of a caller's
//! becomes part of its text.

use sea_orm::{DbBackend, Value};

/// A statement on its way.
#[derive(Debug, Default, Clone)]
pub(in super::super) struct Sql {
    /// Its text so far.
    pub(in super::super) text: String,
    /// The values it binds, in the order of their numbers.
    pub(in super::super) values: Vec<Value>,
    /// Whether its values have no numbers.
    plain: bool,
}

impl Sql {
    /// Begins with a text.
    pub(in super::super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            ..Self::default()
        }
    }

    /// One of many values, none of which is named twice. SQLite looks a number up among
    /// all others for every value it binds, so for it they have none.
    pub(in super::super) fn of(backend: DbBackend) -> Self {
        Self {
            plain: backend != DbBackend::Postgres,
            ..Self::default()
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
        match self.plain {
            true => self.text.push('?'),
            false => self.text.push_str(&format!("${}", self.values.len())),
        }
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
