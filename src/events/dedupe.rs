//! Recognises repeats by the id a client gave.
//!
//! A B-tree on such ids would be random writes, so there is none. Each id has a
//! fingerprint of 64 bits; recent ones are in memory in the order they came, and
//! older ones are sealed into segments: sorted pages in the database behind a
//! filter that seldom says yes by mistake. A fingerprint that matches is confirmed
//! against the id stored with the event. Everything is loaded on first use.

use std::collections::HashMap;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, Value};
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

use super::model::NewEvent;
use super::segment::{self, Sealed, Segment};
use crate::auth::ProjectId;
use crate::db::sql::{ladder, placeholders, rows};
use crate::error::Result;

/// Recent fingerprints that are sealed at once.
const SEAL_AT: usize = 1 << 18;

/// Whether an event is stored already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    New,
    Duplicate,
}

/// What is known of ids that were seen.
#[derive(Debug)]
pub(super) struct Dedupe {
    window: Duration,
    loaded: bool,
    recent: Recent,
    pending: Vec<Entry>,
    segments: Vec<Segment>,
}

/// A fingerprint and the position of its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) fingerprint: u64,
    pub(super) seq: i64,
}

/// Fingerprints that are not sealed yet. Two ids may share one.
#[derive(Debug, Default)]
struct Recent {
    first: HashMap<u64, i64>,
    more: Vec<Entry>,
}

impl Recent {
    fn insert(&mut self, entry: Entry) {
        use std::collections::hash_map::Entry as Slot;
        match self.first.entry(entry.fingerprint) {
            Slot::Vacant(slot) => {
                slot.insert(entry.seq);
            }
            // What is learned may be known.
            Slot::Occupied(slot) if *slot.get() == entry.seq => {}
            Slot::Occupied(_) if self.more.contains(&entry) => {}
            Slot::Occupied(_) => self.more.push(entry),
        }
    }

    fn candidates(&self, fingerprint: u64) -> impl Iterator<Item = i64> + '_ {
        let first = self.first.get(&fingerprint).copied();
        let more = self
            .more
            .iter()
            .filter(move |e| e.fingerprint == fingerprint);
        first.into_iter().chain(more.map(|e| e.seq))
    }

    fn len(&self) -> usize {
        self.first.len() + self.more.len()
    }
}

impl Dedupe {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window,
            loaded: false,
            recent: Recent::default(),
            pending: Vec::new(),
            segments: Vec::new(),
        }
    }

    pub(super) fn committed(&mut self) {
        for entry in self.pending.drain(..) {
            self.recent.insert(entry);
        }
    }

    pub(super) fn undone(&mut self) {
        self.pending.clear();
    }

    /// Judges the events of a batch, whose first new one will be at `position` + 1.
    pub(super) async fn judge(
        &mut self,
        look: &impl ConnectionTrait,
        position: i64,
        events: &[&NewEvent],
    ) -> Result<Vec<Verdict>> {
        let mut verdicts = vec![Verdict::New; events.len()];
        if events.iter().all(|event| event.client_id.is_none()) {
            return Ok(verdicts);
        }
        self.load(look).await?;
        let mut within: HashMap<(ProjectId, &str), usize> = HashMap::new();
        let mut candidates: Vec<(usize, i64)> = Vec::new();
        let mut fingerprints = vec![0; events.len()];
        for (at, event) in events.iter().enumerate() {
            let Some(id) = event.client_id.as_deref() else {
                continue;
            };
            if within.insert((event.project, id), at).is_some() {
                verdicts[at] = Verdict::Duplicate;
                continue;
            }
            if let Some(original) = &event.copy_of {
                candidates.push((at, original.seq));
            }
            fingerprints[at] = fingerprint(event.project, id);
            let recent = self.recent.candidates(fingerprints[at]);
            candidates.extend(recent.map(|seq| (at, seq)));
            for segment in &self.segments {
                if segment.may_hold(fingerprints[at]) {
                    let found = segment.find(look, fingerprints[at]).await?;
                    candidates.extend(found.into_iter().map(|seq| (at, seq)));
                }
            }
        }
        confirm(look, events, &candidates, &mut verdicts).await?;
        let mut seq = position;
        for (at, event) in events.iter().enumerate() {
            if verdicts[at] == Verdict::Duplicate {
                continue;
            }
            seq += 1;
            if event.client_id.is_some() {
                self.pending.push(Entry {
                    fingerprint: fingerprints[at],
                    seq,
                });
            }
        }
        Ok(verdicts)
    }

    /// Reads the segments and what is not sealed yet.
    pub(super) async fn load(&mut self, look: &impl ConnectionTrait) -> Result<()> {
        if self.loaded {
            return Ok(());
        }
        self.segments = Segment::load_after(look, 0).await?;
        let sealed = segment::sealed(look).await?;
        self.learn(look, sealed).await?;
        self.loaded = true;
        Ok(())
    }

    /// Learns what other nodes appended after a position.
    pub(super) async fn catch_up(&mut self, look: &impl ConnectionTrait, after: i64) -> Result<()> {
        match self.loaded {
            true => self.learn(look, after).await,
            // Loading will read it with all the rest.
            false => Ok(()),
        }
    }

    /// Reads the ids of events after a position.
    async fn learn(&mut self, look: &impl ConnectionTrait, after: i64) -> Result<()> {
        // Left to itself, SQLite reads every event after the position.
        let index = match look.get_database_backend() {
            DbBackend::Sqlite => "INDEXED BY event_client",
            _ => "",
        };
        let sql = format!(
            "SELECT seq, project, client_id FROM event {index} \
             WHERE seq > $1 AND client_id IS NOT NULL ORDER BY seq"
        );
        for row in rows(look, &sql, [after.into()]).await? {
            let id: String = row.try_get("", "client_id")?;
            let project = ProjectId(row.try_get("", "project")?);
            self.recent.insert(Entry {
                fingerprint: fingerprint(project, &id),
                seq: row.try_get("", "seq")?,
            });
        }
        Ok(())
    }

    /// The recent entries, once there are enough of them to seal.
    pub(super) fn ripe(&self, at_least: usize) -> Option<Vec<Entry>> {
        if !self.loaded || self.recent.len() < at_least.max(1) {
            return None;
        }
        let first = self.recent.first.iter().map(|(fingerprint, seq)| Entry {
            fingerprint: *fingerprint,
            seq: *seq,
        });
        Some(first.chain(self.recent.more.iter().copied()).collect())
    }

    /// The last segment that is known here.
    pub(super) fn last_segment(&self) -> i64 {
        let ids = self.segments.iter().map(|segment| segment.id);
        ids.max().unwrap_or(0)
    }

    /// Replaces entries by the segments they were sealed into.
    pub(super) fn sealed(&mut self, sealed: Sealed) {
        let last = sealed.last_seq;
        self.recent.first.retain(|_, seq| *seq > last);
        self.recent.more.retain(|entry| entry.seq > last);
        self.segments.extend(sealed.segments);
    }

    /// How many recent entries make a segment.
    pub(super) fn seal_at() -> usize {
        SEAL_AT
    }

    /// Segments whose newest event is older than the window; they are forgotten.
    pub(super) fn expire(&mut self, now: i64) -> Vec<i64> {
        let oldest = now - self.window.as_micros() as i64;
        let (kept, expired) = std::mem::take(&mut self.segments)
            .into_iter()
            .partition(|segment| segment.newest >= oldest);
        self.segments = kept;
        expired
            .into_iter()
            .map(|segment: Segment| segment.id)
            .collect()
    }
}

/// A match may be another id with the same fingerprint, and where a copy says that
/// its original is may be another event: the stored id decides.
async fn confirm(
    look: &impl ConnectionTrait,
    events: &[&NewEvent],
    candidates: &[(usize, i64)],
    verdicts: &mut [Verdict],
) -> Result<()> {
    for chunk in ladder(candidates) {
        let sql = format!(
            "SELECT seq, project, id, client_id FROM event WHERE seq IN ({})",
            placeholders(1, chunk.len())
        );
        let values = chunk.iter().map(|(_, seq)| Value::from(*seq));
        let mut stored = HashMap::new();
        for row in rows(look, &sql, values).await? {
            let own: Option<Vec<u8>> = row.try_get("", "id")?;
            let own = own.and_then(|bytes| Uuid::from_slice(&bytes).ok());
            let id: Option<String> = row.try_get("", "client_id")?;
            let project = ProjectId(row.try_get("", "project")?);
            stored.insert(row.try_get::<i64>("", "seq")?, (project, id, own));
        }
        for (at, seq) in chunk {
            let event = events[*at];
            let same = stored.get(seq).is_some_and(|(project, id, own)| {
                let same_id = match own {
                    Some(_) => event.copy_of.is_some_and(|original| original.id == *own),
                    None => *id == event.client_id,
                };
                *project == event.project && same_id
            });
            if same {
                verdicts[*at] = Verdict::Duplicate;
            }
        }
    }
    Ok(())
}

/// 64 bits of an id within its project. Stable: segments hold it.
fn fingerprint(project: ProjectId, id: &str) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&project.0.to_le_bytes());
    hash.update(id.as_bytes());
    hash.digest()
}

#[cfg(test)]
mod tests;
