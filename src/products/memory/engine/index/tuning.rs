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
    /// What it gets for one three away, and its square for four away.
    pub far: f32,
    /// What an answer gets of the question before it, instead of `neighbour`.
    pub answer: f32,
    /// How much of what several memories give for one word is added to the largest.
    pub several: f32,
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
    /// One that the thesaurus gives.
    pub meant: f32,
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
            further: 0.2,
            far: 0.1,
            answer: 0.4,
            several: 0.5,
            asking: 0.8,
            speaker: 1.25,
            timed: 1.2,
            counting: 1.1,
            pair: 0.25,
            related: 0.3,
            meant: 0.2,
            dated: 1.0,
            expansion: 0.1,
            seeds: 3,
            own: 1.15,
        }
    }
}
