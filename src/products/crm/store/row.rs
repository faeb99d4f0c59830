//! One record: reading it, finishing what was read, and the tag of its state.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};
use xxhash_rust::xxh3::xxh3_64;

use super::super::column::Record;
use super::super::custom::Fields;
use super::super::query::compile::Compiler;
use super::super::query::sql::Sql;
use super::super::resource::{Context, Resource, Wanted};
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::db::sql::{column, row, rows};
use crate::error::{Error, Result};

/// A record as its row has it.
#[derive(Debug, Clone)]
pub(in super::super) struct Kept<R> {
    /// Its columns, and its custom fields by name.
    pub(in super::super) record: R,
    /// Its custom fields by number, as they are kept.
    pub(in super::super) custom: Option<String>,
}

/// What is read of a row.
pub(super) fn columns<R: Resource>(prefix: &str) -> String {
    let own = R::columns().iter().map(|column| column.name);
    let all = own.chain(R::ENTITY.map(|_| "custom"));
    let named: Vec<String> = all.map(|name| format!("{prefix}{name}")).collect();
    named.join(", ")
}

/// The custom fields of a resource.
pub(in super::super) async fn fields<R: Resource>(
    connection: &impl ConnectionTrait,
    context: &Context,
) -> Result<Fields> {
    match R::ENTITY {
        Some(entity) => Fields::read(connection, context.organization, entity).await,
        None => Ok(Fields::default()),
    }
}

/// The custom fields kept in a row.
pub(super) fn custom_of<R: Resource>(row: &QueryResult) -> Result<Option<String>> {
    match R::ENTITY {
        Some(_) => column(row, R::columns().len()),
        None => Ok(None),
    }
}

/// Shows the custom fields of a record by their names.
pub(super) fn show_custom<R: Record>(
    record: &mut R,
    kept: Option<&str>,
    fields: &Fields,
) -> Result<()> {
    if let Some(custom) = record.custom() {
        *custom = Some(match kept {
            Some(kept) => fields.shown(kept)?,
            None => "{}".to_owned(),
        });
    }
    Ok(())
}

/// Reads a row.
pub(super) fn load<R: Resource>(row: &QueryResult, fields: &Fields) -> Result<Kept<R::Record>> {
    let mut record = R::Record::load(row)?;
    let custom = custom_of::<R>(row)?;
    show_custom(&mut record, custom.as_deref(), fields)?;
    Ok(Kept { record, custom })
}

/// How a statement begins that reads living records.
pub(super) fn living<R: Resource>(context: &Context) -> Sql {
    let mut sql = Sql::new(&format!(
        "SELECT {} FROM {} t WHERE t.deleted_at IS NULL AND t.organization_id = ",
        columns::<R>("t."),
        R::SOURCE.0
    ));
    sql.bind(context.organization);
    sql
}

/// Keeps others from writing what a statement reads, until the transaction ends. On
/// SQLite there is one who writes.
pub(super) fn hold(connection: &impl ConnectionTrait, sql: &mut Sql) {
    if connection.get_database_backend() == DbBackend::Postgres {
        sql.push(" FOR UPDATE OF t");
    }
}

/// Reads a living record that conditions hold of. `lock` keeps others from writing it
/// until the transaction ends.
pub(super) async fn one<R: Resource>(
    connection: &impl ConnectionTrait,
    context: &Context,
    id: i64,
    filter: Option<&pb::Filter>,
    (fields, lock): (&Fields, bool),
) -> Result<Kept<R::Record>> {
    let mut sql = living::<R>(context);
    sql.push(" AND t.id = ").bind(id);
    if let Some(filter) = filter {
        let mut compiler = Compiler::of::<R>(connection, fields);
        sql.push(" AND ");
        compiler.filter(filter, 0, &mut sql)?;
    }
    if lock {
        hold(connection, &mut sql);
    }
    match row(connection, &sql.text, sql.values).await? {
        Some(row) => load::<R>(&row, fields),
        None => Err(missing(id)),
    }
}

/// Reads a record, be it removed, which is answered too, and keeps others from writing it
/// until the transaction ends.
pub(super) async fn any<R: Resource>(
    tx: &Tx,
    context: &Context,
    id: i64,
    fields: &Fields,
) -> Result<(Kept<R::Record>, bool)> {
    let mut sql = Sql::new(&format!(
        "SELECT {}, t.deleted_at AS removed_at FROM {} t WHERE t.organization_id = ",
        columns::<R>("t."),
        R::SOURCE.0
    ));
    sql.bind(context.organization).push(" AND t.id = ").bind(id);
    hold(tx, &mut sql);
    let found = row(tx, &sql.text, sql.values).await?;
    let found = found.ok_or_else(|| missing(id))?;
    let removed: Option<i64> = found.try_get("", "removed_at")?;
    Ok((load::<R>(&found, fields)?, removed.is_some()))
}

/// Reads the living ones of some records, and keeps others from writing them until the
/// transaction ends.
pub(in super::super) async fn several<R: Resource>(
    tx: &Tx,
    context: &Context,
    fields: &Fields,
    ids: &[i64],
) -> Result<Vec<Kept<R::Record>>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = living::<R>(context);
    sql.push(" AND t.id IN (");
    sql.list(ids.iter().copied().map(Value::from))
        .push(") ORDER BY t.id");
    hold(tx, &mut sql);
    let found = rows(tx, &sql.text, sql.values).await?;
    found.iter().map(|row| load::<R>(row, fields)).collect()
}

/// There is no such record, or it is somebody else's.
pub(in super::super) fn missing(id: impl std::fmt::Display) -> Error {
    Error::not_found(format!("No record found for id '{id}'"))
}

/// A record that is not there is missed by the name the caller has for it, unless that is
/// no name: errors do not repeat any text.
pub(in super::super) fn named(error: Error, name: &str) -> Error {
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    match error.kind() {
        crate::error::Kind::NotFound if is_name => missing(name),
        crate::error::Kind::NotFound => Error::not_found("No record found for this id"),
        _ => error,
    }
}

/// Reads a record as it is shown, whether it lives or not.
pub(in super::super) async fn ever<R: Resource>(
    connection: &impl ConnectionTrait,
    context: &Context,
    id: i64,
) -> Result<R::Record> {
    let fields = fields::<R>(connection, context).await?;
    let sql = format!(
        "SELECT {} FROM {} t WHERE t.organization_id = $1 AND t.id = $2",
        columns::<R>("t."),
        R::SOURCE.0
    );
    let values = [context.organization.into(), id.into()];
    let found = row(connection, &sql, values).await?;
    let mut record = load::<R>(&found.ok_or_else(|| missing(id))?, &fields)?.record;
    let find = pb::Find::default();
    finish::<R>(
        connection,
        context,
        std::slice::from_mut(&mut record),
        &find,
    )
    .await?;
    Ok(record)
}

/// Reads a record with what is joined to it.
pub(in super::super) async fn get<R: Resource>(
    connection: &impl ConnectionTrait,
    context: &Context,
    id: i64,
    find: &pb::Find,
) -> Result<R::Record> {
    let fields = fields::<R>(connection, context).await?;
    let filter = find.filter.as_ref();
    let mut record = one::<R>(connection, context, id, filter, (&fields, false))
        .await?
        .record;
    finish::<R>(connection, context, std::slice::from_mut(&mut record), find).await?;
    Ok(record)
}

/// Joins what is wanted to records, and says which of their members are shown.
pub(super) async fn finish<R: Resource>(
    connection: &impl ConnectionTrait,
    context: &Context,
    records: &mut [R::Record],
    find: &pb::Find,
) -> Result<()> {
    let wanted = Wanted {
        join: find.join.unwrap_or_default(),
        select: select::<R>(&find.select)?,
    };
    R::join(connection, context, records, &wanted).await?;
    for record in records {
        record.shown().clone_from(&wanted.select);
    }
    Ok(())
}

/// The members to show; the id always is.
fn select<R: Resource>(asked: &[String]) -> Result<Vec<String>> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let schema = &crate::api::SCHEMA;
    let message = schema.find(R::Record::MESSAGE);
    let known = message.map(|id| schema.message(id));
    let mut names: Vec<String> = R::SHOWN.iter().map(|name| (*name).to_owned()).collect();
    for name in asked
        .iter()
        .filter(|name| !R::SHOWN.contains(&name.as_str()))
    {
        let field = known.and_then(|row| row.position(name, usize::MAX));
        if field.is_none() {
            let words = format!("{name} is no member to select");
            return Err(Error::invalid_field("$select", words));
        }
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    Ok(names)
}

/// The tag of a record: what its row says, and what is shown of it. A condition on what
/// is changed looks at the first alone.
pub(in super::super) fn etag<R: Record>(record: &R) -> String {
    let shown = xxh3_64(&record.encode_to_vec());
    format!("\"{}-{shown:016x}\"", state(&record.bare()))
}

/// What a row says.
fn state<R: Record>(bare: &R) -> String {
    format!("{:016x}", xxh3_64(&bare.encode_to_vec()))
}

/// Refuses to change a record that is not in the state a caller takes it to be in.
pub(in super::super) fn matches<R: Record>(record: &R, if_match: Option<&str>) -> Result<()> {
    let Some(line) = if_match.filter(|line| line.trim() != "*") else {
        return Ok(());
    };
    let own = state(&record.bare());
    let named = |tag: &str| {
        let tag = tag.trim().trim_start_matches("W/").trim_matches('"');
        tag.split_once('-').is_some_and(|(state, _)| state == own)
    };
    if line.split(',').any(named) {
        return Ok(());
    }
    let error = Error::new(
        crate::error::Kind::Aborted,
        "The record was changed by somebody else",
    );
    Err(error.reason("STALE_RECORD"))
}
