//! Numbers for texts, which are compared and counted far faster than the texts.

use std::collections::HashMap;

/// Numbers from here on hold within one reading only.
pub(super) const PASSING: u32 = 1 << 31;

/// Numbers given in one reading.
#[derive(Debug, Default)]
pub(super) struct Words {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Words {
    /// The number of a text; zero of an empty one.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = PASSING + self.texts.len() as u32;
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        number
    }

    /// The text of a number given here.
    pub(super) fn text(&self, number: u32) -> Option<&str> {
        let at = number.checked_sub(PASSING)?;
        self.texts.get(at as usize).map(String::as_str)
    }
}
