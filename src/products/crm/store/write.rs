//! The one way records are written: made, changed, replaced and removed.

use sea_orm::{DbErr, QueryResult, Value};

use super::super::column::Record;
use super::super::custom::Fields;
use super::super::query::sql::Sql;
use super::super::resource::{Context, Resource};
use super::effect::{Action, Change, follow};
use super::insert::insert;
use super::key;
use super::merge::MERGED_INTO;
use super::plan::{Changed, New};
use super::reference::Absent;
use super::row::{Kept, any, columns, fields, finish, load, matches, one};
use crate::api::apex::crm::v1 as pb;
use crate::db::{Tx, is_duplicate};
use crate::error::{Error, Result};

/// What of a record is to be changed.
#[derive(Debug, Clone)]
pub(in super::super) enum Chosen {
    /// These members.
    Members(Vec<String>),
    /// Everything.
    Everything,
}

/// Makes records, all or none.
pub(in super::super) async fn create<R: Resource>(
    tx: &Tx,
    context: &Context,
    mut given: Vec<R::Record>,
) -> Result<Vec<R::Record>> {
    let named = |own: &mut R::Record| own.custom().is_some_and(|custom| custom.is_some());
    let fields = match given.iter_mut().any(named) {
        true => fields::<R>(tx, context).await?,
        false => Fields::default(),
    };
    let many = given.len() > 1;
    let within = |at: usize, error: Error| match many {
        true => error.within(&format!("[{at}].")),
        false => error,
    };
    let mut new = Vec::with_capacity(given.len());
    for (at, given) in given.into_iter().enumerate() {
        let one = New::of::<R>(tx, context, &fields, given).await;
        new.push(one.map_err(|error| within(at, error))?);
    }
    let named = new.iter().map(|new| (new.values.as_slice(), None));
    let absent = Absent::of::<R::Record>(tx, context, named).await?;
    for (at, new) in new.iter().enumerate() {
        let checked = absent.check::<R::Record>(&new.values, None);
        checked.map_err(|error| within(at, error))?;
    }
    let made = insert::<R>(tx, context, &fields, &new).await?;
    let mut made: Vec<R::Record> = made.into_iter().map(|kept| kept.record).collect();
    finish::<R>(tx, context, &mut made, &pb::Find::default()).await?;
    Ok(made)
}

/// Makes one record.
pub(in super::super) async fn make<R: Resource>(
    tx: &Tx,
    context: &Context,
    given: R::Record,
) -> Result<R::Record> {
    let made = create::<R>(tx, context, vec![given]).await?.pop();
    made.ok_or_else(|| Error::internal("a record was not made"))
}

/// Changes a record, or replaces it.
pub(in super::super) async fn update<R: Resource>(
    tx: &Tx,
    context: &Context,
    id: i64,
    (given, chosen): (R::Record, Chosen),
    (find, if_match): (&pb::Find, Option<&str>),
) -> Result<R::Record> {
    let fields = fields::<R>(tx, context).await?;
    let filter = find.filter.as_ref();
    let old = one::<R>(tx, context, id, filter, (&fields, true)).await?;
    matches(&old.record, if_match)?;
    let changed = Changed::of::<R>(tx, context, &fields, old, (given, &chosen)).await?;
    let (new, old) = (changed.new.values.as_slice(), changed.before.as_slice());
    let absent = Absent::of::<R::Record>(tx, context, [(new, Some(old))]).await?;
    absent.check::<R::Record>(new, Some(old))?;
    let mut record = change::<R>(tx, context, &fields, &[changed]).await?;
    finish::<R>(tx, context, &mut record, find).await?;
    let record = record.pop();
    record.ok_or_else(|| Error::internal("a record that was changed is not there"))
}

/// Writes changes that were checked; answers what the records are then.
pub(in super::super) async fn change<R: Resource>(
    tx: &Tx,
    context: &Context,
    fields: &Fields,
    changes: &[Changed<R::Record>],
) -> Result<Vec<R::Record>> {
    let mut written = Vec::with_capacity(changes.len());
    for changed in changes {
        let mut pairs = changed.pairs();
        let id = changed.old.record.id();
        written.push(match pairs.is_empty() {
            true => None,
            false => {
                pairs.extend(R::beside(&changed.new.record));
                pairs.extend(key::beside::<R>(&changed.new.record));
                Some(set::<R>(tx, context, fields, id, pairs).await?)
            }
        });
    }
    let pairs = changes.iter().zip(&written);
    let followed: Vec<Change<'_, R::Record>> = pairs
        .filter_map(|(changed, kept)| {
            kept.as_ref().map(|kept| Change {
                action: Action::Updated,
                before: Some(&changed.old),
                after: kept,
            })
        })
        .collect();
    follow::<R>(tx, context, fields, &followed).await?;
    let pairs = changes.iter().zip(written);
    Ok(pairs
        .map(|(changed, kept)| match kept {
            Some(kept) => kept.record,
            None => changed.old.record.clone(),
        })
        .collect())
}

/// Removes a record; its row is kept.
pub(in super::super) async fn remove<R: Resource>(
    tx: &Tx,
    context: &Context,
    id: i64,
    (find, if_match): (&pb::Find, Option<&str>),
) -> Result<R::Record> {
    let fields = fields::<R>(tx, context).await?;
    let filter = find.filter.as_ref();
    let old = one::<R>(tx, context, id, filter, (&fields, true)).await?;
    matches(&old.record, if_match)?;
    let mut record = take::<R>(tx, context, &fields, &[old], Vec::new()).await?;
    finish::<R>(tx, context, &mut record, find).await?;
    let record = record.pop();
    record.ok_or_else(|| Error::internal("a record that was removed is not there"))
}

/// Removes records, whose rows are kept with these columns; answers what they were
/// and say now.
pub(in super::super) async fn take<R: Resource>(
    tx: &Tx,
    context: &Context,
    fields: &Fields,
    olds: &[Kept<R::Record>],
    beside: Vec<(&'static str, Value)>,
) -> Result<Vec<R::Record>> {
    let mut removed = Vec::with_capacity(olds.len());
    for old in olds {
        let mut pairs = vec![("deleted_at", context.now.into())];
        pairs.extend(beside.iter().cloned());
        let kept = set::<R>(tx, context, fields, old.record.id(), pairs).await?;
        removed.push(kept);
    }
    let gone = |(old, kept)| Change {
        action: Action::Removed,
        before: Some(old),
        after: kept,
    };
    let gone: Vec<Change<'_, R::Record>> = olds.iter().zip(&removed).map(gone).collect();
    follow::<R>(tx, context, fields, &gone).await?;
    for old in olds {
        R::removed(tx, context, &old.record).await?;
    }
    Ok(removed.into_iter().map(|kept| kept.record).collect())
}

/// Brings back a record that was removed. What it names may be gone. One that was not
/// removed stays as it is.
pub(in super::super) async fn restore<R: Resource>(
    tx: &Tx,
    context: &Context,
    id: i64,
) -> Result<R::Record> {
    let fields = fields::<R>(tx, context).await?;
    let (old, removed) = any::<R>(tx, context, id, &fields).await?;
    let mut record = old.record.clone();
    if removed {
        let mut back = vec![("deleted_at", None::<i64>.into())];
        let merged = R::Record::column(MERGED_INTO);
        back.extend(merged.map(|column| (column.name, None::<i64>.into())));
        let kept = set::<R>(tx, context, &fields, id, back).await?;
        let change = Change {
            action: Action::Restored,
            before: Some(&old),
            after: &kept,
        };
        follow::<R>(tx, context, &fields, &[change]).await?;
        record = kept.record;
    }
    let find = pb::Find::default();
    finish::<R>(tx, context, std::slice::from_mut(&mut record), &find).await?;
    Ok(record)
}

/// Writes columns of a row.
async fn set<R: Resource>(
    tx: &Tx,
    context: &Context,
    fields: &Fields,
    id: i64,
    pairs: Vec<(&str, Value)>,
) -> Result<Kept<R::Record>> {
    let mut sql = Sql::new(&format!("UPDATE {} SET updated_at = ", R::SOURCE.0));
    sql.bind(context.now);
    for (name, value) in pairs {
        sql.push(&format!(", {name} = ")).bind(value);
    }
    sql.push(" WHERE organization_id = ")
        .bind(context.organization);
    sql.push(" AND id = ").bind(id);
    sql.push(" RETURNING ").push(&columns::<R>(""));
    let row = written(tx, sql).await?.pop();
    let row = row.ok_or_else(|| Error::internal("a row that was written is not there"))?;
    load::<R>(&row, fields)
}

/// Runs a statement that writes rows and answers them.
pub(super) async fn written(tx: &Tx, sql: Sql) -> Result<Vec<QueryResult>> {
    use sea_orm::ConnectionTrait as _;
    let backend = tx.get_database_backend();
    let statement = sea_orm::Statement::from_sql_and_values(backend, &sql.text, sql.values);
    tx.query_all_raw(statement).await.map_err(failed)
}

/// Why a row was not written.
pub(super) fn failed(error: DbErr) -> Error {
    match is_duplicate(&error) {
        true => Error::exists("There is such a record already").caused_by(error),
        false => error.into(),
    }
}
