//! The one way records are written: made, changed, replaced and removed.

use sea_orm::{QueryResult, Value};

use super::super::column::{Access, Column, Record};
use super::super::custom::Fields;
use super::super::query::read::CUSTOM;
use super::super::query::sql::Sql;
use super::super::resource::{Context, Resource};
use super::effect::{Action, Change, follow};
use super::reference;
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
    given: Vec<R::Record>,
) -> Result<Vec<R::Record>> {
    let fields = fields::<R>(tx, context).await?;
    let many = given.len() > 1;
    let mut made = Vec::with_capacity(given.len());
    for (at, mut given) in given.into_iter().enumerate() {
        let one = insert::<R>(tx, context, &fields, &mut given).await;
        let one = one.map_err(|error| match many {
            true => error.within(&format!("[{at}].")),
            false => error,
        })?;
        made.push(one);
    }
    finish::<R>(tx, context, &mut made, &pb::Find::default()).await?;
    Ok(made)
}

async fn insert<R: Resource>(
    tx: &Tx,
    context: &Context,
    fields: &Fields,
    given: &mut R::Record,
) -> Result<R::Record> {
    refuse_alien(given)?;
    let none = R::Record::default();
    for column in R::columns() {
        writable(context, column, given, &none)?;
    }
    let mut new = R::Record::default();
    new.adopt(given, &|column| {
        matches!(column.access, Access::Caller | Access::Create)
    });
    R::prepare(tx, context, &mut new, None).await?;
    let custom = match given.custom().and_then(Option::take) {
        Some(custom) => fields.merged(None, &custom)?,
        None => None,
    };
    let values = new.values()?;
    reference::check::<R::Record>(tx, context, &values, None).await?;
    let mut pairs: Vec<(&str, Value)> = R::columns()
        .iter()
        .zip(values)
        .filter(|(column, _)| column.name != "id")
        .map(|(column, value)| {
            (
                column.name,
                of_server(column.name, context).unwrap_or(value),
            )
        })
        .collect();
    pairs.extend(R::beside(&new));
    pairs.extend(R::ENTITY.map(|_| ("custom", custom.into())));
    // Which some records do not show.
    for hidden in ["created_by_user_id", "updated_at", "deleted_at"] {
        if let Some(value) = of_server(hidden, context)
            && !pairs.iter().any(|(name, _)| *name == hidden)
        {
            pairs.push((hidden, value));
        }
    }
    let names: Vec<&str> = pairs.iter().map(|(name, _)| *name).collect();
    let mut sql = Sql::new(&format!(
        "INSERT INTO {} ({}) VALUES (",
        R::SOURCE.0,
        names.join(", ")
    ));
    sql.list(pairs.into_iter().map(|(_, value)| value));
    sql.push(") RETURNING ").push(&columns::<R>(""));
    let row = written(tx, sql).await?;
    let kept = load::<R>(&row, fields)?;
    let change = Change {
        action: Action::Created,
        before: None,
        after: &kept,
    };
    follow::<R>(tx, context, fields, &[change]).await?;
    R::made(tx, context, &kept.record).await?;
    Ok(kept.record)
}

/// Changes a record, or replaces it.
pub(in super::super) async fn update<R: Resource>(
    tx: &Tx,
    context: &Context,
    id: i64,
    (mut given, chosen): (R::Record, Chosen),
    (find, if_match): (&pb::Find, Option<&str>),
) -> Result<R::Record> {
    let fields = fields::<R>(tx, context).await?;
    let filter = find.filter.as_ref();
    let old = one::<R>(tx, context, id, filter, (&fields, true)).await?;
    matches(&old.record, if_match)?;
    if let Chosen::Everything = chosen {
        refuse_alien(&given)?;
    }
    let named = |name: &str| match &chosen {
        Chosen::Members(names) => names.iter().any(|own| own == name),
        Chosen::Everything => true,
    };
    if let Chosen::Members(names) = &chosen {
        let joined = names
            .iter()
            .find(|name| *name != CUSTOM && R::Record::column(name).is_none());
        joined.map_or(Ok(()), |name| Err(read_only(name)))?;
    }
    for column in R::columns() {
        let said = match &chosen {
            Chosen::Members(_) => named(column.name),
            Chosen::Everything => given.has(column.name),
        };
        if said {
            writable(context, column, &given, &old.record)?;
        }
    }
    let mut new = old.record.clone();
    new.adopt(&given, &|column| {
        column.access == Access::Caller && named(column.name)
    });
    R::prepare(tx, context, &mut new, Some(&old.record)).await?;
    let given = given.custom().and_then(Option::take);
    let custom = match (&chosen, named(CUSTOM)) {
        (Chosen::Everything, _) => fields.merged(None, given.as_deref().unwrap_or("{}"))?,
        (Chosen::Members(_), true) => {
            fields.merged(old.custom.as_deref(), given.as_deref().unwrap_or("{}"))?
        }
        (Chosen::Members(_), false) => old.custom.clone(),
    };
    let (before, after) = (old.record.values()?, new.values()?);
    reference::check::<R::Record>(tx, context, &after, Some(&before)).await?;
    let changed = R::columns().iter().zip(before.iter().zip(after));
    let mut pairs: Vec<(&str, Value)> = changed
        .filter(|(_, (before, after))| *before != after)
        .map(|(column, (_, after))| (column.name, after))
        .collect();
    if custom != old.custom {
        pairs.push(("custom", custom.into()));
    }
    let mut record = old.record.clone();
    if !pairs.is_empty() {
        pairs.extend(R::beside(&new));
        let kept = set::<R>(tx, context, &fields, id, pairs).await?;
        let change = Change {
            action: Action::Updated,
            before: Some(&old),
            after: &kept,
        };
        follow::<R>(tx, context, &fields, &[change]).await?;
        record = kept.record;
    }
    finish::<R>(tx, context, std::slice::from_mut(&mut record), find).await?;
    Ok(record)
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
    let gone = vec![("deleted_at", context.now.into())];
    let kept = set::<R>(tx, context, &fields, id, gone).await?;
    let change = Change {
        action: Action::Removed,
        before: Some(&old),
        after: &kept,
    };
    follow::<R>(tx, context, &fields, &[change]).await?;
    R::removed(tx, context, &old.record).await?;
    let mut record = kept.record;
    finish::<R>(tx, context, std::slice::from_mut(&mut record), find).await?;
    Ok(record)
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
        let back = vec![("deleted_at", None::<i64>.into())];
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
    load::<R>(&written(tx, sql).await?, fields)
}

async fn written(tx: &Tx, sql: Sql) -> Result<QueryResult> {
    use sea_orm::ConnectionTrait as _;
    let backend = tx.get_database_backend();
    let statement = sea_orm::Statement::from_sql_and_values(backend, &sql.text, sql.values);
    match tx.query_one_raw(statement).await {
        Ok(row) => row.ok_or_else(|| Error::internal("a row that was written is not there")),
        Err(error) if is_duplicate(&error) => {
            Err(Error::exists("There is such a record already").caused_by(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// Refuses what a caller may not write. What says what is there already is no change.
fn writable<R: Record>(context: &Context, column: &Column, given: &R, old: &R) -> Result<()> {
    let name = column.name;
    if matches!(column.access, Access::Caller | Access::Stamp) || !given.has(name) {
        return Ok(());
    }
    let mut probe = old.clone();
    probe.adopt(given, &|column| column.name == name);
    let new = old.id() == 0;
    if name == "organization_id" {
        return match given.number(name) == Some(context.organization.0) {
            true => Ok(()),
            false => Err(Error::forbidden("This organization is not the caller's")),
        };
    }
    if probe == *old || column.access == Access::Create && new {
        return Ok(());
    }
    Err(read_only(name))
}

fn refuse_alien<R: Record>(given: &R) -> Result<()> {
    given.alien().map_or(Ok(()), |name| Err(read_only(name)))
}

fn read_only(name: &str) -> Error {
    Error::invalid_field(name, format!("{name} cannot be set"))
}

/// What the server writes into a column of a new row.
fn of_server(name: &str, context: &Context) -> Option<Value> {
    match name {
        "organization_id" => Some(context.organization.into()),
        "created_at" | "updated_at" => Some(context.now.into()),
        "created_by_user_id" => Some(context.user.into()),
        "deleted_at" => Some(None::<i64>.into()),
        _ => None,
    }
}
