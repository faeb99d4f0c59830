//! What is written: records whose number, and all that follows from it, is told
//! by their id.

use apex::api::apex::metrics::v1 as pb;
use prost_types::Timestamp;
use serde_json::{Value, json};

use crate::support::seed::Random;

/// Items of a batch.
pub const BATCH: usize = 10;
/// Visitors all events are spread over.
const VISITORS: u64 = 40;
/// 2024-03-01T00:00:00Z
const FIRST: i64 = 1_709_251_200;

/// Kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Event,
    Purchase,
    Batch,
    /// A purchase that is refused: its price is zero.
    Invalid,
    Project,
    Key,
}

const KINDS: [(Kind, &str); 6] = [
    (Kind::Event, "event"),
    (Kind::Purchase, "purchase"),
    (Kind::Batch, "batch"),
    (Kind::Invalid, "invalid"),
    (Kind::Project, "project"),
    (Kind::Key, "key"),
];

/// One record, or one batch of them.
#[derive(Debug, Clone)]
pub struct Record {
    pub kind: Kind,
    /// Asking twice is the same as once: events have an id of their own
    /// (`named`), projects an `Idempotency-Key` (`keyed`).
    pub repeatable: bool,
    pub number: u64,
}

impl Record {
    /// Any record with a number nobody else has.
    pub fn random(number: u64, random: &mut Random) -> Self {
        let kind = match random.below(20) {
            0..9 => Kind::Event,
            9..13 => Kind::Purchase,
            13..16 => Kind::Batch,
            16 => Kind::Invalid,
            17..19 => Kind::Project,
            _ => Kind::Key,
        };
        // The answer that shows a key is not kept for a replay.
        let repeatable = kind != Kind::Key && random.below(2) == 0;
        Self {
            kind,
            repeatable,
            number,
        }
    }

    /// The record an id is of; an item's id is of its batch.
    pub fn of(id: &str) -> Self {
        let id = id.split('/').next().expect("text");
        let mut parts = id.split('-');
        let mut part = || parts.next().expect("three parts");
        let word = part();
        let (kind, _) = KINDS.iter().find(|(_, own)| *own == word).expect("a kind");
        Self {
            kind: *kind,
            repeatable: part() != "plain",
            number: part().parse().expect("a number"),
        }
    }

    /// Its id.
    pub fn id(&self) -> String {
        let (_, word) = KINDS
            .iter()
            .find(|(own, _)| *own == self.kind)
            .expect("all are there");
        let how = match (self.repeatable, self.is_event()) {
            (false, _) => "plain",
            (true, true) => "named",
            (true, false) => "keyed",
        };
        format!("{word}-{how}-{:06}", self.number)
    }

    /// The ids of what it adds.
    pub fn ids(&self) -> Vec<String> {
        let id = self.id();
        match self.kind {
            Kind::Batch => (0..BATCH).map(|at| format!("{id}/{at}")).collect(),
            _ => vec![id],
        }
    }

    /// Whether it is of the event log.
    pub fn is_event(&self) -> bool {
        !matches!(self.kind, Kind::Project | Kind::Key)
    }

    /// What is sent of it, an item for each id.
    pub fn items(&self) -> Vec<pb::EventItem> {
        let ids = self.ids().into_iter().enumerate();
        ids.map(|(at, id)| self.item(&id, self.number + 7 * at as u64))
            .collect()
    }

    fn item(&self, id: &str, number: u64) -> pb::EventItem {
        let mut item = pb::EventItem {
            metadata: json!({"n": id}).to_string(),
            visitor_id: format!("visitor {}", number % VISITORS),
            timestamp: Some(Timestamp {
                seconds: FIRST + 997 * number as i64,
                nanos: 0,
            }),
            ..Default::default()
        };
        if self.repeatable {
            id.clone_into(&mut item.event_id);
        }
        match self.kind {
            Kind::Purchase | Kind::Invalid => {
                item.price = Some(if self.kind == Kind::Invalid { 0 } else { 250 });
                item.currency = "EUR".to_owned();
                item.quantity = Some(2);
            }
            _ if number.is_multiple_of(2) => item.event_name = "page_view".to_owned(),
            _ => item.event_name = "signup".to_owned(),
        }
        item
    }
}

/// The item as the JSON of the REST API.
pub fn json_of(item: &pb::EventItem) -> Value {
    let metadata: Value = serde_json::from_str(&item.metadata).expect("JSON");
    let seconds = item.timestamp.as_ref().expect("a time").seconds;
    let time = jiff::Timestamp::from_second(seconds).expect("a time");
    let mut own = json!({
        "metadata": metadata,
        "visitor_id": item.visitor_id,
        "timestamp": time.to_string(),
    });
    for (name, text) in [
        ("event_name", &item.event_name),
        ("event_id", &item.event_id),
        ("currency", &item.currency),
    ] {
        if !text.is_empty() {
            own[name] = json!(text);
        }
    }
    for (name, number) in [("price", item.price), ("quantity", item.quantity)] {
        if let Some(number) = number {
            own[name] = json!(number);
        }
    }
    own
}
