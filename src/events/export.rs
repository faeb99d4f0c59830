//! Reads events back, in the order they were received.

use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::model::{Money, NewEvent, Page, Visitor};
use super::sql::rows;
use crate::auth::ProjectId;
use crate::db::Db;
use crate::error::Result;

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

/// Reads up to `limit` events after a position, within a range of time.
pub(super) async fn page(
    db: &Db,
    project: ProjectId,
    (from, to): (Option<i64>, Option<i64>),
    after: i64,
    limit: i64,
) -> Result<Vec<Stored>> {
    let read = db.read(None).await?;
    let sql = "SELECT event.seq, time, received, name, audience, event.id AS own_id, client_id, \
               origin, path, referrer, utm_source, utm_medium, utm_campaign, currency, amount, \
               units, product, properties, event_visitor.id AS visitor_id \
               FROM event JOIN event_visitor ON event_visitor.project = event.project \
               AND event_visitor.ordinal = event.visitor \
               WHERE event.project = $1 AND event.seq > $2 AND time >= $3 AND time < $4 \
               ORDER BY event.seq LIMIT $5";
    let values: [Value; 5] = [
        project.into(),
        after.into(),
        from.unwrap_or(i64::MIN).into(),
        to.unwrap_or(i64::MAX).into(),
        limit.into(),
    ];
    let found = rows(&read, sql, values).await?;
    found.iter().map(|row| stored(project, row)).collect()
}

fn stored(project: ProjectId, row: &QueryResult) -> Result<Stored> {
    let own: Option<Vec<u8>> = row.try_get("", "own_id")?;
    let client_id: Option<String> = row.try_get("", "client_id")?;
    let own = own
        .and_then(|bytes| Uuid::from_slice(&bytes).ok())
        .map(|id| id.to_string());
    let currency: Option<String> = row.try_get("", "currency")?;
    let money = match currency {
        Some(currency) => Some(Money {
            currency,
            amount: row.try_get("", "amount")?,
            units: row.try_get("", "units")?,
        }),
        None => None,
    };
    Ok(Stored {
        seq: row.try_get("", "seq")?,
        id: client_id.clone().or(own).unwrap_or_default(),
        received: row.try_get("", "received")?,
        event: NewEvent {
            project,
            time: row.try_get("", "time")?,
            name: row.try_get("", "name")?,
            visitor: Visitor::Known(row.try_get("", "visitor_id")?),
            client_id,
            audience: row.try_get("", "audience")?,
            page: Page {
                origin: row.try_get("", "origin")?,
                path: row.try_get("", "path")?,
                referrer: row.try_get("", "referrer")?,
                utm_source: row.try_get("", "utm_source")?,
                utm_medium: row.try_get("", "utm_medium")?,
                utm_campaign: row.try_get("", "utm_campaign")?,
            },
            money,
            product: row.try_get("", "product")?,
            properties: row.try_get("", "properties")?,
        },
    })
}
