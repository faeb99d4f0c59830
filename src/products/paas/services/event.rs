//! What became of services: every change of a status, with what caused it.

use sea_orm::{ConnectionTrait, Value};

use super::record::{Row, Status, status_of, word};
use crate::api::apex::paas::v1 as pb;
use crate::db::Tx;
use crate::db::sql::{execute, rows};
use crate::error::Result;
use crate::products::timestamp;

/// Events of a service that are kept.
const KEPT: i64 = 1000;

/// A change of a status.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Happened<'a> {
    pub(in super::super) before: Option<Status>,
    pub(in super::super) after: Status,
    pub(in super::super) message: &'a str,
    pub(in super::super) at: i64,
}

/// Writes down what became of a service.
pub(in super::super) async fn put(tx: &Tx, service: &Row, happened: Happened<'_>) -> Result<()> {
    let sql = "INSERT INTO paas_event (organization, service, before, after, message, at) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    let values: [Value; 6] = [
        service.organization.into(),
        service.number.into(),
        happened.before.map(word).into(),
        word(happened.after).into(),
        happened.message.into(),
        happened.at.into(),
    ];
    execute(tx, sql, values).await?;
    let sql = format!(
        "DELETE FROM paas_event WHERE service = $1 AND number <= (SELECT number FROM paas_event \
         WHERE service = $1 ORDER BY number DESC LIMIT 1 OFFSET {KEPT})"
    );
    execute(tx, &sql, [service.number.into()]).await?;
    Ok(())
}

/// Changes the status of a service, and writes down why.
pub(in super::super) async fn change(
    tx: &Tx,
    service: &Row,
    (after, message): (Status, Option<&str>),
    told: &str,
    now: i64,
) -> Result<()> {
    let sql = "UPDATE paas_service SET status = $1, message = $2, updated_at = $3 \
               WHERE number = $4";
    let values: [Value; 4] = [
        word(after).into(),
        message.into(),
        now.into(),
        service.number.into(),
    ];
    execute(tx, sql, values).await?;
    let happened = Happened {
        before: Some(service.status),
        after,
        message: told,
        at: now,
    };
    put(tx, service, happened).await
}

/// What became of a service, newest first.
pub(super) async fn list(
    connection: &impl ConnectionTrait,
    service: i64,
    most: i32,
) -> Result<Vec<pb::ServiceEvent>> {
    let sql = format!(
        "SELECT before, after, message, at FROM paas_event WHERE service = $1 \
         ORDER BY number DESC LIMIT {most}"
    );
    let mut events = Vec::new();
    for row in rows(connection, &sql, [service.into()]).await? {
        let before: Option<String> = row.try_get("", "before")?;
        let after: String = row.try_get("", "after")?;
        events.push(pb::ServiceEvent {
            from: before.map(|word| status_of(&word).into()),
            to: status_of(&after).into(),
            message: row.try_get("", "message")?,
            at: Some(timestamp(row.try_get("", "at")?)),
        });
    }
    Ok(events)
}
