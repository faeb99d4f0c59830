//! Numbers visitors. A visitor is a text of its own choosing; sets of visitors
//! are kept as bitmaps of small numbers. The numbers of recent visitors are in
//! memory, within a bound; the others are looked up.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::num::NonZeroUsize;

use lru::LruCache;
use sea_orm::{ConnectionTrait, Value};

use super::model::{COOKIELESS, NewEvent, Visitor};
use crate::auth::ProjectId;
use crate::db::Script;
use crate::db::sql::{ladder, placeholders, row, rows, tuples};
use crate::error::{Error, Result};

/// Visitors in memory; about 100 bytes each.
const CACHED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99_999);

/// The numbers of visitors.
#[derive(Debug)]
pub(super) struct Visitors {
    cache: LruCache<Key, u32>,
    /// Next free number, per project and kind.
    next: HashMap<(ProjectId, bool), u32>,
    /// What the batch being written adds.
    pending: HashMap<Key, u32>,
    pending_next: HashMap<(ProjectId, bool), u32>,
}

/// A project's number, a colon, and the visitor's id: one text, so that one that is
/// known is found without making another.
type Key = Box<str>;

impl Visitors {
    pub(super) fn new() -> Self {
        Self {
            cache: LruCache::new(CACHED),
            next: HashMap::new(),
            pending: HashMap::new(),
            pending_next: HashMap::new(),
        }
    }

    pub(super) fn committed(&mut self) {
        for (key, ordinal) in self.pending.drain() {
            self.cache.put(key, ordinal);
        }
        self.next.extend(self.pending_next.drain());
    }

    pub(super) fn undone(&mut self) {
        self.pending.clear();
        self.pending_next.clear();
    }

    /// Another node may have numbered visitors.
    pub(super) fn forget_counters(&mut self) {
        self.next.clear();
    }

    /// Whether an event's visitor has a number, as far as is remembered.
    pub(super) fn knows(&self, event: &NewEvent) -> bool {
        let mut key = String::new();
        set_key(&mut key, event.project, &event.visitor);
        event.visitor == Visitor::Nobody || self.cache.contains(key.as_str())
    }

    /// The number of each event's visitor; new ones are given the next, which
    /// the script keeps, and nobody is zero.
    pub(super) async fn number(
        &mut self,
        look: &impl ConnectionTrait,
        events: &[&NewEvent],
        script: &mut Script,
    ) -> Result<Vec<u32>> {
        let mut ordinals = Vec::with_capacity(events.len());
        let mut unknown: HashMap<ProjectId, Vec<&Visitor>> = HashMap::new();
        let mut key = String::new();
        for event in events {
            if event.visitor == Visitor::Nobody {
                ordinals.push(0);
                continue;
            }
            set_key(&mut key, event.project, &event.visitor);
            let known = self.cache.get(key.as_str()).copied();
            let known = known.or_else(|| self.pending.get(key.as_str()).copied());
            if known.is_none() {
                unknown
                    .entry(event.project)
                    .or_default()
                    .push(&event.visitor);
                // Zero marks it as being looked up, so that it is asked for once.
                self.pending.insert(key.as_str().into(), 0);
            }
            ordinals.push(known.unwrap_or_default());
        }
        if unknown.is_empty() {
            return Ok(ordinals);
        }
        for (project, visitors) in unknown {
            self.look_up(look, project, &visitors).await?;
            self.assign(look, project, visitors, script).await?;
        }
        for (event, ordinal) in events.iter().zip(&mut ordinals) {
            if *ordinal == 0 && event.visitor != Visitor::Nobody {
                set_key(&mut key, event.project, &event.visitor);
                *ordinal = self.pending.get(key.as_str()).copied().unwrap_or_default();
            }
        }
        Ok(ordinals)
    }

    async fn look_up(
        &mut self,
        look: &impl ConnectionTrait,
        project: ProjectId,
        visitors: &[&Visitor],
    ) -> Result<()> {
        for chunk in ladder(visitors) {
            let sql = format!(
                "SELECT id, ordinal FROM event_visitor WHERE project = $1 AND id IN ({})",
                placeholders(2, chunk.len())
            );
            let ids = chunk.iter().map(|visitor| visitor.id().into());
            let values = std::iter::once(project.into()).chain(ids);
            for row in rows(look, &sql, values).await? {
                let id: String = row.try_get("", "id")?;
                let ordinal: i64 = row.try_get("", "ordinal")?;
                self.pending.insert(key_of(project, &id), ordinal as u32);
            }
        }
        Ok(())
    }

    async fn assign(
        &mut self,
        look: &impl ConnectionTrait,
        project: ProjectId,
        mut visitors: Vec<&Visitor>,
        script: &mut Script,
    ) -> Result<()> {
        let key = |visitor: &Visitor| key_of(project, visitor.id());
        visitors.retain(|visitor| self.pending.get(&key(visitor)) == Some(&0));
        for visitor in &visitors {
            let cookieless = matches!(visitor, Visitor::Cookieless(_));
            let next = self.counter(look, project, cookieless).await?;
            let full = next == COOKIELESS || next == u32::MAX;
            if full {
                return Err(Error::internal(
                    "a project has more visitors than can be numbered",
                ));
            }
            self.pending_next.insert((project, cookieless), next + 1);
            self.pending.insert(key(visitor), next);
        }
        for chunk in ladder(&visitors) {
            let tuples = tuples(look.get_database_backend(), 3, chunk.len());
            let sql = format!("INSERT INTO event_visitor (project, id, ordinal) VALUES {tuples}");
            let values = chunk.iter().flat_map(|visitor| {
                let ordinal = self.pending.get(&key(visitor)).copied().unwrap_or_default();
                [
                    project.into(),
                    Value::from(visitor.id()),
                    i64::from(ordinal).into(),
                ]
            });
            script.push(sql, values.collect());
        }
        Ok(())
    }

    /// The next free number. Numbers begin at 1: zero is nobody.
    async fn counter(
        &self,
        look: &impl ConnectionTrait,
        project: ProjectId,
        cookieless: bool,
    ) -> Result<u32> {
        let slot = (project, cookieless);
        let known = self
            .pending_next
            .get(&slot)
            .or_else(|| self.next.get(&slot));
        if let Some(next) = known {
            return Ok(*next);
        }
        let (low, high) = match cookieless {
            false => (1, COOKIELESS),
            true => (COOKIELESS + 1, u32::MAX),
        };
        let sql = "SELECT MAX(ordinal) AS last FROM event_visitor \
                   WHERE project = $1 AND ordinal >= $2 AND ordinal < $3";
        let values = [
            project.into(),
            i64::from(low).into(),
            i64::from(high).into(),
        ];
        let last: Option<i64> = match row(look, sql, values).await? {
            Some(row) => row.try_get("", "last")?,
            None => None,
        };
        Ok(last.map_or(low, |last| last as u32 + 1))
    }
}

fn key_of(project: ProjectId, id: &str) -> Key {
    format!("{}:{id}", project.0).into()
}

fn set_key(key: &mut String, project: ProjectId, visitor: &Visitor) {
    key.clear();
    // Nothing that is written to a text fails.
    let _ = write!(key, "{}:{}", project.0, visitor.id());
}
