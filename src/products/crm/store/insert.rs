//! New rows, many in a statement.

use sea_orm::{ConnectionTrait as _, Value};

use super::super::column::Record;
use super::super::custom::Fields;
use super::super::query::sql::Sql;
use super::super::resource::{Context, Resource};
use super::effect::{Action, Change, follow};
use super::plan::New;
use super::row::{Kept, columns, load};
use super::write::written;
use super::{alone, key};
use crate::db::Tx;
use crate::db::sql::{ladder, tuples};
use crate::error::{Error, Result};

/// Which some records do not show.
const HIDDEN: [&str; 3] = ["created_by_user_id", "updated_at", "deleted_at"];

/// Writes records that were checked, and does what they bring with them.
pub(super) async fn insert<R: Resource>(
    tx: &Tx,
    context: &Context,
    fields: &Fields,
    new: &[New<R::Record>],
) -> Result<Vec<Kept<R::Record>>> {
    if let [new] = new
        && let Some(kept) = alone::insert::<R>(tx, context, new).await?
    {
        R::made(tx, context, &kept.record).await?;
        return Ok(vec![kept]);
    }
    let mut made = Vec::with_capacity(new.len());
    for rows in ladder(new) {
        made.extend(statement::<R>(tx, context, fields, rows).await?);
    }
    let came = |kept| Change {
        action: Action::Created,
        before: None,
        after: kept,
    };
    let came: Vec<Change<'_, R::Record>> = made.iter().map(came).collect();
    follow::<R>(tx, context, fields, &came).await?;
    for kept in &made {
        R::made(tx, context, &kept.record).await?;
    }
    Ok(made)
}

async fn statement<R: Resource>(
    tx: &Tx,
    context: &Context,
    fields: &Fields,
    new: &[New<R::Record>],
) -> Result<Vec<Kept<R::Record>>> {
    let rows: Vec<_> = new.iter().map(|new| pairs::<R>(context, new)).collect();
    // What no row has needs no column. A row alone has them all: its statement is kept.
    let first: &[(&str, Value)] = rows.first().map_or(&[], Vec::as_slice);
    let given = |at: usize| new.len() == 1 || rows.iter().any(|row| !is_null(&row[at].1));
    let needed: Vec<bool> = (0..first.len()).map(given).collect();
    let names = first.iter().zip(&needed).filter(|(_, needed)| **needed);
    let names: Vec<&str> = names.map(|((name, _), _)| *name).collect();
    let mut sql = Sql::default();
    for row in rows {
        let kept = row.into_iter().zip(&needed).filter(|(_, needed)| **needed);
        sql.values.extend(kept.map(|((_, value), _)| value));
    }
    sql.push(&format!(
        "INSERT INTO {} ({}) VALUES {} RETURNING {}",
        R::SOURCE.0,
        names.join(", "),
        tuples(tx.get_database_backend(), names.len(), new.len()),
        columns::<R>("")
    ));
    let rows = written(tx, sql).await?;
    let loaded = rows.iter().map(|row| load::<R>(row, fields));
    let mut made: Vec<Kept<R::Record>> = loaded.collect::<Result<_>>()?;
    if made.len() != new.len() {
        return Err(Error::internal("a row that was written is not there"));
    }
    // Numbers are given in the order of the rows; answers need not come in it.
    made.sort_by_key(|kept| kept.record.id());
    Ok(made)
}

fn is_null(value: &Value) -> bool {
    *value == value.as_null()
}

/// The columns of a new row.
pub(super) fn pairs<R: Resource>(
    context: &Context,
    new: &New<R::Record>,
) -> Vec<(&'static str, Value)> {
    let columns = R::columns().iter().zip(&new.values);
    let mut pairs: Vec<(&str, Value)> = columns
        .filter(|(column, _)| column.name != "id")
        .map(|(column, value)| {
            let own = of_server(column.name, context);
            (column.name, own.unwrap_or_else(|| value.clone()))
        })
        .collect();
    pairs.extend(R::beside(&new.record));
    pairs.extend(key::beside::<R>(&new.record));
    pairs.extend(R::ENTITY.map(|_| ("custom", new.custom.clone().into())));
    for hidden in HIDDEN {
        if let Some(value) = of_server(hidden, context)
            && !pairs.iter().any(|(name, _)| *name == hidden)
        {
            pairs.push((hidden, value));
        }
    }
    pairs
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
