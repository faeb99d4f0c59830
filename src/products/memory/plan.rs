//! What is to be done with something that was said, worked out before anything is
//! written: its score, what it names, whether it says again what was said already.

use uuid::Uuid;

use super::engine::crisis::{Ring, Triage};
use super::engine::entities::{self, Kind};
use super::engine::index::Reading;
use super::engine::pins::insists;
use super::engine::presets::Profile;
use super::engine::score::{Role, Score, score};
use super::engine::text;
use super::person::Person;
use super::row::round;
use super::said::Said;
use crate::api::apex::memory::v1 as pb;

/// What is to be done.
#[derive(Debug)]
pub(super) struct Plan {
    /// Public id of the memory that is made, or of nothing.
    pub(super) id: String,
    pub(super) fate: Fate,
    /// What it is found by.
    pub(super) reading: Reading,
    pub(super) score: Score,
    pub(super) triage: Triage,
    /// The levels of the last messages, this one's included.
    pub(super) ring: Ring,
    pub(super) topic: String,
    pub(super) summary: String,
    pub(super) kind: &'static str,
    pub(super) domain: &'static str,
    pub(super) pinned: bool,
    /// What it names and is known.
    pub(super) known: Vec<i64>,
    /// What it names for the first time.
    pub(super) fresh: Vec<Fresh>,
    /// Memories a question found and this one takes up.
    pub(super) reactivated: Vec<i64>,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is a memory of its own.
    Made,
    /// It says what this memory says.
    Merged(i64),
    /// Its topic is suppressed.
    Dropped,
}

/// Something that was never named before.
#[derive(Debug, Clone)]
pub(super) struct Fresh {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: Kind,
}

impl Plan {
    /// Works out what to do, given what is known of the user and what the last question
    /// found.
    pub(super) fn of(
        said: &Said,
        person: &Person,
        (ring, effective): (&Ring, &Profile),
        returned: &[i64],
    ) -> Self {
        let content = said.words();
        let mut ring = ring.clone();
        // What an assistant says is no sign of how its user is.
        let triage = match said.role {
            Role::User => ring.push(content),
            Role::Assistant => ring.peek(""),
        };
        let domain = entities::domain(content);
        let (mut known, mut fresh) = (Vec::new(), Vec::<Fresh>::new());
        for found in entities::extract(content) {
            match person.entity_of(&found.name, found.kind) {
                Some(own) if known.contains(&own) => {}
                Some(own) => known.push(own),
                None => fresh.push(Fresh {
                    id: Uuid::new_v4().to_string(),
                    name: found.name,
                    kind: found.kind,
                }),
            }
        }
        // A sentence's first word is a name only if it is known to be one.
        let tokens = text::tokens(content);
        let begins = tokens.iter().filter(|token| token.first && token.capital());
        for token in begins.take(entities::MOST) {
            if let Some(own) = person.named(token.text)
                && !known.contains(&own)
            {
                known.push(own);
            }
        }
        let history = person.history(&said.content, &said.session, said.at);
        let score = score(content, said.role, &history, &effective.signal_weights);
        let reading = Reading::of(&said.content, said.speaker(), said.at);
        let fate = if person.is_suppressed(&reading, domain) {
            Fate::Dropped
        } else {
            match person.twin(&said.content, said.speaker(), said.at) {
                Some(own) if person.nodes.contains_key(&own) => Fate::Merged(own),
                Some(_) | None => Fate::Made,
            }
        };
        let mut reactivated = returned.to_vec();
        reactivated.retain(|own| person.names(*own, &known) && fate != Fate::Merged(*own));
        Self {
            id: match fate {
                Fate::Made => Uuid::new_v4().to_string(),
                Fate::Merged(_) | Fate::Dropped => String::new(),
            },
            fate,
            reading,
            kind: kind(&score, domain, !known.is_empty() || !fresh.is_empty()),
            score,
            triage,
            ring,
            topic: entities::topic(content),
            summary: entities::summary(content),
            domain,
            pinned: said.role == Role::User && insists(content),
            known,
            fresh: if fate == Fate::Made {
                fresh
            } else {
                Vec::new()
            },
            reactivated,
        }
    }

    /// The answer, about the memory with this public id.
    pub(super) fn answer(&self, node_id: String) -> pb::IngestResponse {
        let score = &self.score;
        pb::IngestResponse {
            node_id,
            scoring: Some(pb::Scoring {
                base_score: round(score.base),
                sdv: round(score.sdv),
                cscv: round(score.cscv),
                lcs: round(score.lcs),
                swv: round(score.swv),
                pdv: round(score.pdv),
                signal_modifiers_applied: score.modified,
            }),
            entities_created: self.fresh.iter().map(|own| own.name.clone()).collect(),
            safety: Some(safety(self.triage)),
            merged: matches!(self.fate, Fate::Merged(_)),
            suppressed: self.fate == Fate::Dropped,
        }
    }
}

/// What was found of a crisis, as callers see it.
pub(super) fn safety(triage: Triage) -> pb::Safety {
    pb::Safety {
        crisis_detected: triage.detected(),
        level: triage.level.into(),
        route: triage.route.name().to_owned(),
    }
}

/// Where a memory stands: what happened in a life is a theme, what somebody likes to do
/// an interest, what is about something that has a name a facet of it.
fn kind(score: &Score, domain: &str, names: bool) -> &'static str {
    match domain {
        _ if score.event > 0.0 => "theme",
        "hobbies" | "travel" => "interest",
        _ if names => "facet",
        "other" => "facet",
        _ => "theme",
    }
}
