//! A record that is made by one statement: its row, its count, and its line in the log of
//! changes. On PostgreSQL that is a transaction of its own, and one trip in place of four.

use sea_orm::{DbBackend, Statement};

use super::super::column::{Kind, Record};
use super::super::custom::Fields;
use super::super::query::sql::Sql;
use super::super::resource::{Context, Resource};
use super::change::{self, LISTENING, LOG, TURN};
use super::count;
use super::effect::Action;
use super::insert::pairs;
use super::plan::New;
use super::row::{Kept, columns, load, show_custom};
use super::write::failed;
use crate::db::Tx;
use crate::error::Result;

/// How the log begins with a record that has no number yet, and what follows the number.
const NUMBER: (&str, &str) = (r#"{"id":{"before":null,"after":"#, "}");

/// Makes a record, if one statement can do all that comes with it; answers nothing, and
/// has done nothing, if it cannot.
pub(super) async fn insert<R: Resource>(
    tx: &Tx,
    context: &Context,
    new: &New<R::Record>,
) -> Result<Option<Kept<R::Record>>> {
    let plain = R::columns().iter().all(|column| is_plain(column.kind));
    if !R::ALONE || !plain || new.custom.is_some() || !tx.is_new().await {
        return Ok(None);
    }
    let logged = change::made(&change::shown(&unnumbered::<R>(context, new)?)?)?;
    let (before, after) = NUMBER;
    let rest = logged.strip_prefix(before);
    let Some(rest) = rest.and_then(|rest| rest.strip_prefix(&format!("0{after}"))) else {
        return Ok(None);
    };
    let sql = statement::<R>(context, new, rest);
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, &sql.text, sql.values);
    let made = tx.alone(statement).await.map_err(failed)?;
    // Without a row there is somebody to be told.
    let row = made.and_then(|mut rows| rows.pop());
    row.map(|row| load::<R>(&row, &Fields::default()))
        .transpose()
}

/// Whether such values are kept as they are given, so that the log can be written before
/// the row is read.
fn is_plain(kind: Kind) -> bool {
    match kind {
        Kind::Integer
        | Kind::Reference(_)
        | Kind::Text
        | Kind::Email
        | Kind::Word(_)
        | Kind::Time
        | Kind::Date
        | Kind::Clock
        | Kind::Flag => true,
        Kind::Money | Kind::Decimal | Kind::Alien | Kind::Opaque => false,
    }
}

/// The record as it will be, but for its number.
fn unnumbered<R: Resource>(context: &Context, new: &New<R::Record>) -> Result<R::Record> {
    let mut record = new.record.clone();
    record.set_number("organization_id", context.organization.0);
    for stamp in ["created_at", "updated_at"] {
        record.set_number(stamp, context.now);
    }
    if let Some(user) = context.user {
        record.set_number("created_by_user_id", user);
    }
    show_custom(&mut record, None, &Fields::default())?;
    Ok(record)
}

/// Makes it unless a webhook listens: what that is told is written beside it.
fn statement<R: Resource>(context: &Context, new: &New<R::Record>, logged: &str) -> Sql {
    let (names, values): (Vec<&str>, Vec<_>) = pairs::<R>(context, new).into_iter().unzip();
    let mut sql = Sql::of(DbBackend::Postgres);
    sql.push(&format!(
        "WITH made AS (INSERT INTO {} ({}) SELECT ",
        R::SOURCE.0,
        names.join(", ")
    ));
    sql.list(values).push(" WHERE NOT EXISTS (").push(LISTENING);
    sql.bind(context.organization).push(") RETURNING ");
    sql.push(&columns::<R>("")).push("), counted AS (");
    count::made::<R>(&mut sql, context);
    sql.push("), noted AS (").push(LOG).push("SELECT ");
    sql.list([context.organization.into(), R::NAME.into()]);
    let (before, after) = NUMBER;
    sql.push(", id, ").bind(Action::Created.word());
    sql.push(&format!(", '{before}' || id || '{after}' || "))
        .bind(logged.to_owned());
    sql.push(", ").list([
        context.user.into(),
        context.key.as_deref().into(),
        context.request.as_deref().into(),
        context.now.into(),
    ]);
    sql.push(", ")
        .push(TURN)
        .push(" FROM made) SELECT * FROM made");
    sql
}
