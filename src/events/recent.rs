//! Reads events back, those that happened last first, page by page. A page looks at
//! a bounded number of events in the order of the index of times, whatever it is
//! asked for: what is rare is found in several pages, and none of them is slow.

use sea_orm::{ConnectionTrait, Value};

use super::export::{self, Stored};
use crate::auth::ProjectId;
use crate::db::sql::{row, rows};
use crate::error::Result;

/// Events a page looks at.
const LOOK: i64 = 20_000;

/// Which events of a project.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    /// Only those of this name.
    pub name: Option<String>,
    /// Only those of this visitor.
    pub visitor: Option<String>,
    /// Only those at or after this time.
    pub from: Option<i64>,
    /// Only those before this time.
    pub to: Option<i64>,
    /// Only those before this event.
    pub before: Option<Mark>,
    /// Most of them.
    pub limit: i64,
}

/// An event as the end of a page: when it happened, and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// When it happened.
    pub time: i64,
    /// Its id, without the prefix `evt_`.
    pub id: String,
}

/// A time, and a position among the events of that time.
type Place = (i64, i64);

/// Reads a page, and where the next one begins. `None` if the mark is of no event.
pub(super) async fn page(
    read: &impl ConnectionTrait,
    project: ProjectId,
    asked: &Recent,
) -> Result<Option<(Vec<Stored>, Option<Mark>)>> {
    let mut start = (asked.to.unwrap_or(i64::MAX), 0);
    if let Some(mark) = &asked.before {
        let Some(seq) = position_of(read, project, mark).await? else {
            return Ok(None);
        };
        start = start.min((mark.time, seq));
    }
    let visitor = match &asked.visitor {
        None => None,
        Some(id) => match ordinal_of(read, project, id).await? {
            Some(ordinal) => Some(ordinal),
            None => return Ok(Some((Vec::new(), None))),
        },
    };
    let from = (asked.from.unwrap_or(i64::MIN), i64::MIN);
    let end = last_looked_at(read, project, start, from).await?;
    let mut values: Vec<Value> = vec![
        project.into(),
        start.0.into(),
        start.1.into(),
        end.unwrap_or(from).0.into(),
        end.unwrap_or(from).1.into(),
    ];
    let mut conditions = String::new();
    if let Some(name) = &asked.name {
        values.push(name.as_str().into());
        conditions.push_str(&format!(" AND name = ${}", values.len()));
    }
    if let Some(ordinal) = visitor {
        values.push(ordinal.into());
        conditions.push_str(&format!(" AND visitor = ${}", values.len()));
    }
    values.push(asked.limit.into());
    // The bounds on time alone let both databases seek in the index.
    let sql = format!(
        "SELECT {} FROM event WHERE project = $1 AND time <= $2 AND time >= $4 \
         AND (time < $2 OR seq < $3) AND (time > $4 OR seq >= $5){conditions} \
         ORDER BY time DESC, seq DESC LIMIT ${}",
        export::COLUMNS,
        values.len(),
    );
    let found = rows(read, &sql, values).await?;
    let found: Result<Vec<Stored>> = found
        .iter()
        .map(|row| export::stored(project, row))
        .collect();
    let found = found?;
    let is_full = found.len() as i64 == asked.limit;
    let next = match found.last().filter(|_| is_full) {
        Some(last) => Some(Mark {
            time: last.event.time,
            id: last.id.clone(),
        }),
        None => match end {
            Some(place) => mark_of(read, place).await?,
            None => None,
        },
    };
    Ok(Some((found, next)))
}

/// The last event a page looks at, if there are more beyond it.
async fn last_looked_at(
    read: &impl ConnectionTrait,
    project: ProjectId,
    start: Place,
    from: Place,
) -> Result<Option<Place>> {
    let sql = "SELECT time, seq FROM event WHERE project = $1 AND time <= $2 AND time >= $4 \
               AND (time < $2 OR seq < $3) ORDER BY time DESC, seq DESC LIMIT 1 OFFSET $5";
    let values: [Value; 5] = [
        project.into(),
        start.0.into(),
        start.1.into(),
        from.0.into(),
        (LOOK - 1).into(),
    ];
    match row(read, sql, values).await? {
        Some(row) => Ok(Some((row.try_get("", "time")?, row.try_get("", "seq")?))),
        None => Ok(None),
    }
}

async fn mark_of(read: &impl ConnectionTrait, (time, seq): Place) -> Result<Option<Mark>> {
    let sql = "SELECT event.id AS own_id, client_id FROM event WHERE seq = $1";
    let Some(row) = row(read, sql, [seq.into()]).await? else {
        return Ok(None);
    };
    let id = export::id(&row)?;
    Ok(Some(Mark { time, id }))
}

async fn position_of(
    read: &impl ConnectionTrait,
    project: ProjectId,
    mark: &Mark,
) -> Result<Option<i64>> {
    let own = uuid::Uuid::parse_str(&mark.id).ok();
    let sql = "SELECT seq FROM event WHERE project = $1 AND time = $2 \
               AND (client_id = $3 OR (client_id IS NULL AND id = $4)) LIMIT 1";
    let values: [Value; 4] = [
        project.into(),
        mark.time.into(),
        mark.id.as_str().into(),
        own.map(|id| id.as_bytes().to_vec()).into(),
    ];
    match row(read, sql, values).await? {
        Some(row) => Ok(Some(row.try_get("", "seq")?)),
        None => Ok(None),
    }
}

async fn ordinal_of(
    read: &impl ConnectionTrait,
    project: ProjectId,
    id: &str,
) -> Result<Option<i64>> {
    let sql = "SELECT ordinal FROM event_visitor WHERE project = $1 AND id = $2";
    match row(read, sql, [project.into(), id.into()]).await? {
        Some(row) => Ok(Some(row.try_get("", "ordinal")?)),
        None => Ok(None),
    }
}
