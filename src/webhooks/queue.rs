//! Writes down what webhooks are to be told, in the transaction of its cause.

use sea_orm::{ConnectionTrait as _, Value};
use uuid::Uuid;

use super::Office;
use crate::db::Tx;
use crate::db::outbox::{self, Parcel};
use crate::db::sql::{execute, ladder, tuples};
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
    let mut deliveries = Vec::new();
    let mut parcels = Vec::new();
    for webhook in webhooks {
        let delivery = format!("whd_{}", Uuid::now_v7().simple());
        deliveries.push([
            delivery.as_str().into(),
            owner.into(),
            webhook.into(),
            message.id.as_str().into(),
            message.kind.as_str().into(),
            message.body.as_str().into(),
            "pending".into(),
            0_i64.into(),
            now.into(),
            now.into(),
        ]);
        parcels.push(Parcel {
            topic: O::TOPIC,
            target: webhook.to_string(),
            body: delivery,
            due_at: now,
        });
    }
    for rows in ladder(&deliveries) {
        let sql = format!(
            "INSERT INTO {} (id, {}, webhook, message, kind, body, status, attempts, created_at, \
             since) VALUES {}",
            O::TABLES.deliveries,
            O::TABLES.owner,
            tuples(tx.get_database_backend(), 10, rows.len())
        );
        let values = rows
            .iter()
            .flat_map(|row: &[Value; 10]| row.iter().cloned());
        execute(tx, &sql, values).await?;
    }
    outbox::put(tx, parcels).await
}
