//! The log of deliveries: what a webhook was sent, and how that went.

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::publish::WORDS;
use super::{Own, store};
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::db::sql::{row, rows};
use crate::db::{Read, Tx};
use crate::error::{Error, Result};
use crate::products::timestamp;

/// Deliveries of a page when nobody says how many.
const PAGE: i32 = 100;

const SELECT: &str = "SELECT growth_delivery.number AS number, growth_delivery.id AS id, \
                      growth_webhook.id AS webhook_id, webhook, message, kind, body, \
                      growth_delivery.status AS status, attempts, response_status, error, \
                      growth_delivery.created_at AS created_at, attempted_at \
                      FROM growth_delivery \
                      JOIN growth_webhook ON growth_webhook.number = growth_delivery.webhook \
                      WHERE growth_delivery.project = $1";

/// Deliveries of a webhook, newest first, after the one with an id.
pub(super) async fn list(
    read: &Read,
    project: ProjectId,
    request: &pb::ListWebhookDeliveriesRequest,
) -> Result<Vec<pb::WebhookDelivery>> {
    let webhook = store::find(read, project, &request.id).await?.number;
    let last = match request.cursor.as_str() {
        "" => i64::MAX,
        id => {
            let sql = "SELECT number FROM growth_delivery WHERE webhook = $1 AND id = $2";
            let found = row(read, sql, [webhook.into(), id.into()]).await?;
            let unknown = || Error::invalid_field("cursor", "cursor is no delivery's id");
            found.ok_or_else(unknown)?.try_get("", "number")?
        }
    };
    let status = match pb::DeliveryStatus::try_from(request.status) {
        Ok(pb::DeliveryStatus::Unspecified) => "",
        Ok(pb::DeliveryStatus::Pending) => "pending",
        Ok(pb::DeliveryStatus::Delivered) => "delivered",
        Ok(pb::DeliveryStatus::Failed) => "failed",
        Err(_) => {
            let words = "status must be one of pending, delivered, failed";
            return Err(Error::invalid_field("status", words));
        }
    };
    let sql = format!(
        "{SELECT} AND growth_delivery.webhook = $2 AND growth_delivery.number < $3 \
         AND ($4 = '' OR growth_delivery.status = $4) ORDER BY growth_delivery.number DESC LIMIT $5"
    );
    let values: [Value; 5] = [
        project.into(),
        webhook.into(),
        last.into(),
        status.into(),
        i64::from(request.limit.unwrap_or(PAGE)).into(),
    ];
    let found = rows(read, &sql, values).await?;
    found.iter().map(message).collect()
}

/// Sends a delivery that is over once more.
pub(super) async fn replay(
    tx: &Tx,
    project: ProjectId,
    id: &str,
    now: i64,
) -> Result<pb::WebhookDelivery> {
    crate::webhooks::replay::<Own>(tx, project.0, id, now).await?;
    find(tx, project, id).await
}

async fn find(
    connection: &impl ConnectionTrait,
    project: ProjectId,
    id: &str,
) -> Result<pb::WebhookDelivery> {
    let sql = format!("{SELECT} AND growth_delivery.id = $2");
    let found = row(connection, &sql, [project.into(), id.into()]).await?;
    message(&found.ok_or_else(not_found)?)
}

fn not_found() -> Error {
    Error::not_found("Delivery not found")
}

fn message(row: &QueryResult) -> Result<pb::WebhookDelivery> {
    let kind: String = row.try_get("", "kind")?;
    let kind = WORDS.iter().find(|(_, word)| *word == kind);
    let status = match row.try_get::<String>("", "status")?.as_str() {
        "pending" => pb::DeliveryStatus::Pending,
        "delivered" => pb::DeliveryStatus::Delivered,
        _ => pb::DeliveryStatus::Failed,
    };
    let answered: Option<i64> = row.try_get("", "response_status")?;
    let attempted_at: Option<i64> = row.try_get("", "attempted_at")?;
    Ok(pb::WebhookDelivery {
        id: row.try_get("", "id")?,
        webhook_id: row.try_get("", "webhook_id")?,
        message_id: row.try_get("", "message")?,
        r#type: kind.map_or(0, |(event, _)| i32::from(*event)),
        status: status.into(),
        attempts: row.try_get("", "attempts")?,
        response_status: answered.map(|status| status as i32),
        error: row.try_get("", "error")?,
        created_at: Some(timestamp(row.try_get("", "created_at")?)),
        attempted_at: attempted_at.map(timestamp),
        body: row.try_get("", "body")?,
    })
}
