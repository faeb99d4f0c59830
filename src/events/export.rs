//! Reads events back, in the order they happened: the one order that also finds a
//! range of time without reading what is outside of it.

use sea_orm::{ConnectionTrait, QueryResult, Value};
use uuid::Uuid;

use super::model::{Audience, COOKIELESS, Money, NewEvent, Page, Visitor};
use super::position;
use crate::auth::ProjectId;
use crate::db::sql::rows;
use crate::error::Result;

/// What of an event is read.
pub(super) const COLUMNS: &str = "seq, time, received, name, audience, event.id AS own_id, \
    client_id, origin, path, referrer, utm_source, utm_medium, utm_campaign, utm_term, \
    utm_content, click, currency, amount, units, product, properties, person, device, visitor, \
    (SELECT event_visitor.id FROM event_visitor WHERE event_visitor.project = event.project \
    AND event_visitor.ordinal = event.visitor) AS visitor_id";

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its position in the log.
    pub seq: i64,
    /// Its id, without the prefix `evt_`.
    pub id: String,
    /// When it was received.
    pub received: i64,
    /// What was sent.
    pub event: NewEvent,
}

/// How far an export got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// When the last event happened, and its position.
    last: (i64, i64),
    /// The last position there was when the export began.
    until: i64,
}

/// Reads up to `limit` events of a range of time after a place.
pub(super) async fn page(
    read: &impl ConnectionTrait,
    project: ProjectId,
    (from, to): (Option<i64>, Option<i64>),
    after: Option<Place>,
    limit: i64,
) -> Result<(Vec<Stored>, Place)> {
    let mut place = match after {
        Some(place) => place,
        None => Place {
            last: (from.unwrap_or(i64::MIN), -1),
            until: position::appended(read).await?,
        },
    };
    // The bound on time alone lets both databases seek in the index.
    let sql = format!(
        "SELECT {COLUMNS} FROM event \
         WHERE project = $1 AND time >= $2 AND (time > $2 OR seq > $3) \
         AND time < $4 AND seq <= $5 ORDER BY time, seq LIMIT $6"
    );
    let values: [Value; 6] = [
        project.into(),
        place.last.0.into(),
        place.last.1.into(),
        to.unwrap_or(i64::MAX).into(),
        place.until.into(),
        limit.into(),
    ];
    let found = rows(read, &sql, values).await?;
    let found: Result<Vec<_>> = found.iter().map(|row| stored(project, row)).collect();
    let found = found?;
    if let Some(last) = found.last() {
        place.last = (last.event.time, last.seq);
    }
    Ok((found, place))
}

/// Its id: the client's, or else its own.
pub(super) fn id(row: &QueryResult) -> Result<String> {
    if let Some(id) = row.try_get("", "client_id")? {
        return Ok(id);
    }
    let own: Option<Vec<u8>> = row.try_get("", "own_id")?;
    let own = own.and_then(|bytes| Uuid::from_slice(&bytes).ok());
    Ok(own.map(|id| id.to_string()).unwrap_or_default())
}

pub(super) fn stored(project: ProjectId, row: &QueryResult) -> Result<Stored> {
    let client_id: Option<String> = row.try_get("", "client_id")?;
    let visitor: Option<String> = row.try_get("", "visitor_id")?;
    let is_cookieless = row.try_get::<i64>("", "visitor")? >= i64::from(COOKIELESS);
    let visitor = match visitor {
        Some(id) if is_cookieless => Visitor::Cookieless(id),
        Some(id) => Visitor::Known(id),
        None => Visitor::Nobody,
    };
    Ok(Stored {
        seq: row.try_get("", "seq")?,
        id: id(row)?,
        received: row.try_get("", "received")?,
        event: NewEvent {
            project,
            time: row.try_get("", "time")?,
            name: row.try_get("", "name")?,
            visitor,
            client_id,
            audience: Audience::from_number(row.try_get("", "audience")?),
            page: Page::of(row)?,
            money: Money::of(row)?,
            product: row.try_get("", "product")?,
            properties: row.try_get("", "properties")?,
            person: row.try_get("", "person")?,
            device: row.try_get("", "device")?,
            copy_of: None,
        },
    })
}
