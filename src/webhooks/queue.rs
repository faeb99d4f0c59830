//! Writes down what webhooks are to be told, in the transaction of its cause.

use sea_orm::Value;
use uuid::Uuid;

use super::Office;
use crate::db::Tx;
use crate::db::outbox::{self, Parcel};
use crate::db::sql::execute;
use crate::error::Result;

/// What webhooks are to be told.
#[derive(Debug)]
pub(crate) struct Message {
    /// What receivers know it by, however often they are told.
    pub(crate) id: String,
    /// What it tells of.
    pub(crate) kind: String,
    /// The body: a JSON object that names the id.
    pub(crate) body: String,
}

impl Message {
    /// A new id.
    pub(crate) fn id() -> String {
        format!("msg_{}", Uuid::now_v7().simple())
    }
}

/// Tells webhooks of an owner, by their numbers, once this transaction is committed.
pub(crate) async fn queue<O: Office>(
    tx: &Tx,
    owner: i64,
    webhooks: impl IntoIterator<Item = i64>,
    message: &Message,
    now: i64,
) -> Result<()> {
    let sql = format!(
        "INSERT INTO {} (id, {}, webhook, message, kind, body, status, attempts, created_at, since) \
         VALUES ($1, $2, $3, $4, $5, $6, 'pending', 0, $7, $7)",
        O::TABLES.deliveries,
        O::TABLES.owner
    );
    for webhook in webhooks {
        let delivery = format!("whd_{}", Uuid::now_v7().simple());
        let values: [Value; 7] = [
            delivery.as_str().into(),
            owner.into(),
            webhook.into(),
            message.id.as_str().into(),
            message.kind.as_str().into(),
            message.body.as_str().into(),
            now.into(),
        ];
        execute(tx, &sql, values).await?;
        let parcel = Parcel {
            topic: O::TOPIC,
            target: webhook.to_string(),
            body: delivery,
            due_at: now,
        };
        outbox::put(tx, parcel).await?;
    }
    Ok(())
}
