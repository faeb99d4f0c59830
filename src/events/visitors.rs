//! Numbers visitors. A visitor is a text of its own choosing; sets of visitors
//! are kept as bitmaps of small numbers. The numbers of recent visitors are in
//! memory, within a bound; the others are looked up.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use lru::LruCache;
use sea_orm::{ConnectionTrait as _, Value};

use super::model::{COOKIELESS, NewEvent, Visitor};
use crate::auth::ProjectId;
use crate::db::Tx;
use crate::db::sql::{execute, ladder, placeholders, row, rows, tuples};
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

type Key = (ProjectId, Box<str>);

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

    /// The number of each event's visitor; new ones are given the next, and nobody is
    /// zero.
    pub(super) async fn number(&mut self, tx: &Tx, events: &[&NewEvent]) -> Result<Vec<u32>> {
        let mut unknown: HashMap<ProjectId, Vec<&Visitor>> = HashMap::new();
        for event in events {
            if event.visitor == Visitor::Nobody {
                continue;
            }
            let key = key_of(event);
            if self.cache.get(&key).is_none() && !self.pending.contains_key(&key) {
                unknown
                    .entry(event.project)
                    .or_default()
                    .push(&event.visitor);
                // Zero marks it as being looked up, so that it is asked for once.
                self.pending.insert(key, 0);
            }
        }
        for (project, visitors) in unknown {
            self.look_up(tx, project, &visitors).await?;
            self.assign(tx, project, visitors).await?;
        }
        let known = |event: &&NewEvent| {
            let key = key_of(event);
            let pending = self.pending.get(&key).copied();
            pending
                .or_else(|| self.cache.peek(&key).copied())
                .unwrap_or_default()
        };
        Ok(events.iter().map(known).collect())
    }

    async fn look_up(&mut self, tx: &Tx, project: ProjectId, visitors: &[&Visitor]) -> Result<()> {
        for chunk in ladder(visitors) {
            let sql = format!(
                "SELECT id, ordinal FROM event_visitor WHERE project = $1 AND id IN ({})",
                placeholders(2, chunk.len())
            );
            let ids = chunk.iter().map(|visitor| visitor.id().into());
            let values = std::iter::once(project.into()).chain(ids);
            for row in rows(tx, &sql, values).await? {
                let id: String = row.try_get("", "id")?;
                let ordinal: i64 = row.try_get("", "ordinal")?;
                self.pending.insert((project, id.into()), ordinal as u32);
            }
        }
        Ok(())
    }

    async fn assign(
        &mut self,
        tx: &Tx,
        project: ProjectId,
        mut visitors: Vec<&Visitor>,
    ) -> Result<()> {
        let key = |visitor: &Visitor| (project, visitor.id().into());
        visitors.retain(|visitor| self.pending.get(&key(visitor)) == Some(&0));
        for visitor in &visitors {
            let cookieless = matches!(visitor, Visitor::Cookieless(_));
            let next = self.counter(tx, project, cookieless).await?;
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
            let tuples = tuples(tx.get_database_backend(), 3, chunk.len());
            let sql = format!("INSERT INTO event_visitor (project, id, ordinal) VALUES {tuples}");
            let values = chunk.iter().flat_map(|visitor| {
                let ordinal = self.pending.get(&key(visitor)).copied().unwrap_or_default();
                [
                    project.into(),
                    Value::from(visitor.id()),
                    i64::from(ordinal).into(),
                ]
            });
            execute(tx, &sql, values).await?;
        }
        Ok(())
    }

    /// The next free number. Numbers begin at 1: zero is nobody.
    async fn counter(&self, tx: &Tx, project: ProjectId, cookieless: bool) -> Result<u32> {
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
        let last: Option<i64> = match row(tx, sql, values).await? {
            Some(row) => row.try_get("", "last")?,
            None => None,
        };
        Ok(last.map_or(low, |last| last as u32 + 1))
    }
}

fn key_of(event: &NewEvent) -> Key {
    (event.project, event.visitor.id().into())
}
