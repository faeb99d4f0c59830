//! The log of deliveries: sending one again, and forgetting those that are over.

use sea_orm::Value;

use super::{Office, Settled};
use crate::clock::DAY;
use crate::db::Tx;
use crate::db::outbox::{self, Parcel};
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Kind, Result};

/// How long a delivery that is over is kept.
const KEPT: i64 = 30 * DAY;
/// Deliveries kept of a webhook.
const MOST: i64 = 1000;

/// Sends a delivery that is over once more.
pub(crate) async fn replay<O: Office>(tx: &Tx, owner: i64, id: &str, now: i64) -> Result<()> {
    let table = O::TABLES.deliveries;
    let whose = O::TABLES.owner;
    let sql = format!(
        "UPDATE {table} SET status = 'pending', since = $1, finished_at = NULL, error = NULL \
         WHERE {whose} = $2 AND id = $3 AND status <> 'pending' RETURNING webhook"
    );
    let values: [Value; 3] = [now.into(), owner.into(), id.into()];
    let Some(changed) = row(tx, &sql, values).await? else {
        let sql = format!("SELECT 1 AS one FROM {table} WHERE {whose} = $1 AND id = $2");
        return Err(match row(tx, &sql, [owner.into(), id.into()]).await? {
            Some(_) => Error::new(Kind::Aborted, "The delivery is still being tried"),
            None => Error::not_found("Delivery not found"),
        });
    };
    let parcel = Parcel {
        topic: O::TOPIC,
        target: changed.try_get::<i64>("", "webhook")?.to_string(),
        body: id.to_owned(),
        due_at: now,
    };
    outbox::put(tx, vec![parcel]).await
}

/// Gives up what is still to be delivered to a webhook.
pub(crate) async fn abandon<O: Office>(tx: &Tx, webhook: i64, why: &str, now: i64) -> Result<()> {
    outbox::withdraw(tx, O::TOPIC, &webhook.to_string()).await?;
    let (table, whose) = (O::TABLES.deliveries, O::TABLES.owner);
    let pending = "webhook = $1 AND status = 'pending'";
    for &kind in O::FOLLOWED {
        let sql = format!("SELECT {whose}, body FROM {table} WHERE {pending} AND kind = $2");
        for found in rows(tx, &sql, [webhook.into(), kind.into()]).await? {
            let body: String = found.try_get("", "body")?;
            let settled = Settled {
                owner: found.try_get("", whose)?,
                kind,
                body: &body,
                failure: Some(why),
                now,
            };
            O::settled(tx, &settled).await?;
        }
    }
    let sql = format!(
        "UPDATE {table} SET status = 'failed', error = $2, finished_at = $3 WHERE {pending}"
    );
    execute(tx, &sql, [webhook.into(), why.into(), now.into()]).await?;
    Ok(())
}

/// Gives up what a webhook was to be told, and forgets what it was told.
pub(crate) async fn erase<O: Office>(tx: &Tx, webhook: i64, now: i64) -> Result<()> {
    abandon::<O>(tx, webhook, "the webhook was removed", now).await?;
    let sql = format!("DELETE FROM {} WHERE webhook = $1", O::TABLES.deliveries);
    execute(tx, &sql, [webhook.into()]).await?;
    Ok(())
}

/// Forgets up to `most` deliveries that were over long ago; answers how many.
pub(super) async fn forget_old<O: Office>(tx: &Tx, now: i64, most: i64) -> Result<u64> {
    let table = O::TABLES.deliveries;
    let sql = format!(
        "DELETE FROM {table} WHERE number IN (SELECT number FROM {table} \
         WHERE finished_at < $1 ORDER BY finished_at LIMIT $2)"
    );
    execute(tx, &sql, [(now - KEPT).into(), most.into()]).await
}

/// Forgets those of a webhook that are over and more than are kept.
pub(super) async fn forget_many<O: Office>(tx: &Tx, webhook: i64) -> Result<()> {
    let table = O::TABLES.deliveries;
    let sql = format!(
        "DELETE FROM {table} WHERE webhook = $1 AND finished_at IS NOT NULL \
         AND number <= (SELECT number FROM {table} WHERE webhook = $1 \
         ORDER BY number DESC LIMIT 1 OFFSET $2)"
    );
    execute(tx, &sql, [webhook.into(), MOST.into()]).await?;
    Ok(())
}
