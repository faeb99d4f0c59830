//! Records that turned out to be one. What names the others names the one that stays;
//! what it lacks is taken from them; they are removed and say into which they went.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use sea_orm::Value;
use serde_json::{Map, Value as Json};

use super::super::column::{Access, Column, Kind, Record, Source};
use super::super::custom::Fields;
use super::super::resource::{Context, Moving, Resource};
use super::super::resources::ALL;
use super::plan::Changed;
use super::row::{Kept, fields, hold, living, load, one};
use super::write::{change, take};
use crate::db::Tx;
use crate::db::sql::rows;
use crate::error::{Error, Result};

/// Says into which record one was merged.
pub(in super::super) const MERGED_INTO: &str = "merged_into_id";
/// Most records that are merged into one by one call.
const MOST: usize = 50;
/// Records that are moved at a time.
const PAGE: i64 = 500;

/// What a merge does.
#[derive(Debug)]
pub(in super::super) struct Merged<R> {
    /// The record that stays, as it is then.
    pub(in super::super) target: R,
    /// How many records of which resource name it now.
    pub(in super::super) moved: Vec<(&'static str, i64)>,
    /// The members it lacked.
    pub(in super::super) filled: Vec<String>,
}

/// Which records are merged.
#[derive(Debug, Clone)]
pub(in super::super) struct Pair {
    target: i64,
    sources: BTreeSet<i64>,
}

impl Pair {
    /// Checks which records are to be merged into which.
    pub(in super::super) fn new(target: i64, sources: &[i64]) -> Result<Self> {
        let wrong = |what: &str| Err(Error::invalid_field("source_ids", what.to_owned()));
        let distinct: BTreeSet<i64> = sources.iter().copied().collect();
        if distinct.is_empty() {
            return wrong("source_ids is required");
        }
        if distinct.len() != sources.len() || distinct.contains(&target) {
            return wrong("source_ids must name other records than target_id, each once");
        }
        if distinct.len() > MOST {
            return wrong("source_ids must have at most 50 elements");
        }
        Ok(Self {
            target,
            sources: distinct,
        })
    }
}

/// A column that names records, of some of them.
#[derive(Debug, Clone)]
pub(in super::super) struct Link {
    column: &'static str,
    from: BTreeSet<i64>,
    to: i64,
}

/// Moves what names some records through a column to another; answers how many.
pub(in super::super) type Repoint =
    for<'t> fn(&'t Tx, &'t Context, Link) -> BoxFuture<'t, Result<i64>>;

/// Merges.
pub(in super::super) async fn merge<R: Resource>(
    tx: &Tx,
    context: &Context,
    pair: &Pair,
) -> Result<Merged<R::Record>> {
    let fields = fields::<R>(tx, context).await?;
    let plan = Plan::<R>::read(tx, context, pair, &fields).await?;
    let into = vec![(MERGED_INTO, pair.target.into())];
    take::<R>(tx, context, &fields, &plan.sources, into).await?;
    let target = change::<R>(tx, context, &fields, &[plan.changed])
        .await?
        .pop();
    let mut moved = Vec::new();
    // What copies of it is copied as it is now.
    for (entry, column) in links(R::SOURCE) {
        let link = Link {
            column: column.name,
            from: pair.sources.clone(),
            to: pair.target,
        };
        let count = (entry.repoint)(tx, context, link).await?;
        tell(&mut moved, entry.name, count);
    }
    Ok(Merged {
        target: target.ok_or_else(|| Error::internal("the record that stays is not there"))?,
        moved,
        filled: plan.filled,
    })
}

/// The columns that name records of a source, by the resources they are of.
fn links(
    source: Source,
) -> impl Iterator<Item = (&'static super::super::resources::Entry, &'static Column)> {
    ALL.iter().flat_map(move |entry| {
        let columns = entry.columns.iter();
        let named = columns.filter(move |column| {
            column.kind == Kind::Reference(source) && column.name != MERGED_INTO
        });
        named.map(move |column| (entry, column))
    })
}

fn tell(moved: &mut Vec<(&'static str, i64)>, name: &'static str, count: i64) {
    match moved.last_mut() {
        Some((last, sum)) if *last == name => *sum += count,
        _ if count > 0 => moved.push((name, count)),
        _ => {}
    }
}

/// What becomes of the records themselves.
struct Plan<R: Resource> {
    changed: Changed<R::Record>,
    sources: Vec<Kept<R::Record>>,
    filled: Vec<String>,
}

impl<R: Resource> Plan<R> {
    async fn read(tx: &Tx, context: &Context, pair: &Pair, fields: &Fields) -> Result<Self> {
        let (mut old, mut sources) = (None, Vec::new());
        // In one order, so that nobody waits for who waits for them.
        let mut all = pair.sources.clone();
        all.insert(pair.target);
        for id in all {
            let kept = one::<R>(tx, context, id, None, (fields, true)).await?;
            match id == pair.target {
                true => old = Some(kept),
                false => sources.push(kept),
            }
        }
        let old = old.ok_or_else(|| Error::internal("a record that was read is not there"))?;
        let mut record = old.record.clone();
        let mut filled = Vec::new();
        for source in &sources {
            fill::<R>(&mut record, &source.record, &mut filled);
        }
        let mut custom = old.custom.clone();
        for source in &sources {
            fill_custom(&mut custom, source.custom.as_deref(), fields, &mut filled)?;
        }
        Ok(Self {
            changed: Changed::to(old, record, custom)?,
            sources,
            filled,
        })
    }
}

/// Takes over what a record lacks. Members that belong together are taken together.
fn fill<R: Resource>(target: &mut R::Record, source: &R::Record, filled: &mut Vec<String>) {
    for column in R::columns() {
        let group = R::TOGETHER
            .iter()
            .find(|group| group.contains(&column.name));
        let (first, all) = match group {
            Some(group) => (group[0], *group),
            None => (column.name, std::slice::from_ref(&column.name)),
        };
        let wanted = column.access == Access::Caller && column.name == first;
        if wanted && !target.has(first) && source.has(first) {
            target.adopt(source, &|own| all.contains(&own.name));
            let given = all.iter().filter(|name| source.has(name));
            filled.extend(given.map(|name| (*name).to_owned()));
        }
    }
}

fn fill_custom(
    target: &mut Option<String>,
    source: Option<&str>,
    fields: &Fields,
    filled: &mut Vec<String>,
) -> Result<()> {
    let read = |text: &str| -> Result<Map<String, Json>> {
        serde_json::from_str(text).map_err(Error::internal)
    };
    let mut own = read(target.as_deref().unwrap_or("{}"))?;
    for (number, value) in read(source.unwrap_or("{}"))? {
        let name = fields.numbered(&number);
        if let Some(name) = name.filter(|_| !own.contains_key(&number)) {
            own.insert(number, value);
            filled.push(format!("{}.{name}", super::super::query::read::CUSTOM));
        }
    }
    *target = (!own.is_empty()).then(|| Json::Object(own).to_string());
    Ok(())
}

/// Moves what names some records through a column of a resource.
pub(in super::super) async fn repoint<R: Resource>(
    tx: &Tx,
    context: &Context,
    link: Link,
) -> Result<i64> {
    let fields = fields::<R>(tx, context).await?;
    let mut count = 0;
    loop {
        let mut sql = living::<R>(context);
        sql.push(&format!(" AND t.{} IN (", link.column));
        sql.list(link.from.iter().copied().map(Value::from))
            .push(") ORDER BY t.id LIMIT ")
            .bind(PAGE);
        hold(tx, &mut sql);
        let found = rows(tx, &sql.text, sql.values).await?;
        if found.is_empty() {
            return Ok(count);
        }
        for row in &found {
            let old = load::<R>(row, &fields)?;
            let mut record = old.record.clone();
            record.set_number(link.column, link.to);
            match R::moved(tx, context, &mut record, link.column).await? {
                Moving::Keep => {
                    let custom = old.custom.clone();
                    let changed = Changed::to(old, record, custom)?;
                    change::<R>(tx, context, &fields, &[changed]).await?;
                    count += 1;
                }
                Moving::Remove => {
                    take::<R>(tx, context, &fields, &[old], Vec::new()).await?;
                }
            }
        }
    }
}
