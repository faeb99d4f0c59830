//! What a memory is worth and which memories a question is about: pure functions and
//! one index per user. Nothing here reads a clock, a database or the network, so the
//! same memories, question and time always give the same answer. Retrieval needs no
//! model.

pub mod block;
pub mod crisis;
pub mod decay;
pub mod duplicates;
pub mod entities;
pub mod events;
pub mod index;
pub mod lexicon;
mod phrases;
pub mod pins;
pub mod presets;
pub mod retrieve;
pub mod score;
pub mod text;
pub mod times;

/// Microseconds of a day.
pub const DAY: i64 = 86_400_000_000;

/// Days from one time to another, both in microseconds; never negative.
pub fn days(from: i64, to: i64) -> f64 {
    (to.saturating_sub(from)).max(0) as f64 / DAY as f64
}
