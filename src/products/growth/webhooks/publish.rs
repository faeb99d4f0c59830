//! Says that something happened. It is written down for every webhook that asked for
//! it, in the transaction of what happened: both are kept, or neither.

use serde_json::json;

use super::Own;
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::clock::MICROS;
use crate::db::Tx;
use crate::db::sql::{row, rows};
use crate::error::Result;
use crate::webhooks::{Message, queue};

/// What webhooks are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::products::growth) enum Kind {
    /// There is a new lead.
    LeadCreated,
    /// A lead's data changed, or what visitors belong to it.
    LeadUpdated,
    /// An experiment started to run.
    ExperimentStarted,
    /// An experiment was completed.
    ExperimentCompleted,
    /// A growth goal was reached.
    GoalReached,
}

impl Kind {
    /// The word for it, which is also how it is kept.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::LeadCreated => "lead.created",
            Self::LeadUpdated => "lead.updated",
            Self::ExperimentStarted => "experiment.started",
            Self::ExperimentCompleted => "experiment.completed",
            Self::GoalReached => "goal.reached",
        }
    }
}

/// Words of all events a webhook may ask for, with the numbers of the API.
pub(super) const WORDS: [(pb::WebhookEvent, &str); 7] = [
    (pb::WebhookEvent::LeadCreated, "lead.created"),
    (pb::WebhookEvent::LeadUpdated, "lead.updated"),
    (pb::WebhookEvent::ExperimentStarted, "experiment.started"),
    (
        pb::WebhookEvent::ExperimentCompleted,
        "experiment.completed",
    ),
    (pb::WebhookEvent::GoalReached, "goal.reached"),
    (pb::WebhookEvent::ConnectorSynced, "connector.synced"),
    (pb::WebhookEvent::ConnectorError, "connector.error"),
];

/// Tells the webhooks of a project, once this transaction is committed.
pub(in crate::products::growth) async fn publish(
    tx: &Tx,
    project: ProjectId,
    kind: Kind,
    data: &serde_json::Value,
    now: i64,
) -> Result<()> {
    let sql = "SELECT number, events FROM growth_webhook \
               WHERE project = $1 AND status = 'active' ORDER BY number";
    let mut targets: Vec<i64> = Vec::new();
    for row in rows(tx, sql, [project.into()]).await? {
        let events: String = row.try_get("", "events")?;
        if events.split(' ').any(|word| word == kind.word()) {
            targets.push(row.try_get("", "number")?);
        }
    }
    if targets.is_empty() {
        return Ok(());
    }
    let id = Message::id();
    let at = jiff::Timestamp::from_second(now.div_euclid(MICROS)).unwrap_or_default();
    let body = json!({
        "id": id,
        "type": kind.word(),
        "createdAt": at.to_string(),
        "projectKey": project_key(tx, project).await?,
        "data": data,
    });
    let message = Message {
        id,
        kind: kind.word().to_owned(),
        body: body.to_string(),
    };
    queue::<Own>(tx, project.0, targets, &message, now).await
}

/// The project's public key, which receivers know it by.
async fn project_key(tx: &Tx, project: ProjectId) -> Result<Option<String>> {
    let sql = "SELECT key FROM project_key WHERE project = $1 AND revoked_at IS NULL \
               ORDER BY created_at DESC LIMIT 1";
    let found = row(tx, sql, [project.into()]).await?;
    Ok(found.map(|row| row.try_get("", "key")).transpose()?)
}
