//! Records that are made, or found again by a key and changed. Rows are looked up
//! together and written together; one that meets what an earlier one wrote waits for it.

use std::collections::{HashMap, HashSet};

use sea_orm::{ConnectionTrait as _, DbBackend, Value};
use serde_json::Value as Json;

use super::super::column::Record;
use super::super::custom::Fields;
use super::super::query::read::CUSTOM;
use super::super::query::sql::Sql;
use super::super::resource::{Context, Resource};
use super::insert::insert;
use super::key;
use super::plan::{Changed, New};
use super::reference::Absent;
use super::row::{Kept, columns, fields, hold, load};
use super::write::{Chosen, change};
use crate::db::Tx;
use crate::db::sql::rows;
use crate::error::{Error, Kind, Result};

/// How rows are taken.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct How<'h> {
    /// The key they are known by; the first that a row has, if none is said.
    pub(in super::super) by: Option<&'h str>,
    /// Whether a row without a key is refused, rather than made.
    pub(in super::super) needs_key: bool,
    /// Whether what is found is changed, rather than left alone.
    pub(in super::super) changes: bool,
}

/// What became of a row.
#[derive(Debug)]
pub(in super::super) enum Row<R> {
    /// There was no such record.
    Created(R),
    /// There was one, which was changed.
    Updated {
        /// What it was.
        old: R,
        /// Its custom fields then, by number.
        custom: Option<String>,
        /// What it is.
        new: R,
    },
    /// There was one that says all of it.
    Unchanged(R),
    /// It cannot be.
    Refused(Error),
}

/// Makes records, or changes those that are found by their keys. A member without a
/// value leaves what is there.
pub(in super::super) async fn upsert<R: Resource>(
    tx: &Tx,
    context: &Context,
    how: How<'_>,
    given: Vec<Result<R::Record>>,
) -> Result<Vec<Row<R::Record>>> {
    if how
        .by
        .is_some_and(|by| !names::<R>().any(|name| name == by))
    {
        let known: Vec<&str> = names::<R>().collect();
        let words = format!("by must be one of {}", known.join(", "));
        return Err(Error::invalid_field("by", words));
    }
    let fields = fields::<R>(tx, context).await?;
    let mut batch = Batch::<R> {
        tx,
        context,
        fields: &fields,
        how,
        found: HashMap::new(),
        records: HashMap::new(),
        pending: HashSet::new(),
        new: Vec::new(),
        changed: Vec::new(),
        done: given.iter().map(|_| None).collect(),
    };
    let keys: Vec<Vec<Known>> = given.iter().map(|row| batch.keys(row)).collect();
    batch.look_up(&keys).await?;
    for (at, (row, keys)) in given.into_iter().zip(keys).enumerate() {
        if let Err(error) = batch.row(at, row, keys).await {
            batch.refuse(at, error)?;
        }
    }
    batch.flush().await?;
    let done = batch.done.into_iter();
    done.map(|row| row.ok_or_else(|| Error::internal("nothing became of a row")))
        .collect()
}

/// The names of the keys that tell one record from all others.
fn names<R: Resource>() -> impl Iterator<Item = &'static str> {
    let keys = R::KEYS.iter().filter(|key| key.identifies);
    keys.map(|key| key.name)
}

/// All keys by their names.
fn named<R: Resource>(keys: &[Vec<Known>]) -> Vec<(&'static str, String)> {
    let all = keys.iter().flatten();
    all.map(|(at, value)| (R::KEYS[*at].name, value.clone()))
        .collect()
}

/// What rows have in one key.
fn values(keys: &[Vec<Known>], at: usize) -> HashSet<String> {
    let own = keys.iter().flatten().filter(|own| own.0 == at);
    own.map(|own| own.1.clone()).collect()
}

/// Which key, and what a row has in it.
type Known = (usize, String);

struct Batch<'a, R: Resource> {
    tx: &'a Tx,
    context: &'a Context,
    fields: &'a Fields,
    how: How<'a>,
    /// Living records by their keys.
    found: HashMap<Known, Vec<i64>>,
    records: HashMap<i64, Kept<R::Record>>,
    /// Keys of what waits to be written.
    pending: HashSet<Known>,
    new: Vec<(usize, New<R::Record>)>,
    changed: Vec<(usize, Changed<R::Record>)>,
    done: Vec<Option<Row<R::Record>>>,
}

impl<R: Resource> Batch<'_, R> {
    /// The keys a row may be found by, the surest first.
    fn keys(&self, row: &Result<R::Record>) -> Vec<Known> {
        let Ok(record) = row else {
            return Vec::new();
        };
        let keys = R::KEYS.iter().enumerate();
        keys.filter(|(_, key)| key.identifies)
            .filter_map(|(at, key)| Some((at, (key.of)(record)?)))
            .collect()
    }

    /// Whether rows are known by a key.
    fn is_known_by(&self, key: &Known) -> bool {
        self.how.by.is_none_or(|by| by == R::KEYS[key.0].name)
    }

    /// Finds the living records with any of these keys, and keeps others from making
    /// or changing such.
    async fn look_up(&mut self, keys: &[Vec<Known>]) -> Result<()> {
        key::lock::<R>(self.tx, self.context, named::<R>(keys)).await?;
        for (at, key) in R::KEYS.iter().enumerate() {
            let values = values(keys, at);
            if values.is_empty() {
                continue;
            }
            let mut sql = known::<R>(self.tx, self.context, key.column, values);
            hold(self.tx, &mut sql);
            let last = R::columns().len() + usize::from(R::ENTITY.is_some());
            for row in rows(self.tx, &sql.text, sql.values).await? {
                let kept = load::<R>(&row, self.fields)?;
                let value: String = row.try_get_by_index(last)?;
                let id = kept.record.id();
                self.found.entry((at, value)).or_default().push(id);
                self.records.insert(id, kept);
            }
        }
        Ok(())
    }

    /// Checks a row, and puts it to what waits to be written.
    async fn row(&mut self, at: usize, row: Result<R::Record>, keys: Vec<Known>) -> Result<()> {
        let given = row?;
        if self.how.needs_key && !keys.iter().any(|key| self.is_known_by(key)) {
            let known: Vec<&str> = match self.how.by {
                Some(by) => vec![by],
                None => names::<R>().collect(),
            };
            let words = format!("{} is required, to find it again", known.join(" or "));
            return Err(Error::invalid_field(known[0], words));
        }
        if keys.iter().any(|key| self.pending.contains(key)) {
            self.flush().await?;
        }
        let target = self.target(&given, &keys)?;
        self.refuse_taken(target, &keys)?;
        let Some(id) = target else {
            let new = New::of::<R>(self.tx, self.context, self.fields, given).await?;
            self.pending.extend(keys);
            self.new.push((at, new));
            return Ok(());
        };
        let old = self.records.get(&id);
        let old = old.ok_or_else(|| Error::internal("a record that was found is not there"))?;
        if !self.how.changes {
            self.done[at] = Some(Row::Unchanged(old.record.clone()));
            return Ok(());
        }
        let members = members::<R>(&given);
        let (old, given) = (old.clone(), (given, &members));
        let changed = Changed::of::<R>(self.tx, self.context, self.fields, old, given).await?;
        if changed.pairs().is_empty() {
            self.done[at] = Some(Row::Unchanged(changed.old.record));
            return Ok(());
        }
        // Others may find it by what it was as well as by what it will be.
        for (at, key) in R::KEYS.iter().enumerate() {
            let own = [&changed.old.record, &changed.new.record].map(|record| (key.of)(record));
            self.pending
                .extend(own.into_iter().flatten().map(|value| (at, value)));
        }
        self.changed.push((at, changed));
        Ok(())
    }

    /// The record a row is of. One that another program calls by another number is
    /// another one, whatever else they share.
    fn target(&self, given: &R::Record, keys: &[Known]) -> Result<Option<i64>> {
        let number = |record: &R::Record| {
            let own = R::KEYS.iter().find(|key| key.name == EXTERNAL);
            own.and_then(|key| (key.of)(record))
        };
        let own = number(given);
        for key in keys.iter().filter(|key| self.is_known_by(key)) {
            let found = self.found.get(key).into_iter().flatten();
            let same = found.filter(|id| {
                let other = self.records.get(*id).and_then(|kept| number(&kept.record));
                own.is_none() || other.is_none() || own == other
            });
            let same: Vec<i64> = same.copied().collect();
            match same.as_slice() {
                [] => {}
                [one] => return Ok(Some(*one)),
                several => {
                    let (name, count) = (R::KEYS[key.0].name, several.len());
                    let words = format!("{count} records have this {name}: merge them first");
                    let error = Error::exists(words);
                    return Err(error.reason("AMBIGUOUS_KEY"));
                }
            }
        }
        Ok(None)
    }

    /// Another program's number is one record's.
    fn refuse_taken(&self, target: Option<i64>, keys: &[Known]) -> Result<()> {
        let own = keys.iter().find(|key| R::KEYS[key.0].name == EXTERNAL);
        let taken = own
            .and_then(|key| self.found.get(key))
            .into_iter()
            .flatten();
        match taken.copied().find(|id| Some(*id) != target) {
            None => Ok(()),
            Some(id) => Err(Error::exists(format!("{EXTERNAL} is record {id}'s"))),
        }
    }

    /// Writes what waits, but for what names records that are not there.
    async fn flush(&mut self) -> Result<()> {
        self.pending.clear();
        let (new, changed) = (
            std::mem::take(&mut self.new),
            std::mem::take(&mut self.changed),
        );
        let fresh = new.iter().map(|(_, new)| (new.values.as_slice(), None));
        let moved = changed.iter().map(|(_, changed)| {
            let old = Some(changed.before.as_slice());
            (changed.new.values.as_slice(), old)
        });
        let absent = Absent::of::<R::Record>(self.tx, self.context, fresh.chain(moved)).await?;
        let (mut places, mut rows) = (Vec::new(), Vec::new());
        for (at, new) in new {
            match absent.check::<R::Record>(&new.values, None) {
                Ok(()) => {
                    places.push(at);
                    rows.push(new);
                }
                Err(error) => self.refuse(at, error)?,
            }
        }
        let made = insert::<R>(self.tx, self.context, self.fields, &rows).await?;
        for (at, kept) in places.into_iter().zip(made) {
            self.done[at] = Some(Row::Created(kept.record.clone()));
            self.keep(kept);
        }
        let (mut places, mut rows) = (Vec::new(), Vec::new());
        for (at, changed) in changed {
            match absent.check::<R::Record>(&changed.new.values, Some(&changed.before)) {
                Ok(()) => {
                    places.push(at);
                    rows.push(changed);
                }
                Err(error) => self.refuse(at, error)?,
            }
        }
        let written = change::<R>(self.tx, self.context, self.fields, &rows).await?;
        for ((at, changed), record) in places.into_iter().zip(rows).zip(written) {
            let custom = changed.new.custom;
            self.done[at] = Some(Row::Updated {
                old: changed.old.record,
                custom: changed.old.custom,
                new: record.clone(),
            });
            self.keep(Kept { record, custom });
        }
        Ok(())
    }

    /// Later rows may be of a record that was written.
    fn keep(&mut self, kept: Kept<R::Record>) {
        let id = kept.record.id();
        for (at, key) in R::KEYS.iter().enumerate() {
            if let Some(value) = (key.of)(&kept.record) {
                let ids = self.found.entry((at, value)).or_default();
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
        self.records.insert(id, kept);
    }

    /// A row that cannot be is told so; what is nobody's fault ends it all.
    fn refuse(&mut self, at: usize, error: Error) -> Result<()> {
        let own = matches!(
            error.kind(),
            Kind::InvalidArgument | Kind::NotFound | Kind::AlreadyExists | Kind::PermissionDenied
        );
        // A transaction of PostgreSQL is over with the first statement that fails.
        if !own || self.tx.is_doomed() {
            return Err(error);
        }
        self.done[at] = Some(Row::Refused(error));
        Ok(())
    }
}

/// A statement that reads the living records with values in a column, and those. SQLite
/// takes an organization for small, and a list of values for long: it is told to look
/// each of them up.
fn known<R: Resource>(tx: &Tx, context: &Context, column: &str, values: HashSet<String>) -> Sql {
    let (own, source) = (columns::<R>("t."), R::SOURCE.0);
    let mut sql = Sql::new(&format!("SELECT {own}, t.{column} FROM "));
    let begin = "t.deleted_at IS NULL AND t.organization_id = ";
    if tx.get_database_backend() == DbBackend::Postgres {
        sql.push(&format!("{source} t WHERE {begin}"))
            .bind(context.organization)
            .push(&format!(" AND t.{column} IN ("));
        sql.list(values.into_iter().map(Value::from)).push(")");
    } else {
        sql.push("JSON_EACH(")
            .bind(Json::from_iter(values).to_string())
            .push(&format!(") k CROSS JOIN {source} t WHERE {begin}"))
            .bind(context.organization)
            .push(&format!(" AND t.{column} = k.value"));
    }
    sql.push(" ORDER BY t.id");
    sql
}

/// The key whose values are other programs' own.
const EXTERNAL: &str = "external_id";

/// The members of a record that have a value.
fn members<R: Resource>(given: &R::Record) -> Chosen {
    let columns = R::columns().iter().map(|column| column.name);
    let mut names: Vec<String> = columns
        .filter(|name| given.has(name))
        .map(str::to_owned)
        .collect();
    let mut probe = given.clone();
    if probe.custom().is_some_and(|custom| custom.is_some()) {
        names.push(CUSTOM.to_owned());
    }
    Chosen::Members(names)
}
