//! Folds appended events into rollups, in the background. Commits of events never
//! touch a rollup; a fold takes what came since the last one, adds it to the rows
//! it belongs to, however old they are, and moves the folded position on, in one
//! transaction. A crash between two folds loses nothing: questions read the events
//! that are not folded yet.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ConnectionTrait as _, DbBackend, QueryResult, Statement, Value};

use super::bucket::Level;
use super::figures::Figures;
use super::insert::{CHUNK, tuples};
use super::model::{Dimension, Page};
use super::sql::{execute, placeholders, rows};
use crate::db::{Db, Tx};
use crate::error::Result;

/// Events of one fold at the most.
const BATCH: i64 = 50_000;
/// Buckets looked up at once.
const LOOKUP: usize = 200;

/// Which row a figure belongs to, by the order of the table's key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    slice: Slice,
    name: String,
    bucket: i64,
    value: String,
    audience: i16,
}

/// The part of a key that rows are looked up by together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Slice {
    project: i64,
    level: i16,
    dimension: i16,
}

/// Folds one batch. Answers how many events it took.
pub(super) async fn fold(db: &Db) -> Result<u64> {
    let read = db.snapshot(None).await?;
    let folded = folded(&read).await?;
    let sql = "SELECT seq, project, time, name, audience, visitor, origin, path, referrer, \
               utm_source, utm_medium, utm_campaign, currency, amount, units \
               FROM event WHERE seq > $1 ORDER BY seq LIMIT $2";
    let events = rows(&read, sql, [folded.into(), BATCH.into()]).await?;
    drop(read);
    let Some(last) = events.last() else {
        return Ok(0);
    };
    let last: i64 = last.try_get("", "seq")?;
    let count = events.len() as u64;
    // Adding up tens of thousands of events is no work for an async thread.
    let added = tokio::task::spawn_blocking(move || add_up(&events)).await;
    let added = added.map_err(crate::error::Error::internal)??;
    db.write(move |tx| Box::pin(store(tx, added, folded, last)))
        .await?;
    Ok(count)
}

/// The last position that is folded.
pub(super) async fn folded(connection: &impl sea_orm::ConnectionTrait) -> Result<i64> {
    let sql = "SELECT value FROM event_log WHERE name = 'folded'";
    let row = rows(connection, sql, []).await?;
    Ok(match row.first() {
        Some(row) => row.try_get("", "value")?,
        None => 0,
    })
}

fn add_up(events: &[QueryResult]) -> Result<BTreeMap<Key, Figures>> {
    let mut figures: HashMap<Key, Figures> = HashMap::new();
    for row in events {
        let project: i64 = row.try_get("", "project")?;
        let time: i64 = row.try_get("", "time")?;
        let name: String = row.try_get("", "name")?;
        let audience: i16 = row.try_get("", "audience")?;
        let visitor: i64 = row.try_get("", "visitor")?;
        let currency: Option<String> = row.try_get("", "currency")?;
        let money = match &currency {
            Some(currency) => {
                let amount: i64 = row.try_get("", "amount")?;
                Some((currency.as_str(), amount, row.try_get("", "units")?))
            }
            None => None,
        };
        let page = page_of(row)?;
        let mut add = |level: Level, dimension: i16, value: &str| {
            // Every name together, and each by itself.
            for name in ["", name.as_str()] {
                let key = Key {
                    slice: Slice {
                        project,
                        level: level as i16,
                        dimension,
                    },
                    name: name.to_owned(),
                    bucket: level.floor(time),
                    value: value.to_owned(),
                    audience,
                };
                figures.entry(key).or_default().add(visitor as u32, money);
            }
        };
        for level in Level::ALL {
            add(level, 0, "");
        }
        for dimension in Dimension::ALL {
            let value = dimension.of(&page).unwrap_or_default();
            for level in [Level::Day, Level::Month] {
                add(level, dimension as i16, &value);
            }
        }
    }
    Ok(figures.into_iter().collect())
}

fn page_of(row: &QueryResult) -> Result<Page> {
    Ok(Page {
        origin: row.try_get("", "origin")?,
        path: row.try_get("", "path")?,
        referrer: row.try_get("", "referrer")?,
        utm_source: row.try_get("", "utm_source")?,
        utm_medium: row.try_get("", "utm_medium")?,
        utm_campaign: row.try_get("", "utm_campaign")?,
    })
}

async fn store(tx: &Tx, mut added: BTreeMap<Key, Figures>, before: i64, last: i64) -> Result<()> {
    // Another node may have folded the same events meanwhile.
    let sql = "UPDATE event_log SET value = $1 WHERE name = 'folded' AND value = $2";
    if execute(tx, sql, [last.into(), before.into()]).await? == 0 {
        return Ok(());
    }
    let mut slices: BTreeMap<Slice, Vec<i64>> = BTreeMap::new();
    for key in added.keys() {
        slices.entry(key.slice).or_default().push(key.bucket);
    }
    for (slice, mut buckets) in slices {
        buckets.sort_unstable();
        buckets.dedup();
        for chunk in buckets.chunks(LOOKUP) {
            merge(tx, slice, chunk, &mut added).await?;
        }
    }
    let rows: Vec<(Key, Figures)> = added.into_iter().collect();
    for chunk in rows.chunks(CHUNK) {
        upsert(tx, chunk).await?;
    }
    Ok(())
}

/// Adds what the rows of these buckets hold already.
async fn merge(
    tx: &Tx,
    slice: Slice,
    buckets: &[i64],
    added: &mut BTreeMap<Key, Figures>,
) -> Result<()> {
    let sql = format!(
        "SELECT name, bucket, value, audience, events, revenue, visitors FROM event_rollup \
         WHERE project = $1 AND level = $2 AND dimension = $3 AND bucket IN ({})",
        placeholders(4, buckets.len())
    );
    let own: [Value; 3] = [
        slice.project.into(),
        slice.level.into(),
        slice.dimension.into(),
    ];
    let values = own
        .into_iter()
        .chain(buckets.iter().map(|bucket| (*bucket).into()));
    for row in rows(tx, &sql, values).await? {
        let key = Key {
            slice,
            name: row.try_get("", "name")?,
            bucket: row.try_get("", "bucket")?,
            value: row.try_get("", "value")?,
            audience: row.try_get("", "audience")?,
        };
        let Some(figures) = added.get_mut(&key) else {
            continue;
        };
        figures.events += row.try_get::<i64>("", "events")?;
        let revenue: Option<String> = row.try_get("", "revenue")?;
        if let Some(revenue) = revenue {
            figures.add_revenue(&revenue)?;
        }
        figures.add_visitors(&row.try_get::<Vec<u8>>("", "visitors")?)?;
    }
    Ok(())
}

async fn upsert(tx: &Tx, chunk: &[(Key, Figures)]) -> Result<()> {
    let backend = tx.get_database_backend();
    let tuples = match backend {
        DbBackend::Postgres => {
            let tuple = |at: usize| format!("({})", placeholders(10 * at + 1, 10));
            (0..chunk.len()).map(tuple).collect::<Vec<_>>().join(",")
        }
        _ => tuples(10, chunk.len()),
    };
    let sql = format!(
        "INSERT INTO event_rollup (project, level, dimension, name, bucket, value, audience, \
         events, revenue, visitors) VALUES {tuples} \
         ON CONFLICT (project, level, dimension, name, bucket, value, audience) DO UPDATE SET \
         events = excluded.events, revenue = excluded.revenue, visitors = excluded.visitors"
    );
    let values = chunk.iter().flat_map(|(key, figures)| {
        let values: [Value; 10] = [
            key.slice.project.into(),
            key.slice.level.into(),
            key.slice.dimension.into(),
            key.name.as_str().into(),
            key.bucket.into(),
            key.value.as_str().into(),
            key.audience.into(),
            figures.events.into(),
            figures.encode_revenue().into(),
            figures.encode_visitors().into(),
        ];
        values
    });
    tx.execute_raw(Statement::from_sql_and_values(backend, sql, values))
        .await?;
    Ok(())
}
