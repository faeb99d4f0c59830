//! A record that is made in one trip: its row, its count, and its line in the log of
//! changes. On PostgreSQL that is one statement, and a transaction of its own.

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use super::super::column::{Access, Column, Kind, Record};
use super::super::custom::Fields;
use super::super::query::sql::Sql;
use super::super::resource::{Context, Resource};
use super::change::{self, Entry, LISTENING, LOG, TURN};
use super::count;
use super::effect::Action;
use super::insert::pairs;
use super::plan::New;
use super::row::{Kept, show_custom};
use super::write::{failed, written};
use crate::db::Tx;
use crate::error::{Error, Result};

/// How the log begins with a record that has no number yet, and what follows the number.
const NUMBER: (&str, &str) = (r#"{"id":{"before":null,"after":"#, "}");

/// Makes a record, if all that comes with it can be written at once; answers nothing, and
/// has done nothing, if it cannot.
pub(super) async fn insert<R: Resource>(
    tx: &Tx,
    context: &Context,
    new: &New<R::Record>,
) -> Result<Option<Kept<R::Record>>> {
    let backend = tx.get_database_backend();
    let alone = backend != DbBackend::Postgres || R::ALONE && tx.is_new().await;
    if !alone || new.custom.is_some() || !R::columns().iter().all(is_plain) {
        return Ok(None);
    }
    let mut record = unnumbered::<R>(context, new)?;
    let logged = change::made(&change::shown(&record)?)?;
    let (before, after) = NUMBER;
    let rest = logged.strip_prefix(before);
    let Some(rest) = rest.and_then(|rest| rest.strip_prefix(&format!("0{after}"))) else {
        return Ok(None);
    };
    let (row, told) = match backend {
        DbBackend::Postgres => {
            let sql = statement::<R>(context, new, rest);
            let statement = Statement::from_sql_and_values(backend, &sql.text, sql.values);
            let made = tx.alone(statement).await.map_err(failed)?;
            // Without a row there is somebody to be told.
            match made.and_then(|mut rows| rows.pop()) {
                Some(row) => (row, false),
                None => return Ok(None),
            }
        }
        _ => {
            let row = written(tx, script::<R>(context, new, rest)).await?.pop();
            let row = row.ok_or_else(|| Error::internal("a row that was written is not there"))?;
            if let Some(due) = R::DUE {
                tx.before_commit(due);
            }
            let told = row.try_get("", "told")?;
            (row, told)
        }
    };
    let id = row.try_get("", "id")?;
    record.set_number("id", id);
    if told {
        let entry = Entry {
            id,
            action: Action::Created,
            changes: format!("{before}{id}{after}{rest}"),
        };
        let shown = change::shown(&record)?;
        change::tell::<R>(tx, context, vec![(entry, shown)]).await?;
    }
    let custom = None;
    Ok(Some(Kept { record, custom }))
}

/// Whether values of a column are kept as they are given, so that the record is known but
/// for its number.
fn is_plain(column: &Column) -> bool {
    match column.kind {
        // Given with parts of a microsecond.
        Kind::Time => matches!(column.access, Access::Server | Access::Stamp),
        Kind::Integer
        | Kind::Reference(_)
        | Kind::Text
        | Kind::Email
        | Kind::Word(_)
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
    let mut sql = Sql::of(DbBackend::Postgres);
    sql.push("WITH made AS (");
    row::<R>(&mut sql, context, new, ("SELECT ", " WHERE NOT EXISTS ("));
    sql.push(LISTENING).bind(context.organization);
    sql.push(") RETURNING id), counted AS (");
    count::made::<R>(&mut sql, context);
    sql.push("), noted AS (");
    log::<R>(&mut sql, context, ("id", TURN), logged);
    sql.push(" FROM made) SELECT id FROM made");
    sql
}

/// Makes it on SQLite, and finds whether a webhook is to be told of it, in the same
/// transaction.
fn script<R: Resource>(context: &Context, new: &New<R::Record>, logged: &str) -> Sql {
    let mut sql = Sql::of(DbBackend::Sqlite);
    row::<R>(
        &mut sql,
        context,
        new,
        ("VALUES (", ") RETURNING id, EXISTS ("),
    );
    sql.push(LISTENING).bind(context.organization);
    sql.push(") AS told; ");
    log::<R>(&mut sql, context, ("last_insert_rowid()", "0"), logged);
    sql.push("; ");
    count::add::<R>(&mut sql, DbBackend::Sqlite, context, 1);
    sql
}

/// The row, by its values between two texts.
fn row<R: Resource>(
    sql: &mut Sql,
    context: &Context,
    new: &New<R::Record>,
    (before, after): (&str, &str),
) {
    let (names, values): (Vec<&str>, Vec<_>) = pairs::<R>(context, new).into_iter().unzip();
    let names = names.join(", ");
    sql.push(&format!("INSERT INTO {} ({names}) {before}", R::SOURCE.0));
    sql.list(values).push(after);
}

/// Its line in the log.
fn log<R: Resource>(sql: &mut Sql, context: &Context, (id, turn): (&str, &str), logged: &str) {
    let (before, after) = NUMBER;
    sql.push(LOG).push("SELECT ");
    sql.list([context.organization.into(), R::NAME.into()]);
    sql.push(&format!(", {id}, ")).bind(Action::Created.word());
    sql.push(&format!(", '{before}' || {id} || '{after}' || "))
        .bind(logged.to_owned());
    sql.push(", ").list([
        context.user.into(),
        context.key.as_deref().into(),
        context.request.as_deref().into(),
        context.now.into(),
    ]);
    sql.push(", ").push(turn);
}
