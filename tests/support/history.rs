//! What clients did and what they were told: every operation is invoked, and then
//! acknowledged, refused, or neither. A time-out or a broken connection is
//! neither: the operation may have happened or not.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use super::server::Server;

/// What a client knows of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It happened: it must be found exactly once.
    Acknowledged,
    /// It did not happen: it must not be found.
    Refused,
    /// It may have happened, once.
    Unknown,
}

/// One operation, as it is recorded.
#[derive(Debug, Clone)]
struct Operation {
    /// What it was and how it was sent, for people.
    how: String,
    outcome: Outcome,
}

/// The history of many clients. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct History(Arc<Mutex<HashMap<String, Operation>>>);

impl History {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Operation>> {
        self.0.lock().expect("nobody panics with it")
    }

    /// An operation is about to be sent, for the first time or again.
    pub fn invoke(&self, id: &str, how: &str) {
        let operation = Operation {
            how: how.to_owned(),
            outcome: Outcome::Unknown,
        };
        self.lock().entry(id.to_owned()).or_insert(operation);
    }

    /// What a client was told. An acknowledgement stands, whatever is said later.
    pub fn conclude(&self, id: &str, outcome: Outcome) {
        let mut operations = self.lock();
        let operation = operations.get_mut(id).expect("it was invoked");
        if operation.outcome != Outcome::Acknowledged {
            operation.outcome = outcome;
        }
    }

    /// How many operations came out so.
    pub fn count(&self, outcome: Outcome) -> usize {
        let operations = self.lock();
        operations
            .values()
            .filter(|own| own.outcome == outcome)
            .count()
    }

    /// Operations of which nobody knows what became, sent in this way.
    pub fn unknown(&self, how: &str) -> Vec<String> {
        let operations = self.lock();
        let unknown = operations
            .iter()
            .filter(|(_, own)| own.outcome == Outcome::Unknown && own.how.contains(how));
        let mut ids: Vec<_> = unknown.map(|(id, _)| id.clone()).collect();
        ids.sort();
        ids
    }

    /// Compares with what is found: acknowledged exactly once, refused never,
    /// unknown at most once, and nothing that nobody sent.
    pub fn check<'i>(&self, found: impl IntoIterator<Item = &'i str>) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for id in found {
            *counts.entry(id).or_default() += 1;
        }
        let operations = self.lock();
        let mut wrong = Vec::new();
        for (id, operation) in operations.iter() {
            let count = counts.remove(id.as_str()).unwrap_or(0);
            let right = match operation.outcome {
                Outcome::Acknowledged => count == 1,
                Outcome::Refused => count == 0,
                Outcome::Unknown => count <= 1,
            };
            if !right {
                wrong.push(format!("{id} found {count} times: {operation:?}"));
            }
        }
        wrong.extend(counts.keys().map(|id| format!("{id} was never sent")));
        wrong.sort();
        let shown = wrong
            .iter()
            .take(20)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n");
        assert!(wrong.is_empty(), "{} are wrong:\n{shown}", wrong.len());
    }
}

/// Where a server answers at the moment: clients ask again after every failure,
/// because a restart may change it.
#[derive(Debug, Clone, Default)]
pub struct Address(Arc<Mutex<String>>);

impl Address {
    /// Of a server that runs.
    pub fn of(server: &Server) -> Self {
        let own = Self::default();
        own.moved(server);
        own
    }

    /// The server was started anew.
    pub fn moved(&self, server: &Server) {
        *self.0.lock().expect("nobody panics with it") = server.url.clone();
    }

    /// The URL now.
    pub fn url(&self) -> String {
        self.0.lock().expect("nobody panics with it").clone()
    }
}
