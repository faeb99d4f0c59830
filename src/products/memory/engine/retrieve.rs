//! Which memories an application is told of: those a question is about, those that
//! matter, the newest, and what is pinned. Relevance comes first; salience and recency
//! order what is about equally relevant, and fill what it leaves.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use uuid::Uuid;

use super::index::{Found, Index, Tuning};
use super::presets::Profile;
use super::{days, decay};

/// Why a memory is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// It is pinned.
    Pinned,
    /// It is what the question is about.
    Relevance,
    /// It matters.
    Salience,
    /// It is new.
    Recency,
}

impl Channel {
    /// As clients see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Relevance => "relevance",
            Self::Salience => "salience",
            Self::Recency => "recency",
        }
    }
}

/// How sure it is that a memory belongs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// From 0.66.
    High,
    /// From 0.40.
    Medium,
    /// Below.
    Low,
}

impl Confidence {
    /// Of a relevance, or of a salience where nothing was asked.
    pub fn of(value: f64) -> Self {
        match value {
            0.66.. => Self::High,
            0.40.. => Self::Medium,
            _ => Self::Low,
        }
    }

    /// As clients see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// A memory to tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Its id.
    pub id: Uuid,
    /// How well it fits the question, 0 to 1.
    pub relevance: f64,
    /// How much it matters now, 0 to 1.
    pub salience: f64,
    /// What it is ordered by, 0 to 1.
    pub score: f64,
    /// Why it is told.
    pub channel: Channel,
    /// How sure that is.
    pub confidence: Confidence,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The text; it may be empty.
    pub text: &'a str,
    /// The time, in microseconds.
    pub now: i64,
    /// How many memories to tell at most.
    pub limit: usize,
    /// The tenant's profile.
    pub profile: &'a Profile,
    /// How alike an embedder finds memories to the text, where there is one: cosines,
    /// in any order.
    pub alike: &'a [(Uuid, f32)],
}

/// Memories relevance tells at least, if it finds them.
const RELEVANT: usize = 20;
/// Memories salience tells at most.
const SALIENT: usize = 10;
/// Memories recency tells at most.
const RECENT: usize = 5;
/// Days in which recency falls to 1/e.
const RECENT_DAYS: f64 = 14.0;
/// Candidates when two rankings are made one.
const CANDIDATES: usize = 200;
/// What an embedder's ranking counts beside the words'.
const ALIKE: f32 = 0.5;
/// The share of a question's words that the best memory must hold for it to be as
/// relevant as can be.
const ENOUGH: f32 = 0.5;

/// The memories to tell: what is pinned, then what is relevant, then the rest, each by
/// score.
pub fn retrieve(index: &Index, request: &Request<'_>) -> Vec<Hit> {
    let tuning = Tuning::default();
    let question = index.question(request.text, request.now);
    let count = RELEVANT.max(request.limit);
    let found = if request.alike.is_empty() {
        index.search(&question, &tuning, count)
    } else {
        let found = index.search(&question, &tuning, CANDIDATES);
        fused(index, &tuning, found, request.alike, count)
    };
    let top = found.first().map_or(1.0, |found| found.score);
    let held = found
        .iter()
        .take(3)
        .map(|found| found.coverage)
        .fold(0.0, f32::max);
    let sure = if request.alike.is_empty() && !question.words.is_empty() {
        (held / ENOUGH).min(1.0)
    } else {
        1.0
    };
    let relevance: HashMap<Uuid, f64, FixedState> = found
        .iter()
        .map(|found| (found.id, f64::from(sure * found.score / top)))
        .collect();

    let decay = &request.profile.decay_profile;
    let mut rest: Vec<(Hit, i64)> = Vec::new();
    let mut told: Vec<(Hit, i64)> = Vec::new();
    for memory in index.memories() {
        let salience = decay::salience(memory.state, memory.spikes, decay, request.now);
        let relevance = relevance.get(&memory.id).copied();
        let ranking = &request.profile.retrieval;
        let recency = (-days(memory.at, request.now) / RECENT_DAYS).exp();
        // What a question is about is ordered by how much it is about that; the rest of
        // the score grows with it, so it never lifts what is hardly relevant.
        let rest_of = ranking.salience_weight * salience + ranking.recency_weight * recency;
        let score = match relevance {
            Some(relevance) => relevance * (ranking.relevance_weight() + rest_of),
            None => rest_of,
        };
        let hit = Hit {
            id: memory.id,
            relevance: relevance.unwrap_or_default(),
            salience,
            score,
            channel: match relevance {
                _ if memory.pinned => Channel::Pinned,
                Some(_) => Channel::Relevance,
                None => Channel::Salience,
            },
            confidence: Confidence::of(relevance.unwrap_or(salience)),
        };
        if memory.pinned || relevance.is_some() {
            told.push((hit, memory.at));
        } else {
            rest.push((hit, memory.at));
        }
    }
    fill(&mut told, rest);
    told.sort_unstable_by(order);
    told.truncate(request.limit);
    told.into_iter().map(|(hit, _)| hit).collect()
}

/// Pinned, relevant, the rest; then score, then the newer.
fn order(a: &(Hit, i64), b: &(Hit, i64)) -> std::cmp::Ordering {
    let rank = |hit: &Hit| hit.channel.min(Channel::Salience);
    rank(&a.0)
        .cmp(&rank(&b.0))
        .then(b.0.score.total_cmp(&a.0.score))
        .then(b.1.cmp(&a.1))
        .then(a.0.id.cmp(&b.0.id))
}

/// Adds the most salient and the newest of what relevance left.
fn fill(told: &mut Vec<(Hit, i64)>, mut rest: Vec<(Hit, i64)>) {
    let top = |rest: &mut Vec<(Hit, i64)>,
               count: usize,
               by: fn(&(Hit, i64), &(Hit, i64)) -> std::cmp::Ordering| {
        if rest.len() > count {
            rest.select_nth_unstable_by(count, by);
        }
        let left = rest.split_off(count.min(rest.len()));
        std::mem::replace(rest, left)
    };
    told.extend(top(&mut rest, SALIENT, |a, b| {
        b.0.salience
            .total_cmp(&a.0.salience)
            .then(b.1.cmp(&a.1))
            .then(a.0.id.cmp(&b.0.id))
    }));
    told.extend(
        top(&mut rest, RECENT, |a, b| {
            b.1.cmp(&a.1).then(a.0.id.cmp(&b.0.id))
        })
        .into_iter()
        .map(|(hit, at)| {
            let channel = Channel::Recency;
            (Hit { channel, ..hit }, at)
        }),
    );
}

/// One ranking of two: words' scores against their best, and an embedder's cosines
/// spread from nought to one, with the neighbours' share.
fn fused(
    index: &Index,
    tuning: &Tuning,
    found: Vec<Found>,
    alike: &[(Uuid, f32)],
    count: usize,
) -> Vec<Found> {
    let (low, high) = alike
        .iter()
        .fold((f32::MAX, f32::MIN), |(low, high), (_, cosine)| {
            (low.min(*cosine), high.max(*cosine))
        });
    let spread = (high - low).max(f32::EPSILON);
    let cosines: HashMap<Uuid, f32, FixedState> = alike
        .iter()
        .map(|(id, cosine)| (*id, (cosine - low) / spread))
        .collect();
    let top = found.first().map_or(1.0, |found| found.score);
    let mut scores: HashMap<Uuid, Found, FixedState> = found
        .into_iter()
        .map(|found| {
            let score = found.score / top;
            (found.id, Found { score, ..found })
        })
        .collect();
    for (id, cosine) in &cosines {
        let Some(at) = index.time(*id) else { continue };
        let around: f32 = index
            .around(*id)
            .into_iter()
            .flatten()
            .filter_map(|id| cosines.get(&id))
            .sum();
        let entry = scores.entry(*id).or_insert(Found {
            id: *id,
            at,
            score: 0.0,
            coverage: 0.0,
        });
        entry.score += ALIKE * (cosine + tuning.neighbour * around);
    }
    let mut fused: Vec<_> = scores.into_values().collect();
    fused.sort_unstable_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then(b.at.cmp(&a.at))
            .then(a.id.cmp(&b.id))
    });
    fused.truncate(count);
    fused
}

#[cfg(test)]
mod tests {
    use super::super::DAY;
    use super::super::decay::State;
    use super::super::index::Document;
    use super::super::presets;
    use super::*;

    fn document(id: u128, content: &str) -> Document<'_> {
        Document {
            id: Uuid::from_u128(id),
            session: Some("s"),
            speaker: None,
            at: id as i64 * 1_000_000,
            content,
            state: State {
                base: 0.3,
                ..State::default()
            },
            spikes: &[],
            pinned: false,
        }
    }

    fn index(contents: &[&str]) -> Index {
        let mut index = Index::default();
        for (n, content) in contents.iter().enumerate() {
            index.insert(&document(n as u128 + 1, content));
        }
        index
    }

    fn ask(index: &Index, text: &str, limit: usize) -> Vec<Hit> {
        let profile = &presets::named(presets::DEFAULT).unwrap().effective;
        retrieve(
            index,
            &Request {
                text,
                now: DAY,
                limit,
                profile,
                alike: &[],
            },
        )
    }

    fn ids(hits: &[Hit]) -> Vec<u128> {
        hits.iter().map(|hit| hit.id.as_u128()).collect()
    }

    #[test]
    fn what_is_asked_comes_first() {
        let index = index(&[
            "Ana: I adopted a dog called Biscuit.",
            "Ben: Lovely weather for the market.",
            "Ana: The bakery opens at nine.",
            "Ben: My brother plays the cello.",
        ]);
        let hits = ask(&index, "What is the name of Ana's dog?", 10);
        assert_eq!(hits[0].id.as_u128(), 1);
        assert_eq!(
            (hits[0].channel, hits[0].confidence),
            (Channel::Relevance, Confidence::High)
        );
        assert_eq!(
            ask(&index, "Which instrument does the brother play?", 1)[0]
                .id
                .as_u128(),
            4
        );
        assert!(hits.iter().all(|hit| (0.0..=1.0).contains(&hit.score)));
    }

    #[test]
    fn nothing_asked_tells_what_matters_and_what_is_new() {
        let mut index = index(&["one apple", "two pears", "three plums"]);
        let lasting = State {
            base: 0.9,
            ..State::default()
        };
        index.update(Uuid::from_u128(2), lasting, &[]);
        let hits = ask(&index, "", 10);
        assert_eq!(hits.len(), 3);
        assert_eq!(
            (hits[0].id.as_u128(), hits[0].channel),
            (2, Channel::Salience)
        );
    }

    #[test]
    fn pinned_is_first_and_hidden_is_never_told() {
        let mut index = index(&["I like apples", "I like apples too", "apples again"]);
        let mut pinned = document(9, "Allergic to nuts");
        pinned.pinned = true;
        index.insert(&pinned);
        index.hide(Uuid::from_u128(2), true);
        assert_eq!(index.about("apple"), [1, 2, 3].map(Uuid::from_u128));
        let hits = ask(&index, "apples?", 10);
        assert_eq!(hits[0].channel, Channel::Pinned);
        assert!(!ids(&hits).contains(&2));
        assert!(ids(&ask(&index, "", 10)).iter().all(|id| *id != 2));
    }

    #[test]
    fn what_is_taken_out_leaves_nothing() {
        let mut whole = index(&[
            "a red house",
            "a blue house",
            "a green house",
            "the blue sea",
        ]);
        whole.remove(Uuid::from_u128(2));
        assert!(!ids(&ask(&whole, "blue house", 10)).contains(&2));
        whole.insert(&document(2, "a blue house"));
        let fresh = index(&[
            "a red house",
            "a blue house",
            "a green house",
            "the blue sea",
        ]);
        assert_eq!(
            ids(&ask(&whole, "blue house", 10)),
            ids(&ask(&fresh, "blue house", 10))
        );
        for id in 1..=4 {
            whole.remove(Uuid::from_u128(id));
        }
        assert!(whole.is_empty() && ask(&whole, "blue house", 10).is_empty());
    }

    #[test]
    fn days_in_a_question_are_met() {
        let mut index = Index::default();
        let base = 19_480 * DAY;
        for n in 0..40 {
            let mut document = document(n + 1, "Ana: We went for a walk and had a chat.");
            document.at = base + n as i64 * 7 * DAY;
            index.insert(&document);
        }
        let wanted = index.time(Uuid::from_u128(12)).unwrap();
        let asked = format!(
            "Where did Ana walk on {}?",
            super::super::times::shown(wanted)
        );
        assert_eq!(ask(&index, &asked, 3)[0].id.as_u128(), 12);
    }

    #[test]
    fn an_embedder_is_heard_beside_the_words() {
        let index = index(&["feline companion", "a dog barks", "the weather"]);
        let profile = &presets::named(presets::DEFAULT).unwrap().effective;
        let alike = [(1, 0.9), (2, 0.2), (3, 0.1)].map(|(id, c)| (Uuid::from_u128(id), c));
        let request = Request {
            text: "cat",
            now: DAY,
            limit: 3,
            profile,
            alike: &alike,
        };
        assert_eq!(retrieve(&index, &request)[0].id.as_u128(), 1);
    }

    #[test]
    fn the_same_is_answered_the_same() {
        let text: Vec<String> = (0..300)
            .map(|n| format!("thing {} and {}", n % 7, n % 11))
            .collect();
        let text: Vec<&str> = text.iter().map(String::as_str).collect();
        let first = ask(&index(&text), "things 3 and 5", 100);
        assert_eq!(first, ask(&index(&text), "things 3 and 5", 100));
        assert_eq!(first.len(), 100);
    }
}
