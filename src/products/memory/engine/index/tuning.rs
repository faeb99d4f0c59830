//! How much each sign of relevance counts.

/// The constants of a search. They were chosen on one half of the project's own
/// conversations, and are the same for everybody.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    /// BM25: how fast repeating a word stops counting.
    pub k1: f32,
    /// BM25: how much long memories are held back.
    pub b: f32,
    /// What a memory gets of the ones before and after it.
    pub neighbour: f32,
    /// What it gets of the ones two before and after it.
    pub further: f32,
    /// What an answer gets of the question before it, instead of `neighbour`.
    pub answer: f32,
    /// A memory that only asks counts this much.
    pub asking: f32,
    /// One by a speaker whom the question names counts this much more.
    pub speaker: f32,
    /// One that speaks of a time, when a time is asked for.
    pub timed: f32,
    /// One with a number, when a number is asked for.
    pub counting: f32,
    /// One in which two words of the question stand side by side, as there.
    pub pair: f32,
    /// A related word counts this much of the question's own.
    pub related: f32,
    /// One of a day that the question names, beside a word as rare as it.
    pub dated: f32,
    /// Names in the best memories count this much for the next ones.
    pub expansion: f32,
    /// How many of the best are looked into for names.
    pub seeds: usize,
    /// One whose speaker speaks of himself counts this much more.
    pub own: f32,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            k1: 0.9,
            b: 0.4,
            neighbour: 0.3,
            further: 0.1,
            answer: 0.4,
            asking: 0.8,
            speaker: 1.2,
            timed: 1.15,
            counting: 1.1,
            pair: 0.25,
            related: 0.2,
            dated: 1.0,
            expansion: 0.15,
            seeds: 3,
            own: 1.0,
        }
    }
}

impl Tuning {
    /// BM25 over a memory's own words and nothing else, to compare with.
    pub fn plain() -> Self {
        Self {
            neighbour: 0.0,
            further: 0.0,
            answer: 0.0,
            asking: 1.0,
            speaker: 1.0,
            timed: 1.0,
            counting: 1.0,
            pair: 0.0,
            related: 0.0,
            dated: 0.0,
            expansion: 0.0,
            seeds: 0,
            own: 1.0,
            ..Self::default()
        }
    }
}
