//! Pages of records. The page and the total come from one statement, so that they agree;
//! the total of a list without conditions is kept, any other one is counted.

use futures_util::future::BoxFuture;
use prost::Message as _;
use sea_orm::ConnectionTrait;

use super::super::column::Record as _;
use super::super::custom::Fields;
use super::super::query::compile::Compiler;
use super::super::query::sql::Sql;
use super::super::resource::{Context, Resource};
use super::row::{columns, fields, finish, load, missing};
use super::search::search;
use crate::api::apex::crm::v1 as pb;
use crate::db::Read;
use crate::db::sql::{column, row};
use crate::error::{Error, Result};

/// How many a statement found that keeps what it finds.
const HITS: &str = "(SELECT COUNT(*) FROM hit)";

/// Records of a page unless the caller says otherwise, and the most there are.
const PAGE: i64 = 10;
const MOST: i64 = 50;

/// A page of a list.
#[derive(Debug)]
pub(in super::super) struct Page<R> {
    /// How many there are in all.
    pub(in super::super) total: i64,
    /// How many a page holds.
    pub(in super::super) limit: i64,
    /// How many were passed over.
    pub(in super::super) skip: i64,
    /// The records.
    pub(in super::super) data: Vec<R>,
}

/// Reads a page.
pub(in super::super) async fn find<R: Resource>(
    read: &Read,
    context: &Context,
    find: &pb::Find,
) -> Result<Page<R::Record>> {
    let limit = find
        .limit
        .filter(|limit| *limit >= 0)
        .unwrap_or(PAGE)
        .min(MOST);
    let skip = find.skip.filter(|skip| *skip >= 0).unwrap_or(0);
    let meant = R::meant(read, context, find).await?;
    let find = meant.as_ref().unwrap_or(find);
    let names = names::<R>(read, find);
    let mut fields = match names {
        Some(_) => Fields::default(),
        None => fields::<R>(read, context).await?,
    };
    let mut compiler = Compiler::of::<R>(read, &fields);
    let mut sql = conditions::<R>(&mut compiler, context, find)?;
    let filter = std::mem::take(&mut sql.text);
    let total = total::<R>(&compiler, &mut sql, &filter, find);
    if limit == 0 {
        let total = count(read, sql, &total).await?;
        return Ok(Page {
            total,
            limit,
            skip,
            data: Vec::new(),
        });
    }
    let counted = sql.clone();
    let once = find.search_term.is_some() && find.after.is_none();
    let mut shown = columns::<R>("t.") + ", ";
    shown += if once { HITS } else { &total };
    if let Some(names) = &names {
        shown = [&shown, ", ", names].concat();
    }
    let source = R::SOURCE.0;
    let order = compiler.order(&find.sort, &mut sql)?;
    let joins = std::mem::take(&mut sql.text);
    if once {
        // What is searched is looked through once: what is found is kept, then counted
        // and put in order.
        let (named, by_name) = (order.named(), order.by_name());
        sql.push(&format!(
            "WITH hit AS MATERIALIZED (SELECT t.id, {named} FROM {source} t{joins} WHERE {filter}), \
             page AS (SELECT * FROM hit ORDER BY {by_name} LIMIT ",
        ));
        sql.bind(limit).push(" OFFSET ").bind(skip);
        sql.push(&format!(
            ") SELECT {shown} FROM page JOIN {source} t ON t.id = page.id ORDER BY {by_name}"
        ));
    } else {
        sql.push(&format!(
            "SELECT {shown} FROM {source} t{joins} WHERE {filter}"
        ));
        if let Some(after) = find.after {
            seek::<R>(read, context, (find, after), &mut sql).await?;
        }
        sql.push(&format!(" ORDER BY {} LIMIT ", order.own()))
            .bind(limit);
        sql.push(" OFFSET ").bind(skip);
    }
    let found = crate::db::sql::rows(read, &sql.text, sql.values).await?;
    let at = R::columns().len() + usize::from(R::ENTITY.is_some());
    let total = match found.first() {
        Some(row) => row.try_get_by_index(at)?,
        None => count(read, counted, &total).await?,
    };
    if let (Some(_), Some(row)) = (&names, found.first()) {
        fields = Fields::told(column(row, at + 1)?)?;
    }
    let records = found.iter().map(|row| Ok(load::<R>(row, &fields)?.record));
    let mut data: Vec<R::Record> = records.collect::<Result<_>>()?;
    finish::<R>(read, context, &mut data, find).await?;
    Ok(Page {
        total,
        limit,
        skip,
        data,
    })
}

/// How the custom fields are told by the statement that reads a page, if it asks for
/// none: a trip less.
fn names<R: Resource>(read: &Read, find: &pb::Find) -> Option<String> {
    let is_own = |sort: &pb::Sort| R::Record::column(&sort.field).is_some();
    let plain = find.filter.is_none() && find.sort.iter().all(is_own);
    let entity = R::ENTITY.filter(|_| plain)?;
    Some(Fields::names_of(read.get_database_backend(), entity))
}

/// Reads records of a resource in the order of their ids, behind one of them: each with
/// its id, as its message is encoded.
pub(in super::super) type Walk = for<'r> fn(
    &'r Read,
    &'r Context,
    &'r pb::Find,
    i64,
) -> BoxFuture<'r, Result<Vec<(i64, Vec<u8>)>>>;

/// Reads the next records behind one.
pub(in super::super) async fn walk<R: Resource>(
    read: &Read,
    context: &Context,
    find: &pb::Find,
    (after, most): (i64, i64),
) -> Result<Vec<(i64, Vec<u8>)>> {
    let fields = fields::<R>(read, context).await?;
    let meant = R::meant(read, context, find).await?;
    let find = meant.as_ref().unwrap_or(find);
    let mut compiler = Compiler::of::<R>(read, &fields);
    let mut sql = conditions::<R>(&mut compiler, context, find)?;
    let filter = std::mem::take(&mut sql.text);
    sql.push(&format!(
        "SELECT {} FROM {} t WHERE {filter} AND t.id > ",
        columns::<R>("t."),
        R::SOURCE.0
    ));
    sql.bind(after).push(" ORDER BY t.id LIMIT ").bind(most);
    let found = crate::db::sql::rows(read, &sql.text, sql.values).await?;
    let records = found.iter().map(|row| Ok(load::<R>(row, &fields)?.record));
    let mut records: Vec<R::Record> = records.collect::<Result<_>>()?;
    // Not all show them.
    let ids: Vec<i64> = records.iter().map(R::Record::id).collect();
    finish::<R>(read, context, &mut records, find).await?;
    let encoded = records.iter().map(R::Record::encode_to_vec);
    Ok(ids.into_iter().zip(encoded).collect())
}

/// The numbers of the records a question finds, in their order, so many at the most.
pub(in super::super) async fn ids<R: Resource>(
    connection: &impl ConnectionTrait,
    context: &Context,
    find: &pb::Find,
    most: usize,
) -> Result<Vec<i64>> {
    let fields = fields::<R>(connection, context).await?;
    let mut compiler = Compiler::of::<R>(connection, &fields);
    let mut sql = conditions::<R>(&mut compiler, context, find)?;
    let text = format!("SELECT t.id FROM {} t WHERE {}", R::SOURCE.0, sql.text);
    sql.text = text;
    sql.push(" ORDER BY t.id LIMIT ").bind(most as i64);
    let found = crate::db::sql::rows(connection, &sql.text, sql.values).await?;
    let id = |row: &sea_orm::QueryResult| Ok(row.try_get_by_index(0)?);
    found.iter().map(id).collect()
}

/// What records of a page have in common.
fn conditions<R: Resource>(
    compiler: &mut Compiler<'_>,
    context: &Context,
    find: &pb::Find,
) -> Result<Sql> {
    let mut sql = Sql::new("t.organization_id = ");
    sql.bind(context.organization)
        .push(" AND t.deleted_at IS NULL");
    if let Some(filter) = &find.filter {
        sql.push(" AND ");
        compiler.filter(filter, 0, &mut sql)?;
    }
    if let Some(term) = find.search_term.as_deref() {
        search::<R>(term, context, compiler.postgres, &mut sql)?;
    }
    if let Some(tag) = find.tag {
        if !R::TAKES.tags {
            return Err(Error::invalid("These records have no tags"));
        }
        context.may_view("contact-tags")?;
        sql.push(" AND ")
            .push(R::PERSON)
            .push(" IN (SELECT contact_id FROM crm_contact_tag WHERE organization_id = ")
            .bind(context.organization)
            .push(
                " AND deleted_at IS NULL AND tag_id IN \
                 (SELECT g.id FROM crm_tag g WHERE g.deleted_at IS NULL AND g.id = ",
            )
            .bind(tag)
            .push("))");
    }
    R::narrow(context, find, &mut sql, compiler.postgres)?;
    Ok(sql)
}

/// The expression of the total.
fn total<R: Resource>(
    compiler: &Compiler<'_>,
    sql: &mut Sql,
    filter: &str,
    find: &pb::Find,
) -> String {
    let plain = find.search_term.is_none()
        && find.tag.is_none()
        && find.message_search_term.is_none()
        && find.waiting_response_only.is_none();
    let counted = find.filter.as_ref().and_then(|own| compiler.count(own));
    match (plain && R::is_counted(), &find.filter, counted) {
        (true, Some(_), Some(counted)) => counted,
        (true, None, _) => {
            // The organization is the first value there is.
            sql.bind(R::NAME);
            let name = std::mem::take(&mut sql.text);
            format!(
                "(SELECT CAST(COALESCE(SUM(living), 0) AS BIGINT) FROM crm_count \
                 WHERE organization_id = $1 AND resource = {name})"
            )
        }
        (false, ..) | (true, Some(_), None) => {
            format!("(SELECT COUNT(*) FROM {} t WHERE {filter})", R::SOURCE.0)
        }
    }
}

async fn count(read: &Read, mut sql: Sql, total: &str) -> Result<i64> {
    sql.push("SELECT ").push(total).push(" AS total");
    let found = row(read, &sql.text, sql.values).await?;
    let found = found.ok_or_else(|| Error::internal("a count has no row"))?;
    Ok(found.try_get("", "total")?)
}

/// Goes on after a record, in an order whose keys all records have.
async fn seek<R: Resource>(
    read: &Read,
    context: &Context,
    (find, after): (&pb::Find, i64),
    sql: &mut Sql,
) -> Result<()> {
    let (key, descending) = match find.sort.as_slice() {
        [] => ("id", false),
        [one] => (one.field.as_str(), one.descending),
        _ => ("", false),
    };
    let keys = match key {
        "id" => "t.id",
        "created_at" => "t.created_at, t.id",
        "updated_at" => "t.updated_at, t.id",
        _ => {
            let words = "$after goes with an order by id, created_at or updated_at";
            return Err(Error::invalid_field("$after", words));
        }
    };
    let known = format!(
        "SELECT 1 AS one FROM {} t WHERE t.organization_id = $1 AND t.id = $2",
        R::SOURCE.0
    );
    let known = row(read, &known, [context.organization.into(), after.into()]).await?;
    if known.is_none() {
        return Err(missing(after));
    }
    let sign = if descending { "<" } else { ">" };
    let source = R::SOURCE.0;
    sql.push(&format!(
        " AND ({keys}) {sign} (SELECT {} FROM {source} o WHERE o.organization_id = $1 AND o.id = ",
        keys.replace("t.", "o.")
    ))
    .bind(after)
    .push(")");
    Ok(())
}
