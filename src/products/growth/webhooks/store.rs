//! Webhooks as they are kept, and the list of a project's.

use sea_orm::{ConnectionTrait, QueryResult, Value};
use uuid::Uuid;

use super::Own;
use super::publish::WORDS;
use crate::api::apex::growth::v1 as pb;
use crate::auth::{ProjectId, Sealer};
use crate::db::Tx;
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Result};
use crate::products::timestamp;
use crate::webhooks::{FORMER_SIGNS, MOST, Secret, abandon, erase};

/// A webhook without its secret.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) number: i64,
    id: String,
    url: String,
    events: String,
    active: bool,
    created_at: i64,
}

const COLUMNS: &str = "number, id, url, events, status, created_at";

impl Stored {
    fn of(row: &QueryResult) -> Result<Self> {
        let status: String = row.try_get("", "status")?;
        Ok(Self {
            number: row.try_get("", "number")?,
            id: row.try_get("", "id")?,
            url: row.try_get("", "url")?,
            events: row.try_get("", "events")?,
            active: status == "active",
            created_at: row.try_get("", "created_at")?,
        })
    }

    pub(super) fn message(&self) -> pb::Webhook {
        let event = |word: &str| {
            let known = WORDS.iter().find(|(_, own)| *own == word);
            known.map(|(event, _)| i32::from(*event))
        };
        let status = match self.active {
            true => pb::WebhookStatus::Active,
            false => pb::WebhookStatus::Disabled,
        };
        pb::Webhook {
            id: self.id.clone(),
            url: self.url.clone(),
            events: self.events.split(' ').filter_map(event).collect(),
            status: status.into(),
            created_at: Some(timestamp(self.created_at)),
            secret: None,
        }
    }
}

/// The events somebody asks for, as they are kept: each once, in the order of the API.
pub(super) fn words(events: &[i32]) -> Result<String> {
    if events.is_empty() {
        return Err(Error::invalid_field("events", "events is required"));
    }
    let known = |number: &i32| WORDS.iter().any(|(event, _)| i32::from(*event) == *number);
    if let Some(at) = events.iter().position(|number| !known(number)) {
        let all: Vec<&str> = WORDS.iter().map(|(_, word)| *word).collect();
        let words = format!("events[{at}] must be one of {}", all.join(", "));
        return Err(Error::invalid_field(format!("events[{at}]"), words));
    }
    let asked = WORDS
        .iter()
        .filter(|(event, _)| events.contains(&i32::from(*event)));
    Ok(asked.map(|(_, word)| *word).collect::<Vec<_>>().join(" "))
}

/// The webhooks of a project.
pub(super) async fn list(
    connection: &impl ConnectionTrait,
    project: ProjectId,
) -> Result<Vec<Stored>> {
    let sql = format!("SELECT {COLUMNS} FROM growth_webhook WHERE project = $1 ORDER BY number");
    let found = rows(connection, &sql, [project.into()]).await?;
    found.iter().map(Stored::of).collect()
}

/// One of them.
pub(super) async fn find(
    connection: &impl ConnectionTrait,
    project: ProjectId,
    id: &str,
) -> Result<Stored> {
    let sql = format!("SELECT {COLUMNS} FROM growth_webhook WHERE project = $1 AND id = $2");
    let found = row(connection, &sql, [project.into(), id.into()]).await?;
    Stored::of(&found.ok_or_else(|| Error::not_found("Webhook not found"))?)
}

/// A webhook to be registered.
pub(super) struct New {
    pub(super) url: String,
    pub(super) events: String,
    pub(super) secret: Secret,
}

/// Registers a webhook.
pub(super) async fn create(
    tx: &Tx,
    project: ProjectId,
    new: &New,
    sealer: &Sealer,
    now: i64,
) -> Result<pb::Webhook> {
    let sql = "SELECT COUNT(*) AS n FROM growth_webhook WHERE project = $1";
    if let Some(found) = row(tx, sql, [project.into()]).await?
        && found.try_get::<i64>("", "n")? >= MOST
    {
        return Err(Error::invalid(format!(
            "A project has at most {MOST} webhooks"
        )));
    }
    let id = format!("wh_{}", Uuid::now_v7().simple());
    let sql = "INSERT INTO growth_webhook (id, project, url, events, status, secret, created_at) \
               VALUES ($1, $2, $3, $4, 'active', $5, $6)";
    let values: [Value; 6] = [
        id.as_str().into(),
        project.into(),
        new.url.as_str().into(),
        new.events.as_str().into(),
        new.secret.seal::<Own>(sealer, project.0, &id)?.into(),
        now.into(),
    ];
    execute(tx, sql, values).await?;
    let mut made = find(tx, project, &id).await?.message();
    made.secret = Some(new.secret.reveal().to_owned());
    Ok(made)
}

/// What is to be changed.
pub(super) struct Change {
    pub(super) url: Option<String>,
    pub(super) events: Option<String>,
    pub(super) active: Option<bool>,
}

/// Changes a webhook.
pub(super) async fn update(
    tx: &Tx,
    project: ProjectId,
    id: &str,
    change: &Change,
    now: i64,
) -> Result<pb::Webhook> {
    let own = find(tx, project, id).await?;
    let active = change.active.unwrap_or(own.active);
    let sql = "UPDATE growth_webhook SET url = $1, events = $2, status = $3, failing_since = NULL \
               WHERE project = $4 AND number = $5";
    let values: [Value; 5] = [
        change.url.as_ref().unwrap_or(&own.url).as_str().into(),
        change
            .events
            .as_ref()
            .unwrap_or(&own.events)
            .as_str()
            .into(),
        status(active).into(),
        project.into(),
        own.number.into(),
    ];
    execute(tx, sql, values).await?;
    if own.active && !active {
        abandon::<Own>(tx, own.number, "the webhook was disabled", now).await?;
    }
    Ok(find(tx, project, id).await?.message())
}

fn status(active: bool) -> &'static str {
    match active {
        true => "active",
        false => "disabled",
    }
}

/// Removes a webhook and everything of it.
pub(super) async fn delete(tx: &Tx, project: ProjectId, id: &str, now: i64) -> Result<()> {
    let own = find(tx, project, id).await?;
    erase::<Own>(tx, own.number, now).await?;
    let sql = "DELETE FROM growth_webhook WHERE project = $1 AND number = $2";
    execute(tx, sql, [project.into(), own.number.into()]).await?;
    Ok(())
}

/// Gives a webhook another secret; the one before signs along for a day.
pub(super) async fn rotate(
    tx: &Tx,
    project: ProjectId,
    id: &str,
    secret: &Secret,
    sealer: &Sealer,
    now: i64,
) -> Result<pb::Webhook> {
    let own = find(tx, project, id).await?;
    let sql = "UPDATE growth_webhook SET former_secret = secret, former_until = $1, secret = $2 \
               WHERE project = $3 AND number = $4";
    let values: [Value; 4] = [
        (now + FORMER_SIGNS).into(),
        secret.seal::<Own>(sealer, project.0, id)?.into(),
        project.into(),
        own.number.into(),
    ];
    execute(tx, sql, values).await?;
    let mut webhook = own.message();
    webhook.secret = Some(secret.reveal().to_owned());
    Ok(webhook)
}
