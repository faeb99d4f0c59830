//! How much each sign of relevance counts.

/// The constants of a search. They were chosen on one half of the project's own
/// conversations, and are the same for everybody.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    /// BM25: how fast repeating a word stops counting.
    pub k1: f32,
    /// BM25: how much long memories are held back.
    pub b: f32,
    /// What a memory gets for a word that one beside it holds.
    pub neighbour: f32,
    /// What it gets for one two away.
    pub further: f32,
    /// What an answer gets of the question before it, instead of `neighbour`.
    pub answer: f32,
    /// A memory that only asks counts this much.
    pub asking: f32,
    /// One by a speaker whom the question names counts this much more.
    pub speaker: f32,
    /// One that speaks of a time, when a time is asked for.
    pub timed: f32,
    /// A related word counts this much of the question's own.
    pub related: f32,
    /// One that the thesaurus gives.
    pub meant: f32,
    /// One of a day that the question names, beside a word as rare as it.
    pub dated: f32,
    /// What the best memories speak of counts this much for the others.
    pub expansion: f32,
    /// How many of the best are looked into for that.
    pub seeds: usize,
    /// How many of their words are followed.
    pub followed: usize,
    /// One whose speaker speaks of himself counts this much more.
    pub own: f32,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            k1: 0.9,
            b: 0.4,
            neighbour: 0.25,
            further: 0.25,
            answer: 0.6,
            asking: 0.7,
            speaker: 1.6,
            timed: 1.2,
            related: 0.4,
            meant: 0.1,
            dated: 1.0,
            expansion: 0.15,
            seeds: 15,
            followed: 80,
            own: 1.3,
        }
    }
}
