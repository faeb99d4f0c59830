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

/// How many memories an answer tells because they are pinned: a tenth of it, and none
/// where that would leave no room. Others that are pinned are told as any memory is.
fn pins(limit: usize) -> usize {
    if limit < 2 { 0 } else { limit.div_ceil(10) }
}

/// Statements whose scores have this ratio are about equally relevant.
const CLOSE: f64 = 0.8;

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
    let mut pinned: Vec<(Hit, i64)> = Vec::new();
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
                Some(_) => Channel::Relevance,
                None => Channel::Salience,
            },
            confidence: Confidence::of(relevance.unwrap_or(salience)),
        };
        if memory.pinned {
            pinned.push((hit, memory.at));
        } else if relevance.is_some() {
            told.push((hit, memory.at));
        } else {
            rest.push((hit, memory.at));
        }
    }
    pinned.sort_unstable_by(order);
    for (at, (hit, said)) in pinned.into_iter().enumerate() {
        if at < pins(request.limit) {
            let channel = Channel::Pinned;
            told.push((Hit { channel, ..hit }, said));
        } else if hit.channel == Channel::Relevance {
            told.push((hit, said));
        } else {
            rest.push((hit, said));
        }
    }
    newer_first(index, &mut told);
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

/// Of two statements of somebody on one subject, which a question finds about equally
/// relevant, the newer is ranked as the older, so that it comes before it.
fn newer_first(index: &Index, told: &mut [(Hit, i64)]) {
    let mut found: Vec<usize> = (0..told.len())
        .filter(|at| told[*at].0.channel == Channel::Relevance)
        .collect();
    found.sort_unstable_by(|a, b| order(&told[*a], &told[*b]));
    found.truncate(RELEVANT);
    let subjects: Vec<_> = found
        .iter()
        .map(|at| index.subject(told[*at].0.id))
        .collect();
    let scores: Vec<f64> = found.iter().map(|at| told[*at].0.score).collect();
    for low in 1..found.len() {
        for high in 0..low {
            let close = scores[low] >= CLOSE * scores[high];
            let newer = told[found[low]].1 > told[found[high]].1;
            if close && newer && subjects[low].same(&subjects[high]) {
                told[found[low]].0.score = scores[high];
                break;
            }
        }
    }
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
mod tests;
