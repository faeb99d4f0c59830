//! What a memory is worth when it is made: five signals of its words and its history,
//! and the factors that raise or lower their sum. The formulas and weights are the
//! project's own.

use std::collections::HashSet;

use foldhash::fast::FixedState;

use super::events;
use super::lexicon::{EMOTIONS, FIRST_PERSON, PERSONAL};
use super::text::{Token, only_asks, sentences, stem, stop, tokens};

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// The user.
    #[default]
    User,
    /// The assistant, whose words count half.
    Assistant,
}

/// How much each signal counts.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Weights {
    /// Of self-disclosure.
    pub sdv: f64,
    /// Of recurrence over sessions.
    pub cscv: f64,
    /// Of lexical content.
    pub lcs: f64,
    /// Of emotional weight.
    pub swv: f64,
    /// Of departure from habit.
    pub pdv: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            sdv: 0.30,
            cscv: 0.20,
            lcs: 0.20,
            swv: 0.20,
            pdv: 0.10,
        }
    }
}

/// What went before, as far as scoring asks.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct History {
    /// Distinct earlier sessions (UTC days where there are none) that hold a memory
    /// which shares an entity or is alike.
    pub sessions: u32,
    /// How many of the newest memories the habit below is of, at most 50.
    pub habit_count: u32,
    /// Mean of `sdv + swv` over them.
    pub habit_mean: f64,
    /// Its standard deviation.
    pub habit_deviation: f64,
}

impl History {
    /// The habit of the newest memories, given `sdv + swv` of each.
    pub fn habit(mut self, values: &[f64]) -> Self {
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
        self.habit_count = values.len() as u32;
        self.habit_mean = mean;
        self.habit_deviation = variance.sqrt();
        self
    }
}

/// The score of a memory. Everything lies between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Score {
    /// Intrinsic importance.
    pub base: f64,
    /// Self-disclosure: density of personal information.
    pub sdv: f64,
    /// Recurrence over sessions; zero for a first memory.
    pub cscv: f64,
    /// Lexical content.
    pub lcs: f64,
    /// Emotional weight.
    pub swv: f64,
    /// Departure from the user's habit; zero until there are five memories.
    pub pdv: f64,
    /// The strongest life event named, 0 to 0.6.
    pub event: f64,
    /// Whether a factor other than one was applied.
    pub modified: bool,
}

/// Memories a habit takes.
const HABIT: u32 = 5;

/// Scores a memory's content.
pub fn score(content: &str, role: Role, history: &History, weights: &Weights) -> Score {
    let counts = Counts::of(content);
    let n = counts.words as f64;
    let sdv = 1.0 - (-2.35 * counts.units() as f64 / (n + 2.0)).exp();
    let lcs = 0.5 * (1.5 * counts.content as f64 / n.max(4.0)).min(1.0)
        + 0.3 * (n / (20.0 * sentences(content) as f64)).min(1.0)
        + 0.2 * ((counts.mean_length - 3.0) / 6.0).clamp(0.0, 1.0);
    let swv = 0.40 * counts.emotion
        + 0.35 * ((counts.proper + counts.personal) as f64 / 6.0).min(1.0)
        + 0.15 * (counts.first_person as f64 / 3.0).min(1.0);
    let cscv = 1.0 - (-0.7 * f64::from(history.sessions)).exp();
    let pdv = if history.habit_count < HABIT {
        0.0
    } else {
        let departure = (sdv + swv - history.habit_mean).max(0.0);
        (departure / (2.0 * history.habit_deviation + 0.1)).min(1.0)
    };
    let factor = (1.0 + counts.event) * counts.factor(content, role);
    let sum = weights.sdv * sdv
        + weights.cscv * cscv
        + weights.lcs * lcs
        + weights.swv * swv
        + weights.pdv * pdv;
    Score {
        base: (sum * factor).clamp(0.0, 1.0),
        sdv,
        cscv,
        lcs,
        swv,
        pdv,
        event: counts.event,
        modified: factor != 1.0,
    }
}

#[derive(Default)]
struct Counts {
    words: usize,
    first_person: usize,
    numbers: usize,
    proper: usize,
    personal: usize,
    events: usize,
    content: usize,
    mean_length: f64,
    event: f64,
    emotion: f64,
    hedged: bool,
    explicit: bool,
}

impl Counts {
    fn of(text: &str) -> Self {
        let tokens = tokens(text);
        let events = events::found(text);
        let mut counts = Self {
            words: tokens.len(),
            events: events.count,
            event: events.strength,
            emotion: events.feeling,
            ..Self::default()
        };
        let mut content: HashSet<String, FixedState> = HashSet::default();
        for token in &tokens {
            let word = token.lower();
            if FIRST_PERSON.contains(&word) {
                counts.first_person += 1;
                continue;
            }
            counts.hedged |= hedges(&word);
            counts.explicit |= insists(&word);
            counts.numbers += usize::from(token.number());
            if stop(&word) {
                continue;
            }
            counts.weigh(token, &word);
            if !token.number() {
                content.insert(word);
            }
        }
        counts.content = content.len();
        let letters: usize = content.iter().map(|word| word.chars().count()).sum();
        counts.mean_length = letters as f64 / content.len().max(1) as f64;
        counts
    }

    fn weigh(&mut self, token: &Token<'_>, word: &str) {
        let stem = stem(word);
        self.proper += usize::from(token.capital() && !token.first);
        self.personal += usize::from(PERSONAL.contains(&stem));
        if let Some(intensity) = EMOTIONS.get(&stem) {
            self.emotion = self.emotion.max(*intensity);
        }
    }

    fn units(&self) -> usize {
        self.first_person + self.numbers + self.proper + self.personal + self.events
    }

    fn factor(&self, text: &str, role: Role) -> f64 {
        let mut factor = 1.0;
        if self.hedged {
            factor *= 0.8;
        }
        if only_asks(text) && self.first_person == 0 {
            factor *= 0.6;
        }
        if role == Role::Assistant {
            factor *= 0.5;
        }
        if self.explicit {
            factor *= 1.3;
        }
        factor
    }
}

/// Negated or hypothetical.
fn hedges(word: &str) -> bool {
    word.ends_with("n't")
        || matches!(
            word,
            "not" | "no" | "if" | "would" | "could" | "might" | "maybe" | "perhaps" | "wish"
        )
}

/// Said to be kept.
fn insists(word: &str) -> bool {
    word.starts_with("allerg") || matches!(word, "remember" | "always" | "never")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Score {
        score(text, Role::User, &History::default(), &Weights::default())
    }

    fn near(value: f64, wanted: f64) {
        assert!((value - wanted).abs() <= 0.02, "{value} for {wanted}");
    }

    #[test]
    fn the_published_vector() {
        let made = first(
            "I just got promoted to engineering manager at Dataflow. My team is 12 people now.",
        );
        near(made.base, 0.48);
        near(made.sdv, 0.62);
        near(made.lcs, 0.55);
        near(made.swv, 0.41);
        assert_eq!((made.cscv, made.pdv), (0.0, 0.0));
        assert!(made.modified);
    }

    #[test]
    fn plain_cases_are_ordered() {
        near(first("I had Thai food for lunch.").base, 0.26);
        near(first("My father just died.").base, 0.65);
        near(first("ok thanks").base, 0.09);
        near(first("How is the project going?").base, 0.10);
        let fear = first("I was diagnosed with diabetes and I am scared of losing my job.");
        assert!(fear.base > 0.55, "{fear:?}");
        assert!(!first("I had Thai food for lunch.").modified);
    }

    #[test]
    fn what_befalls_people_matters_more_than_what_befalls_things() {
        for (person, thing) in [
            ("My mum passed away", "The printer died again"),
            ("We broke up", "I moved the chair"),
            ("I was made redundant", "I fired up the grill"),
            ("I lost my baby", "My phone battery keeps dying"),
            (
                "My throat closes up if I eat shellfish",
                "I'd die for some chips",
            ),
        ] {
            assert!(first(person).base > first(thing).base + 0.1, "{person}");
        }
    }

    #[test]
    fn factors_are_applied() {
        let text = "I work at the hospital in Leeds.";
        let user = first(text);
        let assistant = score(
            text,
            Role::Assistant,
            &History::default(),
            &Weights::default(),
        );
        assert!((assistant.base * 2.0 - user.base).abs() < 1e-9 && assistant.modified);
        assert!(first("Remember I eat no nuts, I am allergic.").modified);
        assert!(first("I might move to Leeds.").base < first("I will move to Leeds.").base);
    }

    #[test]
    fn history_adds_what_it_shows() {
        let often = History {
            sessions: 3,
            ..History::default()
        };
        let text = "My sister Ana moved to Leeds.";
        let scored = score(text, Role::User, &often, &Weights::default());
        assert!((scored.cscv - (1.0 - (-2.1_f64).exp())).abs() < 1e-9);
        let calm = History::default().habit(&[0.2; 10]);
        assert_eq!(score(text, Role::User, &calm, &Weights::default()).pdv, 1.0);
        let few = History::default().habit(&[0.2; 4]);
        assert_eq!(score(text, Role::User, &few, &Weights::default()).pdv, 0.0);
    }

    #[test]
    fn nothing_leaves_its_range() {
        for text in [
            "",
            "?",
            "I I I I I I I I",
            &"my father died ".repeat(900),
            "东京",
        ] {
            let made = first(text);
            for value in [made.base, made.sdv, made.lcs, made.swv] {
                assert!((0.0..=1.0).contains(&value), "{text:.20} {made:?}");
            }
        }
    }
}
