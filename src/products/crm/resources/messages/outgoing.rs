//! Messages to contacts: stored as pending, and handed to who delivers them.

use serde_json::Value as Json;

use super::super::super::hooks::{self, OUTGOING, Told};
use super::super::super::resource::Context;
use super::super::super::store;
use super::super::conversation_files::attach;
use super::super::conversations::Conversations;
use super::{Messages, number, rules};
use crate::api::apex::crm::v1 as pb;
use crate::auth::OrganizationId;
use crate::db::Tx;
use crate::error::{Error, Kind, Result};
use crate::webhooks::Settled;

/// What is on its way.
const PENDING: &str = "pending";

/// Stores a message that is to be sent.
pub(super) async fn send(
    tx: &Tx,
    context: &Context,
    channel: &'static str,
    mut given: pb::ConversationMessage,
) -> Result<pb::ConversationMessage> {
    attach(tx, context, &mut given).await?;
    let required = || Error::invalid_field("conversation_id", "conversation_id is required");
    let conversation = given.conversation_id.ok_or_else(required)?;
    let into = store::locked::<Conversations>(tx, context, conversation).await?;
    let contact = rules::contact(&given, &into, channel)?;
    rules::in_time(context, &given, &into, channel)?;
    given.contact_id = Some(contact);
    given.sent_by_user_id = context.user;
    let is_note = rules::kind(&given) == "note";
    given.status = Some(
        match (is_note, channel) {
            (true, _) => "stored",
            // There is nobody it has to reach.
            (false, "playground") => "sent",
            (false, _) => PENDING,
        }
        .to_owned(),
    );
    let talk = rules::is_talk(&given);
    let made = store::make::<Messages>(tx, context, given).await?;
    if !is_note {
        let at = made.created_at;
        store::amend::<Conversations>(tx, context, conversation, move |own| {
            own.last_interaction_at = at;
            if talk {
                own.waiting_response = Some(false);
            }
        })
        .await?;
        if made.status.as_deref() == Some(PENDING) {
            hand_over(tx, context, channel, &made).await?;
        }
    }
    Ok(made)
}

/// Hands a message to the webhooks that deliver, once it is committed. Where there are
/// none it stays pending.
async fn hand_over(
    tx: &Tx,
    context: &Context,
    channel: &str,
    message: &pb::ConversationMessage,
) -> Result<()> {
    let key = message.key.as_deref().unwrap_or_default();
    let id = match message.id {
        0 => number(tx, context, channel, key).await?,
        id => id,
    };
    let told = Told {
        event: OUTGOING,
        record: (&format!("conversation-messages-{channel}"), id),
        data: Json::Object(store::shown(message)?),
        changes: Json::Null,
    };
    hooks::tell(tx, context, told).await?;
    Ok(())
}

/// Notes whether a message was delivered. Several may have been asked to: one that could
/// is enough.
pub(in super::super::super) async fn settled(tx: &Tx, settled: &Settled<'_>) -> Result<()> {
    let body: Json = serde_json::from_str(settled.body).map_err(Error::internal)?;
    let Some(id) = body["entity_id"].as_i64() else {
        return Ok(());
    };
    let context = Context::of(OrganizationId(settled.owner), None, settled.now);
    let status = match settled.failure {
        None => "sent",
        Some(_) => "failed",
    };
    let noted = store::amend::<Messages>(tx, &context, id, |own| {
        let open = match own.status.as_deref() {
            Some(PENDING) => true,
            Some("failed") => status == "sent",
            _ => false,
        };
        if open {
            own.status = Some(status.to_owned());
        }
    });
    match noted.await {
        // It was removed meanwhile.
        Err(error) if error.kind() == Kind::NotFound => Ok(()),
        noted => noted.map(drop),
    }
}
