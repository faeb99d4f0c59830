//! One user's memories by their words: an inverted index that lives in memory, and the
//! order of each conversation. What a question costs follows from the memories that
//! share a word with it. Memories are put in by the order they were made.

mod alike;
mod question;
mod reading;
mod search;
mod signs;
mod tuning;

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;
use uuid::Uuid;

pub use self::alike::Subject;
pub use self::question::{Question, Word};
pub use self::reading::Reading;
pub use self::search::Found;
use self::signs::{HIDDEN, PINNED};
pub use self::tuning::Tuning;
use super::decay::{Spike, State};
use super::text;
use super::times::Span;

/// A memory as the index is given it.
#[derive(Debug, Clone)]
pub struct Document<'a> {
    /// Its id.
    pub id: Uuid,
    /// The conversation it is of, if that is known.
    pub session: Option<&'a str>,
    /// When it was said, in microseconds.
    pub at: i64,
    /// What it is found by.
    pub reading: Reading,
    /// What its salience follows from.
    pub state: State,
    /// What raised its salience since.
    pub spikes: &'a [Spike],
    /// Whether it is always told.
    pub pinned: bool,
}

/// What of a memory does not follow from a question.
#[derive(Debug, Clone, Copy)]
pub struct Memory<'a> {
    /// Its id.
    pub id: Uuid,
    /// When it was said, in microseconds.
    pub at: i64,
    /// What its salience follows from.
    pub state: &'a State,
    /// What raised its salience since.
    pub spikes: &'a [Spike],
    /// Whether it is always told.
    pub pinned: bool,
}

/// What the index keeps of a memory.
#[derive(Debug)]
struct Kept {
    id: Uuid,
    at: i64,
    /// The content's terms in their order.
    words: Box<[u32]>,
    spans: Box<[Span]>,
    spikes: Box<[Spike]>,
    state: State,
    session: u32,
    made: u32,
    speaker: u16,
    before: u32,
    after: u32,
    flags: u8,
    /// What repeats are told by; nought for what is never repeated.
    form: u64,
}

/// Memories of one index: what a slot's bits can count.
const MOST: usize = 1 << 24;
/// No memory, in links.
const NONE: u32 = u32::MAX;
/// Memories without a session belong together within this time, in microseconds.
const TOGETHER: i64 = 30 * 60 * 1_000_000;

/// The memories of one user.
#[derive(Debug, Default)]
pub struct Index {
    vocabulary: HashMap<Box<str>, u32, FixedState>,
    /// For each term its memories, each as slot and count in one number.
    postings: Vec<Vec<u32>>,
    kept: Vec<Option<Kept>>,
    free: Vec<u32>,
    ids: HashMap<Uuid, u32, FixedState>,
    sessions: HashMap<Box<str>, u32, FixedState>,
    /// Names of speakers in lower case, and how many memories are of each.
    speakers: Vec<(Box<str>, u32)>,
    order: BTreeMap<(u32, i64, u32), u32>,
    words: u64,
    bytes: usize,
    made: u32,
}

/// Whether a speaker is only what somebody is to the application; a name says more.
fn role(name: &str) -> bool {
    matches!(name, "user" | "assistant")
}

/// The slot of a posting.
fn slot(posting: u32) -> usize {
    (posting >> 8) as usize
}

impl Index {
    /// How many memories it holds.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether it holds a memory.
    pub fn contains(&self, id: Uuid) -> bool {
        self.ids.contains_key(&id)
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.bytes + size_of::<Self>()
    }

    /// Puts a memory in; one of the same id is replaced and keeps its place.
    pub fn insert(&mut self, document: &Document<'_>) {
        let made = self
            .ids
            .get(&document.id)
            .and_then(|slot| self.at(*slot))
            .map(|k| k.made);
        self.remove(document.id);
        if self.len() >= MOST {
            return;
        }
        let made = made.unwrap_or_else(|| {
            self.made += 1;
            self.made
        });
        let reading = &document.reading;
        let speaker = self.speaker(&reading.speaker);
        let words = self.terms(reading);
        let session = self.session(document.session);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.kept.push(None);
            (self.kept.len() - 1) as u32
        });
        self.post(slot, &words);
        self.words += words.len() as u64;
        let mut flags = reading.flags();
        if document.pinned {
            flags |= PINNED;
        }
        let kept = Kept {
            id: document.id,
            at: document.at,
            words: words.into(),
            spans: reading.spans(),
            spikes: document.spikes.into(),
            state: document.state,
            session,
            made,
            speaker,
            before: NONE,
            after: NONE,
            flags,
            form: reading.form,
        };
        self.bytes += weight(&kept);
        self.ids.insert(document.id, slot);
        self.link(slot, (session, document.at, made));
        if let Some(place) = self.kept.get_mut(slot as usize) {
            let before = self.order.range(..(session, document.at, made)).next_back();
            let after = self.order.range((session, document.at, made + 1)..).next();
            let mut kept = kept;
            kept.before = before
                .filter(|(key, _)| key.0 == session)
                .map_or(NONE, |(_, s)| *s);
            kept.after = after
                .filter(|(key, _)| key.0 == session)
                .map_or(NONE, |(_, s)| *s);
            *place = Some(kept);
        }
    }

    /// Takes a memory out; says whether it was there.
    pub fn remove(&mut self, id: Uuid) -> bool {
        let Some(slot) = self.ids.remove(&id) else {
            return false;
        };
        let Some(kept) = self.kept.get_mut(slot as usize).and_then(Option::take) else {
            return false;
        };
        self.bytes = self.bytes.saturating_sub(weight(&kept));
        self.words -= kept.words.len() as u64;
        let mut terms = kept.words.to_vec();
        terms.sort_unstable();
        terms.dedup();
        for term in terms {
            if let Some(postings) = self.postings.get_mut(term as usize) {
                postings.retain(|posting| posting >> 8 != slot);
            }
        }
        self.order.remove(&(kept.session, kept.at, kept.made));
        if let Some(before) = self
            .kept
            .get_mut(kept.before as usize)
            .and_then(Option::as_mut)
        {
            before.after = kept.after;
        }
        if let Some(after) = self
            .kept
            .get_mut(kept.after as usize)
            .and_then(Option::as_mut)
        {
            after.before = kept.before;
        }
        if let Some(speaker) = self.speakers.get_mut(kept.speaker as usize) {
            speaker.1 = speaker.1.saturating_sub(1);
        }
        self.free.push(slot);
        true
    }

    /// Changes what a memory's salience follows from.
    pub fn update(&mut self, id: Uuid, state: State, spikes: &[Spike]) {
        if let Some(kept) = self.of_mut(id) {
            kept.state = state;
            kept.spikes = spikes.into();
        }
    }

    /// Hides a memory from every answer, or shows it again.
    pub fn hide(&mut self, id: Uuid, hidden: bool) {
        if let Some(kept) = self.of_mut(id) {
            kept.flags = if hidden {
                kept.flags | HIDDEN
            } else {
                kept.flags & !HIDDEN
            };
        }
    }

    /// The memories that speak of a topic: they hold every word of content it has.
    pub fn about(&self, topic: &str) -> Vec<Uuid> {
        let slots = self.holding(&text::terms(topic)).into_iter();
        let mut found: Vec<_> = slots
            .filter_map(|slot| self.at(slot))
            .map(|kept| kept.id)
            .collect();
        found.sort_unstable();
        found
    }

    /// Every memory that may be told.
    pub fn memories(&self) -> impl Iterator<Item = Memory<'_>> {
        let shown = self
            .kept
            .iter()
            .flatten()
            .filter(|kept| kept.flags & HIDDEN == 0);
        shown.map(|kept| Memory {
            id: kept.id,
            at: kept.at,
            state: &kept.state,
            spikes: &kept.spikes,
            pinned: kept.flags & PINNED != 0,
        })
    }

    /// When a memory was said, in microseconds, if it may be told.
    pub fn time(&self, id: Uuid) -> Option<i64> {
        let kept = self.at(*self.ids.get(&id)?)?;
        (kept.flags & HIDDEN == 0).then_some(kept.at)
    }

    /// The memories said before and after one, where they belong together.
    pub fn around(&self, id: Uuid) -> [Option<Uuid>; 2] {
        let kept = self.ids.get(&id).and_then(|slot| self.at(*slot));
        kept.map_or([None; 2], |kept| {
            [kept.before, kept.after]
                .map(|link| self.neighbour(kept, link).map(|(_, other)| other.id))
        })
    }

    fn at(&self, slot: u32) -> Option<&Kept> {
        self.kept.get(slot as usize).and_then(Option::as_ref)
    }

    fn of_mut(&mut self, id: Uuid) -> Option<&mut Kept> {
        let slot = self.ids.get(&id)?;
        self.kept.get_mut(*slot as usize).and_then(Option::as_mut)
    }

    /// The terms of a text by number, in their order; new ones are numbered.
    fn terms(&mut self, reading: &Reading) -> Vec<u32> {
        let mut words: Vec<u32> = Vec::new();
        for term in reading.terms() {
            let number = match self.vocabulary.get(term) {
                Some(number) => *number,
                None => {
                    let number = self.postings.len() as u32;
                    self.bytes += term.len() + 96;
                    self.vocabulary.insert(term.into(), number);
                    self.postings.push(Vec::new());
                    number
                }
            };
            words.push(number);
        }
        words
    }

    fn post(&mut self, slot: u32, words: &[u32]) {
        let mut sorted = words.to_vec();
        sorted.sort_unstable();
        for group in sorted.chunk_by(|a, b| a == b) {
            let count = group.len().min(255) as u32;
            if let Some(postings) = group
                .first()
                .and_then(|term| self.postings.get_mut(*term as usize))
            {
                postings.push(slot << 8 | count);
            }
        }
    }

    fn link(&mut self, slot: u32, key: (u32, i64, u32)) {
        let before = self
            .order
            .range(..key)
            .next_back()
            .filter(|(k, _)| k.0 == key.0);
        let after = self.order.range(key..).next().filter(|(k, _)| k.0 == key.0);
        let (before, after) = (before.map(|(_, s)| *s), after.map(|(_, s)| *s));
        if let Some(kept) = before
            .and_then(|s| self.kept.get_mut(s as usize))
            .and_then(Option::as_mut)
        {
            kept.after = slot;
        }
        if let Some(kept) = after
            .and_then(|s| self.kept.get_mut(s as usize))
            .and_then(Option::as_mut)
        {
            kept.before = slot;
        }
        self.order.insert(key, slot);
    }

    fn session(&mut self, name: Option<&str>) -> u32 {
        let Some(name) = name else { return 0 };
        if let Some(number) = self.sessions.get(name) {
            return *number;
        }
        let number = self.sessions.len() as u32 + 1;
        self.bytes += name.len() + 48;
        self.sessions.insert(name.into(), number);
        number
    }

    /// The number of a speaker. Beyond some thousand names nobody is told apart.
    fn speaker(&mut self, name: &str) -> u16 {
        let found = self.speakers.iter().position(|speaker| *speaker.0 == *name);
        let number = found.unwrap_or_else(|| {
            if self.speakers.len() < 1024 {
                self.bytes += name.len() + 24;
                self.speakers.push((name.into(), 0));
            }
            self.speakers.len() - 1
        });
        if let Some(speaker) = self.speakers.get_mut(number) {
            speaker.1 += 1;
        }
        number as u16
    }
}

/// About how many bytes a memory takes with its postings and its place in the maps.
fn weight(kept: &Kept) -> usize {
    size_of::<Kept>()
        + kept.words.len() * (4 + 8)
        + size_of_val(&*kept.spans)
        + size_of_val(&*kept.spikes)
        + 32
        + 40
}
