//! An export as it is to be stored, once it is known to be sound. Texts are read for what
//! they are found by, which takes its time.

use foldhash::HashMap;
use sea_orm::Value;
use uuid::Uuid;

use super::super::engine::entities;
use super::super::engine::index::Reading;
use super::super::engine::text;
use super::super::ingest::EVENTS;
use super::super::kept::{Kept, Known};
use super::super::person::speaker_of;
use super::super::said;
use super::{MAX_NAME, too_many};
use crate::api::apex::memory::v1 as pb;
use crate::error::{Error, Result};

/// What kinds of memories there are.
const KINDS: [&str; 5] = ["domain", "entity", "facet", "theme", "interest"];
/// Who may have said one.
const ROLES: [&str; 2] = ["user", "assistant"];
/// What may happen to a memory.
const HAPPENED: [&str; 3] = ["created", "merged", "reactivated"];
/// Levels of a crisis.
const LEVELS: std::ops::RangeInclusive<i32> = 0..=3;
/// How often a memory may have been said or taken up.
const MOST_PROCESSED: i64 = 1_000_000_000;

/// An export.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) nodes: Vec<Ready>,
    /// When each entity was named first and last.
    pub(super) named: Vec<[i64; 2]>,
    /// What happened to memories, oldest first.
    pub(super) events: Vec<Event>,
    /// Levels of the last messages, oldest first.
    pub(super) crisis: Vec<u8>,
}

/// A memory, as it is to be stored.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) given_id: String,
    pub(super) id: String,
    pub(super) values: Vec<Value>,
    /// Without its number and what it names, which are not known yet.
    pub(super) known: Known,
}

/// Something that happened to a memory.
#[derive(Debug)]
pub(super) struct Event {
    /// Which memory of the export.
    pub(super) node: usize,
    pub(super) kind: &'static str,
    pub(super) at: i64,
}

impl Taken {
    /// Reads a request; so many memories are allowed at most.
    pub(super) fn of(request: &pb::ImportUserRequest, most: u32, now: i64) -> Result<Self> {
        let named = request.entities.iter().enumerate();
        let named = named.map(|(at, own)| within(entity(own, now), "entities", at));
        let levels = request.crisis_levels.iter().enumerate();
        let levels = levels.map(|(at, level)| {
            let level = u8::try_from(*level).ok().filter(|_| LEVELS.contains(level));
            let field = format!("crisis_levels[{at}]");
            level.ok_or_else(|| Error::invalid_field(&field, format!("{field} must be 0 to 3")))
        });
        // What is quickly seen to be wrong comes first.
        let (named, crisis) = (
            named.collect::<Result<_>>()?,
            levels.collect::<Result<_>>()?,
        );
        let events = events(request, now)?;
        let nodes = request.nodes.iter().enumerate();
        let nodes = nodes.map(|(at, node)| within(Sound::of(node, now), "nodes", at));
        let nodes: Vec<Sound<'_>> = nodes.collect::<Result<_>>()?;
        if nodes.len() > most as usize {
            return Err(too_many(most));
        }
        Ok(Self {
            nodes: nodes.into_iter().map(Ready::of).collect(),
            named,
            events,
            crisis,
        })
    }

    /// Whether it is the export of somebody of whom nothing is kept.
    pub(super) fn is_of_nobody(&self, request: &pb::ImportUserRequest) -> bool {
        let nothing = self.nodes.is_empty() && self.named.is_empty() && self.crisis.is_empty();
        nothing && request.suppressed_topics.is_empty()
    }
}

/// Says in which element of a list it is that something is wrong.
fn within<T>(read: Result<T>, list: &str, at: usize) -> Result<T> {
    read.map_err(|error| error.within(&format!("{list}[{at}].")))
}

/// When something that can be stored was named first and last.
fn entity(own: &pb::Entity, now: i64) -> Result<[i64; 2]> {
    if !(1..=MAX_NAME).contains(&own.name.len()) || own.name.contains(char::is_control) {
        let words = format!("name must be 1 to {MAX_NAME} bytes without control characters");
        return Err(Error::invalid_field("name", words));
    }
    let kinds = entities::Kind::ALL.map(entities::Kind::name);
    one_of("type", &own.r#type, &kinds, "other")?;
    let first = said::time("first_seen_at", own.first_seen_at, now)?;
    let last = said::time("last_seen_at", own.last_seen_at, now)?;
    Ok([first.unwrap_or(now), last.unwrap_or(now)])
}

/// One of some words, or another where none is given.
fn one_of(
    field: &str,
    given: &str,
    words: &[&'static str],
    default: &'static str,
) -> Result<&'static str> {
    if given.is_empty() {
        return Ok(default);
    }
    let found = words.iter().find(|word| **word == given).copied();
    found.ok_or_else(|| {
        let words = format!("{field} must be one of {}", words.join(", "));
        Error::invalid_field(field, words)
    })
}

/// What happened to the memories of an export; of each as much as is kept.
fn events(request: &pb::ImportUserRequest, now: i64) -> Result<Vec<Event>> {
    let ids = request.nodes.iter().enumerate();
    let nodes: HashMap<&str, usize> = ids.map(|(at, own)| (own.node_id.as_str(), at)).collect();
    let mut many: HashMap<usize, i64> = HashMap::default();
    let mut events = Vec::new();
    for (at, own) in request.processing_events.iter().enumerate().rev() {
        let Some(node) = nodes.get(own.node_id.as_str()).copied() else {
            continue;
        };
        let time = within(said::time("at", own.at, now), "processing_events", at)?;
        let kind = HAPPENED.into_iter().find(|kind| *kind == own.r#type);
        let wrong = "type must be created, merged or reactivated";
        let kind = kind.ok_or_else(|| Error::invalid_field("type", wrong));
        let kind = within(kind, "processing_events", at)?;
        let many = many.entry(node).or_default();
        *many += 1;
        if *many <= EVENTS {
            let at = time.unwrap_or(now);
            events.push(Event { node, kind, at });
        }
    }
    events.reverse();
    Ok(events)
}

/// A memory of an export that can be stored.
struct Sound<'a> {
    node: &'a pb::Node,
    content: &'a str,
    kind: &'static str,
    role: &'static str,
    metadata: String,
    merged_metadata: String,
    accessed_at: i64,
    exact: pb::Exact,
}

impl<'a> Sound<'a> {
    fn of(node: &'a pb::Node, now: i64) -> Result<Self> {
        let created_at = said::time("created_at", node.created_at, now)?;
        let updated_at = said::time("updated_at", node.updated_at, now)?;
        let accessed_at = said::time("last_accessed_at", node.last_accessed_at, now)?;
        let exact = node.exact.unwrap_or_else(|| {
            let scoring = node.scoring.unwrap_or_default();
            let said_at = created_at.unwrap_or(now);
            pb::Exact {
                base: scoring.base_score,
                sdv: scoring.sdv,
                swv: scoring.swv,
                event: 0.0,
                pinned: false,
                said_at,
                reinforced_at: updated_at.unwrap_or(said_at),
            }
        });
        said::bounded("exact.said_at", exact.said_at, now)?;
        said::bounded("exact.reinforced_at", exact.reinforced_at, now)?;
        if !(0..=MOST_PROCESSED).contains(&node.processing_count) {
            let words = format!("processing_count must be 0 to {MOST_PROCESSED}");
            return Err(Error::invalid_field("processing_count", words));
        }
        for (field, text) in [("session_id", &node.session_id), ("speaker", &node.speaker)] {
            if text.len() > MAX_NAME {
                let words = format!("{field} must have at most {MAX_NAME} bytes");
                return Err(Error::invalid_field(field, words));
            }
        }
        Ok(Self {
            node,
            content: said::text("content", &node.content)?,
            kind: one_of("node_type", &node.node_type, &KINDS, "facet")?,
            role: one_of("role", &node.role, &ROLES, "user")?,
            metadata: said::flat(node.metadata.clone())?,
            merged_metadata: said::merged(node.merged_metadata.clone().unwrap_or_default())?,
            accessed_at: accessed_at.unwrap_or(exact.said_at),
            exact,
        })
    }
}

impl Ready {
    /// Makes a memory ready to be stored.
    fn of(sound: Sound<'_>) -> Self {
        let Sound {
            node,
            content,
            role,
            exact,
            ..
        } = sound;
        let scoring = node.scoring.unwrap_or_default();
        let words = text::speaker(content).1;
        let domain = entities::domain(words);
        let id = free_id(&node.node_id);
        let known = Known {
            number: 0,
            processed: (node.processing_count - 1).max(0),
            reinforced_at: exact.reinforced_at,
            kept: Kept {
                said_at: exact.said_at,
                session: node.session_id.clone(),
                domain: domain.to_owned(),
                base: share(exact.base),
                event: share(exact.event),
                habit: share(exact.sdv) + share(exact.swv),
                pinned: exact.pinned,
                entities: Vec::new(),
            },
            reading: Reading::of(content, speaker_of(&node.speaker, role), exact.said_at),
        };
        let values = vec![
            id.clone().into(),
            content.into(),
            entities::topic(words).into(),
            entities::summary(words).into(),
            sound.kind.into(),
            domain.into(),
            node.session_id.clone().into(),
            role.into(),
            node.speaker.clone().into(),
            exact.said_at.into(),
            sound.accessed_at.into(),
            share(exact.base).into(),
            share(exact.sdv).into(),
            share(scoring.cscv).into(),
            share(scoring.lcs).into(),
            share(exact.swv).into(),
            share(scoring.pdv).into(),
            share(exact.event).into(),
            i16::from(scoring.signal_modifiers_applied).into(),
            i16::from(exact.pinned).into(),
            sound.metadata.into(),
            sound.merged_metadata.into(),
        ];
        Self {
            given_id: node.node_id.clone(),
            id,
            values,
            known,
        }
    }
}

/// A number between nought and one.
pub(super) fn share(value: f64) -> f64 {
    if value.is_finite() {
        value.clamp(0.0, 1.0)
    } else {
        0.0
    }
}

/// An id as it was, if it is one.
pub(super) fn free_id(given: &str) -> String {
    match given.parse::<Uuid>() {
        Ok(id) => id.hyphenated().to_string(),
        Err(_) => Uuid::new_v4().to_string(),
    }
}
