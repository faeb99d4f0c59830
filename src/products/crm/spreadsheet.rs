//! Cells of CSV that spreadsheets would take for formulas: exports put `'` before them,
//! which imports take away again. What a text says stays the same that way.

use std::borrow::Cow;

/// What formulas begin with, here or there.
const BEGINS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Whether a text begins a formula, behind the `'` it may have already.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(BEGINS)
}

/// Whether a text is a number, which is no formula.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit() || c == b'.')
}

/// A text that no spreadsheet takes for a formula.
pub(super) fn guarded(text: &str) -> Cow<'_, str> {
    match is_formula(text) && !is_number(text) {
        true => format!("'{text}").into(),
        false => text.into(),
    }
}

/// What was guarded, if it was.
pub(super) fn plain(text: &str) -> &str {
    let rest = text.strip_prefix('\'');
    rest.filter(|rest| is_formula(rest)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_guarded_is_plain_again() {
        for text in [
            "", "a", "=1+1", "+1 555", "-", "-5", "+49.1", "@x", "\tx", "\rx", "'", "'a", "''a",
            "'=1", "'-5", "''@x", "'+1 555",
        ] {
            let cell = guarded(text);
            assert_eq!(plain(&cell), text, "{cell}");
            assert!(!cell.starts_with(BEGINS) || is_number(&cell), "{cell}");
        }
    }

    #[test]
    fn texts_and_numbers_stay_as_they_are() {
        for text in ["Jane", "-5", "+49", "3.50", "'tis", "O'Hara"] {
            assert_eq!(guarded(text), text);
        }
    }
}
