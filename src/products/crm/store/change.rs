//! The log of changes: what each write changed, by whom and when, member by member.

use std::fmt::Write as _;

use sea_orm::{ConnectionTrait as _, DbBackend, Value};
use serde_json::{Map, Value as Json, json};

use super::super::column::Record;
use super::super::hooks::{Listeners, Told};
use super::super::query::read::CUSTOM;
use super::super::query::sql::Sql;
use super::super::resource::{Context, Resource};
use super::effect::{Action, Change};
use crate::api::SCHEMA;
use crate::db::Tx;
use crate::db::sql::rows;
use crate::error::{Error, Result};
use crate::policy::Profile;
use crate::transcode::json::{Rules, encode};

/// Changes of one statement at the most.
const CHUNK: usize = 64;

/// How a statement begins that writes changes down.
pub(super) const LOG: &str = "INSERT INTO crm_change (organization_id, entity, entity_id, \
     action, changes, user_id, api_key_id, request_id, created_at, turn) ";
/// The number of one of PostgreSQL's transactions.
pub(super) const TURN: &str = "CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)";
/// Finds whether webhooks are told of changes, of the organization that follows.
pub(super) const LISTENING: &str = "SELECT 1 FROM crm_webhook WHERE status = 'active' \
     AND deleted_at IS NULL AND organization_id = ";

/// A change as it is written down.
#[derive(Debug)]
pub(in super::super) struct Entry {
    /// The number of the record.
    pub(in super::super) id: i64,
    /// What was done.
    pub(in super::super) action: Action,
    /// What changed, member by member: the JSON of an object.
    pub(in super::super) changes: String,
}

/// Writes down what changed, in a statement with what leads it, and tells the webhooks
/// that asked for it.
pub(super) async fn write<R: Resource>(
    tx: &Tx,
    context: &Context,
    changes: &[Change<'_, R::Record>],
    lead: Sql,
) -> Result<()> {
    let mut entries = Vec::with_capacity(changes.len());
    let mut records = Vec::with_capacity(changes.len());
    for change in changes {
        let after = shown(&change.after.record)?;
        let changes = match change.before {
            Some(kept) => Json::Object(differences(shown(&kept.record)?, &after)).to_string(),
            None => made(&after)?,
        };
        entries.push(Entry {
            id: change.after.record.id(),
            action: change.action,
            changes,
        });
        records.push(after);
    }
    match note(tx, context, (R::NAME, &entries), lead).await? {
        true => tell::<R>(tx, context, entries.into_iter().zip(records)).await,
        false => Ok(()),
    }
}

/// Tells the webhooks that asked for it what was done to records, and what they are now.
pub(super) async fn tell<R: Resource>(
    tx: &Tx,
    context: &Context,
    changes: impl IntoIterator<Item = (Entry, Map<String, Json>), IntoIter: Send>,
) -> Result<()> {
    let changes = changes.into_iter();
    let listeners = Listeners::read(tx, context).await?;
    for (entry, record) in changes {
        let told = Told {
            event: &format!("{}.{}", R::NAME, entry.action.word()),
            record: (R::NAME, entry.id),
            data: Json::Object(record),
            changes: serde_json::from_str(&entry.changes).map_err(Error::internal)?,
        };
        listeners.tell(tx, context, told).await?;
    }
    Ok(())
}

/// Writes down changes of records of a resource, the first of them in a statement with
/// what leads it. Answers whether the organization has webhooks.
pub(in super::super) async fn note(
    tx: &Tx,
    context: &Context,
    (entity, entries): (&str, &[Entry]),
    mut lead: Sql,
) -> Result<bool> {
    let turn = match tx.get_database_backend() {
        DbBackend::Postgres => TURN,
        _ => "0",
    };
    let mut told = false;
    for entries in entries.chunks(CHUNK) {
        let rest = Sql::of(tx.get_database_backend());
        let mut sql = std::mem::replace(&mut lead, rest);
        sql.push(LOG).push("VALUES ");
        for (at, entry) in entries.iter().enumerate() {
            sql.push(if at == 0 { "(" } else { ", (" });
            let values: [Value; 9] = [
                context.organization.into(),
                entity.into(),
                entry.id.into(),
                entry.action.word().into(),
                entry.changes.as_str().into(),
                context.user.into(),
                context.key.as_deref().into(),
                context.request.as_deref().into(),
                context.now.into(),
            ];
            sql.list(values);
            sql.push(", ").push(turn).push(")");
        }
        sql.push(" RETURNING EXISTS (").push(LISTENING);
        sql.bind(context.organization).push(") AS told");
        let written = rows(tx, &sql.text, sql.values).await?;
        told = match written.first() {
            Some(row) => row.try_get("", "told")?,
            None => told,
        };
    }
    Ok(told)
}

/// A record as it is shown.
pub(in super::super) fn shown<R: Record>(record: &R) -> Result<Map<String, Json>> {
    let text = json_of(R::MESSAGE, &record.encode_to_vec())?;
    serde_json::from_slice(&text).map_err(Error::internal)
}

/// The JSON of an encoded message.
pub(in super::super) fn json_of(message: &str, wire: &[u8]) -> Result<Vec<u8>> {
    let id = SCHEMA.find(message);
    let id = id.ok_or_else(|| Error::internal(format!("{message} is no message")))?;
    let mut text = Vec::new();
    let written = encode::message(&SCHEMA, Rules::of(Profile::Strict), id, wire, &mut text);
    written.map_err(|_| Error::internal(format!("a {message} cannot be shown")))?;
    Ok(text)
}

/// What there is of a record that was not there before.
pub(super) fn made(after: &Map<String, Json>) -> Result<String> {
    let mut text = String::from("{");
    let own = after.iter().filter(|(name, _)| *name != "updated_at");
    for (name, value) in own {
        match value {
            Json::Null => {}
            Json::Object(custom) if name == CUSTOM => {
                for (label, value) in custom.iter().filter(|(_, value)| !value.is_null()) {
                    came(&format!("{CUSTOM}.{label}"), value, &mut text)?;
                }
            }
            value => came(name, value, &mut text)?,
        }
    }
    text.push('}');
    Ok(text)
}

/// Adds a member that was not there before.
fn came(name: &str, value: &Json, text: &mut String) -> Result<()> {
    if text.len() > 1 {
        text.push(',');
    }
    let name = serde_json::to_string(name).map_err(Error::internal)?;
    write!(text, "{name}:{{\"before\":null,\"after\":{value}}}").map_err(Error::internal)
}

/// The members that are not the same, each with what it was and is. Of custom fields
/// each is one.
fn differences(mut before: Map<String, Json>, after: &Map<String, Json>) -> Map<String, Json> {
    let mut found = Map::new();
    for (name, new) in after.iter().filter(|(name, _)| *name != "updated_at") {
        let old = before.remove(name).unwrap_or_default();
        if old == *new {
            continue;
        }
        if name == CUSTOM {
            let (old, new) = (old.as_object(), new.as_object());
            let inner = differences(
                old.cloned().unwrap_or_default(),
                &new.cloned().unwrap_or_default(),
            );
            found.extend(
                inner
                    .into_iter()
                    .map(|(label, change)| (format!("{CUSTOM}.{label}"), change)),
            );
            continue;
        }
        found.insert(name.clone(), json!({"before": old, "after": new}));
    }
    // What is no longer there at all.
    for (name, old) in before {
        if name != "updated_at" && !old.is_null() {
            found.insert(name, json!({"before": old, "after": null}));
        }
    }
    found
}
