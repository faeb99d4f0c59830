//! Tells webhooks what happens to records, in the transaction in which it does.

use sea_orm::QueryResult;
use serde_json::{Value as Json, json};

use super::resource::Context;
use super::resources::messages;
use crate::db::Tx;
use crate::db::sql::rows;
use crate::error::{Error, Result};
use crate::webhooks::{Message, Office, Settled, Tables, queue};

/// What hands on the messages that are sent to contacts.
pub(super) const OUTGOING: &str = "conversation-messages.outgoing";

/// How the product's webhooks are kept.
#[derive(Debug)]
pub(super) struct Own;

impl Office for Own {
    const TOPIC: &'static str = "crm.webhook";
    const TABLES: Tables = Tables {
        webhooks: "crm_webhook",
        deliveries: "crm_delivery",
        number: "id",
        id: "id",
        owner: "organization_id",
        whose: "organization",
    };
    const FOLLOWED: &'static [&'static str] = &[OUTGOING];

    async fn settled(tx: &Tx, settled: &Settled<'_>) -> Result<()> {
        match settled.kind {
            OUTGOING => messages::settled(tx, settled).await,
            _ => Ok(()),
        }
    }
}

/// Something that happened.
#[derive(Debug)]
pub(super) struct Told<'t> {
    /// What webhooks ask for it by, such as `contacts.created`.
    pub(super) event: &'t str,
    /// The resource and number of the record.
    pub(super) record: (&'t str, i64),
    /// The record as it is shown.
    pub(super) data: Json,
    /// What changed of it, member by member; null if nothing did.
    pub(super) changes: Json,
}

/// Tells the webhooks that asked for something, once this transaction is committed.
/// Answers how many there are.
pub(super) async fn tell(tx: &Tx, context: &Context, told: Told<'_>) -> Result<usize> {
    let listeners = Listeners::read(tx, context).await?;
    listeners.tell(tx, context, told).await
}

/// The webhooks of an organization that are told.
#[derive(Debug)]
pub(super) struct Listeners(Vec<Listener>);

#[derive(Debug)]
struct Listener {
    id: i64,
    events: Vec<String>,
}

impl Listeners {
    /// Reads them, but those that want to be spared what this caller does: their own.
    pub(super) async fn read(tx: &Tx, context: &Context) -> Result<Self> {
        let sql = "SELECT id, events, skip_own, by_key, created_by_user_id FROM crm_webhook \
                   WHERE organization_id = $1 AND status = 'active' AND deleted_at IS NULL \
                   ORDER BY id";
        let mut found = Vec::new();
        for row in rows(tx, sql, [context.organization.into()]).await? {
            if row.try_get::<i64>("", "skip_own")? != 0 && is_own(&row, context)? {
                continue;
            }
            let events: String = row.try_get("", "events")?;
            found.push(Listener {
                id: row.try_get("", "id")?,
                events: serde_json::from_str(&events).map_err(Error::internal)?,
            });
        }
        Ok(Self(found))
    }

    /// Tells those that asked for something; answers how many.
    pub(super) async fn tell(&self, tx: &Tx, context: &Context, told: Told<'_>) -> Result<usize> {
        let asked = |own: &&Listener| own.events.iter().any(|event| event == told.event);
        let targets: Vec<i64> = self.0.iter().filter(asked).map(|own| own.id).collect();
        if targets.is_empty() {
            return Ok(0);
        }
        let id = Message::id();
        let message = Message {
            kind: told.event.to_owned(),
            body: body(&id, context, &told)?,
            id,
        };
        let count = targets.len();
        let owner = context.organization.0;
        queue::<Own>(tx, owner, targets, &message, context.now).await?;
        Ok(count)
    }
}

/// Whether the caller registered a webhook: its key did, or its user in a session.
fn is_own(row: &QueryResult, context: &Context) -> Result<bool> {
    let by_key: Option<String> = row.try_get("", "by_key")?;
    let by_user: Option<i64> = row.try_get("", "created_by_user_id")?;
    Ok(match by_key {
        Some(key) => context.key.as_deref() == Some(key.as_str()),
        None => context.key.is_none() && by_user.is_some() && context.user == by_user,
    })
}

/// What is sent.
fn body(id: &str, context: &Context, told: &Told<'_>) -> Result<String> {
    let at = jiff::Timestamp::from_microsecond(context.now).map_err(Error::internal)?;
    let body = json!({
        "id": id,
        "type": told.event,
        "created_at": format!("{at:.3}"),
        "organization_id": context.organization.0,
        "entity": told.record.0,
        "entity_id": told.record.1,
        "origin": {
            "user_id": context.user,
            "api_key_id": context.key.as_deref(),
            "request_id": context.request.as_deref(),
        },
        "data": told.data,
        "changes": told.changes,
    });
    Ok(body.to_string())
}
