//! Folds appended events into rollups and strips, in the background. Commits of events
//! never touch either; a fold takes what came since the last one, adds it to the rows
//! it belongs to, however old they are, and moves the folded position on, in one
//! transaction. A crash between two folds loses nothing: questions read the events
//! that are not folded yet.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, Value};

use super::figures::Figures;
use super::moments::{Draft, Gathered, Taken};
use super::position;
use super::tally::{Key, tally};
use crate::db::sql::{execute, ladder, rows, tuples};
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

/// Events of one fold at the most.
pub(super) const BATCH: i64 = 20_000;

/// Events that are read at once.
const PAGE: i64 = 500;

/// Rows one fold writes, about, while nothing else is written. Events with values
/// of their own, such as addresses with an id in them, have many rows each.
const ROWS: usize = 8_000;

/// Events of one fold at the least.
const LEAST: i64 = 200;

/// What a fold did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folded {
    /// How many events it took.
    pub(super) events: usize,
    /// How many the next one should take.
    pub(super) next: i64,
}

/// A fold that is not written yet.
#[derive(Debug)]
pub(super) struct Prepared {
    /// How many events it takes.
    pub(super) events: usize,
    added: BTreeMap<Key, Figures>,
    strips: Draft,
    before: i64,
    last: i64,
}

/// Folds one batch of up to so many events.
pub(super) async fn fold(db: &Db, batch: i64) -> Result<Folded> {
    let Some(prepared) = prepare(db, batch).await? else {
        return Ok(Folded {
            events: 0,
            next: BATCH,
        });
    };
    let events = prepared.events;
    let next = fitting(events, prepared.added.len()).clamp(LEAST, BATCH);
    db.write(move |tx| Box::pin(store(tx, prepared))).await?;
    Ok(Folded { events, next })
}

/// Everything is read and added up before the transaction, which then only
/// writes: events are appended meanwhile. Only folds write rollups and strips, and
/// the folded position tells whether another node's came between.
pub(super) async fn prepare(db: &Db, batch: i64) -> Result<Option<Prepared>> {
    let read = db.fold_view().await?;
    let before = position::folded(&read).await?;
    let events = read_after(&read, before, batch).await?;
    if events.is_empty() {
        return Ok(None);
    }
    // Adding up tens of thousands of events is no work for an async thread.
    let added = tokio::task::spawn_blocking(move || {
        let (added, count) = bounded(&events);
        let last = events[count - 1].seq;
        (added, Gathered::of(&events[..count]), count, last)
    });
    let (mut added, gathered, events, last) = added.await.map_err(Error::internal)?;
    let keys: Vec<Key> = added.keys().cloned().collect();
    for chunk in ladder(&keys) {
        merge(&read, chunk, &mut added).await?;
    }
    Ok(Some(Prepared {
        events,
        added,
        strips: gathered.draft(&read).await?,
        before,
        last,
    }))
}

/// Reads up to so many events after a position, in pages: a thread that takes in all
/// rows at once serves nobody meanwhile.
async fn read_after(read: &impl ConnectionTrait, after: i64, most: i64) -> Result<Vec<Taken>> {
    let sql = format!(
        "SELECT {} FROM event WHERE seq > $1 ORDER BY seq LIMIT $2",
        Taken::columns()
    );
    let mut events: Vec<Taken> = Vec::new();
    loop {
        let after = events.last().map_or(after, |last| last.seq);
        let wanted = PAGE.min(most - events.len() as i64);
        let page = rows(read, &sql, [after.into(), wanted.into()]).await?;
        let full = page.len() as i64 == wanted;
        for row in &page {
            events.push(Taken::of(row)?);
        }
        if !full || events.len() as i64 >= most {
            return Ok(events);
        }
    }
}

/// How many events have as many rows as a fold should write.
fn fitting(events: usize, rows: usize) -> i64 {
    (events * ROWS / rows.max(1)) as i64
}

/// Adds up events, as many of the first ones as have not too many rows. Answers
/// how many those are.
fn bounded(events: &[Taken]) -> (BTreeMap<Key, Figures>, usize) {
    let mut count = events.len();
    loop {
        let added = tally(&events[..count]);
        // A few more than wanted are not worth adding up again.
        if added.len() <= 2 * ROWS || count as i64 <= LEAST {
            return (added, count);
        }
        count = count.min(fitting(count, added.len()).max(LEAST) as usize);
    }
}

/// Adds what the rows of these keys hold already. Each is looked up by itself, so
/// that a fold costs what it adds, however much is stored.
async fn merge(
    read: &impl ConnectionTrait,
    keys: &[Key],
    added: &mut BTreeMap<Key, Figures>,
) -> Result<()> {
    let wanted = (0..keys.len()).map(|at| {
        let n = |column: usize| 7 * at + column;
        format!(
            "({at}, CAST(${} AS BIGINT), CAST(${} AS SMALLINT), CAST(${} AS SMALLINT), \
             CAST(${} AS TEXT), CAST(${} AS BIGINT), CAST(${} AS TEXT), CAST(${} AS SMALLINT))",
            n(1),
            n(2),
            n(3),
            n(4),
            n(5),
            n(6),
            n(7)
        )
    });
    // CROSS JOIN keeps SQLite from turning the two tables around.
    let sql = format!(
        "WITH wanted (at, project, level, dimension, name, bucket, value, audience) AS (VALUES {}) \
         SELECT wanted.at AS at, kept.events AS events, kept.revenue AS revenue, \
         kept.visitors AS visitors FROM wanted CROSS JOIN event_rollup AS kept \
         WHERE kept.project = wanted.project AND kept.level = wanted.level \
         AND kept.dimension = wanted.dimension AND kept.name = wanted.name \
         AND kept.bucket = wanted.bucket AND kept.value = wanted.value \
         AND kept.audience = wanted.audience",
        wanted.collect::<Vec<_>>().join(", ")
    );
    let values = keys.iter().flat_map(key_values);
    for row in rows(read, &sql, values).await? {
        let at: i32 = row.try_get("", "at")?;
        let figures = keys.get(at as usize).and_then(|key| added.get_mut(key));
        let figures = figures.ok_or_else(|| Error::internal("a row nobody asked for"))?;
        figures.events += row.try_get::<i64>("", "events")?;
        let revenue: Option<String> = row.try_get("", "revenue")?;
        if let Some(revenue) = revenue {
            figures.add_revenue(&revenue)?;
        }
        figures.add_visitors(&row.try_get::<Vec<u8>>("", "visitors")?)?;
    }
    Ok(())
}

fn key_values(key: &Key) -> [Value; 7] {
    [
        key.project.into(),
        (key.level as i16).into(),
        key.dimension.into(),
        key.name.as_str().into(),
        key.bucket.into(),
        key.value.as_str().into(),
        key.audience.into(),
    ]
}

/// Writes a fold.
pub(super) async fn store(tx: &Tx, prepared: Prepared) -> Result<()> {
    let Prepared {
        added,
        strips,
        before,
        last,
        ..
    } = prepared;
    // Another node may have folded the same events meanwhile.
    let sql = "UPDATE event_log SET value = $1 WHERE name = 'folded' AND value = $2";
    if execute(tx, sql, [last.into(), before.into()]).await? == 0 {
        return Ok(());
    }
    strips.write(tx).await?;
    let rows: Vec<(Key, Figures)> = added.into_iter().collect();
    for chunk in ladder(&rows) {
        upsert(tx, chunk).await?;
    }
    Ok(())
}

async fn upsert(tx: &Tx, chunk: &[(Key, Figures)]) -> Result<()> {
    let tuples = tuples(tx.get_database_backend(), 10, chunk.len());
    let sql = format!(
        "INSERT INTO event_rollup (project, level, dimension, name, bucket, value, audience, \
         events, revenue, visitors) VALUES {tuples} \
         ON CONFLICT (project, level, dimension, name, bucket, value, audience) DO UPDATE SET \
         events = excluded.events, revenue = excluded.revenue, visitors = excluded.visitors"
    );
    let values = chunk.iter().flat_map(|(key, figures)| {
        let figures: [Value; 3] = [
            figures.events.into(),
            figures.encode_revenue().into(),
            figures.encode_visitors().into(),
        ];
        key_values(key).into_iter().chain(figures)
    });
    execute(tx, &sql, values).await?;
    Ok(())
}
