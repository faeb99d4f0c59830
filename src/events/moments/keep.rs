//! Adds folded events to strips. A fold writes a strip for every name and day it has
//! events of, merged with those before it that are not much larger: so there are few
//! strips of a day, and an event is written again only as often as their size doubles.
//! Beside what visitors did there are strips of which variants of experiments they saw.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ConnectionTrait, Value};

use super::Moment;
use super::reading::DAY;
use super::scan::{Placed, Taken};
use super::strip::{Rows, Strip, Wanted};
use super::words::{self, NewWord, Words};
use crate::db::Tx;
use crate::db::sql::{execute, ladder, rows, tuples};
use crate::error::{Error, Result};

/// Events of a strip at the most.
const LARGEST: i64 = 200_000;
/// Events one fold writes again at the most.
const REWRITTEN: i64 = 400_000;

/// What strips hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    /// What visitors did.
    Events = 0,
    /// Who saw which variant of an experiment: the experiment is the name, the variant
    /// the path.
    Exposures = 1,
}

/// What a strip is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    project: i64,
    kind: Kind,
    day: i64,
    name: u32,
}

/// Rows that come to the strips of a key.
#[derive(Debug, Default)]
struct Coming {
    first_seq: i64,
    rows: Vec<Placed>,
}

/// Events on their way into strips.
#[derive(Debug, Default)]
pub(in crate::events) struct Gathered {
    words: BTreeMap<i64, Words>,
    coming: BTreeMap<Key, Coming>,
}

impl Gathered {
    /// Sorts events by the strips they belong to.
    pub(in crate::events) fn of(events: &[Taken]) -> Self {
        let mut own = Self::default();
        for taken in events {
            let project = taken.project;
            let words = own.words.entry(project).or_default();
            let mut parts = vec![(Kind::Events, taken.moment(|text| words.number(text)))];
            let seen = taken.exposures(|text| words.number(text));
            parts.extend(seen.into_iter().map(|seen| (Kind::Exposures, (seen, None))));
            for (kind, placed) in parts {
                let key = Key {
                    project,
                    kind,
                    day: placed.0.time.div_euclid(DAY),
                    name: placed.0.name,
                };
                let coming = own.coming.entry(key).or_insert_with(|| Coming {
                    first_seq: taken.seq,
                    rows: Vec::new(),
                });
                coming.rows.push(placed);
            }
        }
        own
    }

    /// Numbers texts, and merges what comes with what is there. Nothing is written.
    pub(in crate::events) async fn draft(self, read: &impl ConnectionTrait) -> Result<Draft> {
        let (mut added, mut settled) = (Vec::new(), HashMap::new());
        for (project, words) in self.words {
            let (new, numbers) = words.settle(read, project).await?;
            added.extend(new);
            settled.insert(project, numbers);
        }
        let coming: Vec<(Key, Coming)> = self
            .coming
            .into_iter()
            .map(|(key, coming)| (key.settled(&settled), coming))
            .collect();
        let keys: Vec<Key> = coming.iter().map(|(key, _)| *key).collect();
        let mut there: HashMap<Key, Vec<(i64, i64)>> = HashMap::new();
        for chunk in ladder(&keys) {
            sizes(read, chunk, &mut there).await?;
        }
        let mut budget = REWRITTEN;
        let mut merged = Vec::new();
        for (key, coming) in &coming {
            let sizes = there.get(key).map_or(&[][..], Vec::as_slice);
            let count = coming.rows.len() as i64;
            for first in small(sizes, count, &mut budget) {
                merged.push((*key, first));
            }
        }
        let mut former: HashMap<Key, Vec<Kept>> = HashMap::new();
        for chunk in ladder(&merged) {
            strips(read, chunk, &mut former).await?;
        }
        let encoded = tokio::task::spawn_blocking(move || encode(coming, &settled, &mut former));
        Ok(Draft {
            words: added,
            removed: merged,
            added: encoded.await.map_err(Error::internal)??,
        })
    }
}

impl Key {
    /// With a name that has a number that stays.
    fn settled(self, settled: &HashMap<i64, HashMap<u32, u32>>) -> Self {
        let numbers = settled.get(&self.project);
        let name = numbers.and_then(|numbers| numbers.get(&self.name));
        Self {
            name: name.copied().unwrap_or(0),
            ..self
        }
    }

    fn values(&self) -> [Value; 4] {
        [
            self.project.into(),
            (self.kind as i16).into(),
            self.day.into(),
            i64::from(self.name).into(),
        ]
    }
}

/// A strip that is there.
#[derive(Debug)]
struct Kept {
    first_seq: i64,
    core: Vec<u8>,
    places: Vec<u8>,
}

/// A strip to be written.
#[derive(Debug)]
struct Added {
    key: Key,
    first_seq: i64,
    events: i64,
    strip: Strip,
}

/// What a fold writes.
#[derive(Debug)]
pub(in crate::events) struct Draft {
    words: Vec<NewWord>,
    removed: Vec<(Key, i64)>,
    added: Vec<Added>,
}

impl Draft {
    /// Writes it.
    pub(in crate::events) async fn write(self, tx: &Tx) -> Result<()> {
        words::write(tx, &self.words).await?;
        for (key, first_seq) in self.removed {
            let sql = "DELETE FROM event_strip WHERE project = $1 AND kind = $2 AND day = $3 \
                       AND name = $4 AND first_seq = $5";
            let values = key.values().into_iter().chain([first_seq.into()]);
            execute(tx, sql, values).await?;
        }
        for chunk in ladder(&self.added) {
            let tuples = tuples(tx.get_database_backend(), 8, chunk.len());
            let sql = format!(
                "INSERT INTO event_strip (project, kind, day, name, first_seq, events, core, \
                 places) VALUES {tuples}"
            );
            let values = chunk.iter().flat_map(|own| {
                let Strip { core, places } = &own.strip;
                let others: [Value; 4] = [
                    own.first_seq.into(),
                    own.events.into(),
                    core.clone().into(),
                    places.clone().into(),
                ];
                own.key.values().into_iter().chain(others)
            });
            execute(tx, &sql, values).await?;
        }
        Ok(())
    }
}

/// Which of the strips of a key are merged with so many rows: the last ones, while they
/// are not much larger than what they are merged with.
fn small(sizes: &[(i64, i64)], mut count: i64, budget: &mut i64) -> Vec<i64> {
    let mut merged = Vec::new();
    for (first_seq, events) in sizes.iter().rev() {
        if *events > 2 * count || count + events > LARGEST || *events > *budget {
            break;
        }
        count += events;
        *budget -= events;
        merged.push(*first_seq);
    }
    merged
}

/// `(at, project, kind, day, name[, first_seq]), …` for so many keys.
fn wanted(count: usize, columns: usize) -> String {
    let kinds = ["BIGINT", "SMALLINT", "BIGINT", "BIGINT", "BIGINT"];
    let tuple = |at: usize| {
        let casts = kinds.iter().take(columns).enumerate();
        let casts = casts.map(|(n, kind)| format!("CAST(${} AS {kind})", columns * at + n + 1));
        format!("({at}, {})", casts.collect::<Vec<_>>().join(", "))
    };
    (0..count).map(tuple).collect::<Vec<_>>().join(", ")
}

/// Reads how many events the strips of keys have, in the order of the log.
async fn sizes(
    read: &impl ConnectionTrait,
    keys: &[Key],
    there: &mut HashMap<Key, Vec<(i64, i64)>>,
) -> Result<()> {
    // CROSS JOIN keeps SQLite from turning the two tables around.
    let sql = format!(
        "WITH wanted (at, project, kind, day, name) AS (VALUES {}) \
         SELECT wanted.at AS at, kept.first_seq AS first_seq, kept.events AS events \
         FROM wanted CROSS JOIN event_strip AS kept \
         WHERE kept.project = wanted.project AND kept.kind = wanted.kind \
         AND kept.day = wanted.day AND kept.name = wanted.name ORDER BY at, first_seq",
        wanted(keys.len(), 4)
    );
    let values = keys.iter().flat_map(Key::values);
    for row in rows(read, &sql, values).await? {
        let at: i32 = row.try_get("", "at")?;
        if let Some(key) = keys.get(at as usize) {
            let size = (row.try_get("", "first_seq")?, row.try_get("", "events")?);
            there.entry(*key).or_default().push(size);
        }
    }
    Ok(())
}

/// Reads strips, in the order of the log.
async fn strips(
    read: &impl ConnectionTrait,
    keys: &[(Key, i64)],
    former: &mut HashMap<Key, Vec<Kept>>,
) -> Result<()> {
    let sql = format!(
        "WITH wanted (at, project, kind, day, name, first_seq) AS (VALUES {}) \
         SELECT wanted.at AS at, kept.core AS core, kept.places AS places \
         FROM wanted CROSS JOIN event_strip AS kept \
         WHERE kept.project = wanted.project AND kept.kind = wanted.kind \
         AND kept.day = wanted.day AND kept.name = wanted.name \
         AND kept.first_seq = wanted.first_seq",
        wanted(keys.len(), 5)
    );
    let values = keys
        .iter()
        .flat_map(|(key, first)| key.values().into_iter().chain([(*first).into()]));
    for row in rows(read, &sql, values).await? {
        let at: i32 = row.try_get("", "at")?;
        if let Some((key, first_seq)) = keys.get(at as usize) {
            former.entry(*key).or_default().push(Kept {
                first_seq: *first_seq,
                core: row.try_get("", "core")?,
                places: row.try_get("", "places")?,
            });
        }
    }
    Ok(())
}

/// Merges and encodes.
fn encode(
    coming: Vec<(Key, Coming)>,
    settled: &HashMap<i64, HashMap<u32, u32>>,
    former: &mut HashMap<Key, Vec<Kept>>,
) -> Result<Vec<Added>> {
    let mut added = Vec::with_capacity(coming.len());
    for (key, coming) in coming {
        let mut first_seq = coming.first_seq;
        let mut rows = Rows::default();
        let mut before = former.remove(&key).unwrap_or_default();
        before.sort_by_key(|kept| kept.first_seq);
        for kept in before {
            first_seq = first_seq.min(kept.first_seq);
            let places = Some(kept.places.as_slice());
            let at = (key.day, key.name);
            Strip::decode(&kept.core, places, at, Wanted::ALL, &mut rows)?;
        }
        let numbers = settled.get(&key.project);
        let number = |passing: u32| {
            let number = numbers.and_then(|numbers| numbers.get(&passing));
            number.copied().unwrap_or(0)
        };
        for (moment, detail) in coming.rows {
            let moment = Moment {
                name: number(moment.name),
                path: number(moment.path),
                source: number(moment.source),
                device: number(moment.device),
                ..moment
            };
            let detail = detail.map(|mut detail| {
                detail.goal = number(detail.goal);
                detail.currency = number(detail.currency);
                detail
            });
            rows.push(moment, detail);
        }
        // What happened at the same time stays in the order of the log.
        rows.rows.sort_by_key(|row| (row.visitor, row.time));
        if key.kind != Kind::Events {
            once(&mut rows.rows);
        }
        added.push(Added {
            key,
            first_seq,
            events: rows.rows.len() as i64,
            strip: Strip::encode(key.day, &rows),
        });
    }
    Ok(added)
}

/// Keeps the first of what is the same of a visitor but for its time.
fn once(rows: &mut Vec<Moment>) {
    let mut visitor = None;
    let mut met: Vec<(u32, u32, u8)> = Vec::new();
    rows.retain(|row| {
        if visitor != Some(row.visitor) {
            visitor = Some(row.visitor);
            met.clear();
        }
        let own = (row.path, row.source, row.audience);
        let new = !met.contains(&own);
        if new {
            met.push(own);
        }
        new
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_of_a_day_stay_few() {
        let mut sizes: Vec<(i64, i64)> = Vec::new();
        let mut rewritten = 0;
        for seq in 0..100_000 {
            let mut budget = REWRITTEN;
            let merged = small(&sizes, 1, &mut budget);
            let mut own = (seq, 1);
            for first in merged {
                let (_, events) = sizes.pop().unwrap();
                own = (first, own.1 + events);
                rewritten += events;
            }
            sizes.push(own);
            assert!(sizes.len() <= 18, "{sizes:?}");
        }
        assert_eq!(sizes.iter().map(|(_, events)| events).sum::<i64>(), 100_000);
        assert!(rewritten < 20 * 100_000, "{rewritten}");
        // Strips do not grow without end.
        assert!(small(&[(1, LARGEST)], LARGEST, &mut { REWRITTEN }).is_empty());
    }
}
