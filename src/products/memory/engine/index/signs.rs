//! What kind of memory one is, in bits.

use super::super::lexicon::FIRST_PERSON;
use super::super::text;

/// Speaks of a time.
pub(super) const TIMED: u8 = 1;
/// Only asks.
pub(super) const ASKS: u8 = 2;
/// Is always told.
pub(super) const PINNED: u8 = 8;
/// Is never told.
pub(super) const HIDDEN: u8 = 16;
/// Ends by asking, so that what follows answers.
pub(super) const LEADS: u8 = 32;
/// The speaker speaks of himself.
pub(super) const OWN: u8 = 64;

/// What its words alone make a memory.
pub(super) fn flags_of(said: &str) -> u8 {
    let tokens = text::tokens(said);
    let words = || tokens.iter().map(text::Token::lower);
    let mut flags = 0;
    for (flag, holds) in [
        (ASKS, text::only_asks(said)),
        (LEADS, said.trim_end().ends_with(['?', '？'])),
        (OWN, words().any(|word| FIRST_PERSON.contains(&word))),
    ] {
        if holds {
            flags |= flag;
        }
    }
    flags
}
