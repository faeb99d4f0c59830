//! Messages that contacts wrote: each is stored once, in the conversation that is open
//! with the contact over the channel, or is opened for it.

use super::super::super::resource::Context;
use super::super::super::store;
use super::super::contacts::Contacts;
use super::super::conversation_files::attach;
use super::super::conversations::{Conversations, OPEN, receiving};
use super::{Messages, rules};
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::db::sql::row;
use crate::error::{Error, Result};

/// Stores a message, or answers the one that was stored before.
pub(super) async fn store(
    tx: &Tx,
    context: &Context,
    channel: &'static str,
    mut given: pb::ConversationMessage,
) -> Result<pb::ConversationMessage> {
    let external = given.external_id.clone();
    // What was stored is answered, whatever became of what it names.
    if let Some(known) = known(tx, context, channel, external.as_deref()).await? {
        return Ok(known);
    }
    attach(tx, context, &mut given).await?;
    let contact = sender(tx, context, channel, &given).await?;
    store::locked::<Contacts>(tx, context, contact).await?;
    // The same one may have come before the contact was held.
    if let Some(known) = known(tx, context, channel, external.as_deref()).await? {
        return Ok(known);
    }
    let conversation = receiving(tx, context, contact, channel).await?;
    given.status = Some("received".to_owned());
    given.contact_id = Some(contact);
    given.conversation_id = Some(conversation);
    let talk = rules::is_talk(&given);
    let made = store::make::<Messages>(tx, context, given).await?;
    let at = made.created_at;
    store::amend::<Conversations>(tx, context, conversation, move |own| {
        own.status = Some(OPEN.to_owned());
        own.last_interaction_at = at;
        own.last_incoming_at = at;
        if talk {
            own.unread_count = Some(own.unread_count.unwrap_or(0).saturating_add(1));
            own.waiting_response = Some(true);
        }
    })
    .await?;
    Ok(made)
}

/// Who wrote a message: the contact it names, or that of the conversation it names.
async fn sender(
    tx: &Tx,
    context: &Context,
    channel: &str,
    given: &pb::ConversationMessage,
) -> Result<i64> {
    let Some(conversation) = given.conversation_id else {
        let words = "contact_id is required of an incoming message";
        let required = || Error::invalid_field("contact_id", words);
        return given.contact_id.ok_or_else(required);
    };
    let find = pb::Find::default();
    let named = store::get::<Conversations>(tx, context, conversation, &find).await?;
    rules::contact(given, &named, channel)
}

/// The message a channel sent before, removed or not.
async fn known(
    tx: &Tx,
    context: &Context,
    channel: &str,
    external: Option<&str>,
) -> Result<Option<pb::ConversationMessage>> {
    let Some(external) = external else {
        return Ok(None);
    };
    let sql = "SELECT id FROM crm_conversation_message \
               WHERE organization_id = $1 AND channel = $2 AND external_id = $3";
    let values = [context.organization.into(), channel.into(), external.into()];
    match row(tx, sql, values).await? {
        Some(row) => {
            let id = row.try_get_by_index(0)?;
            Ok(Some(store::ever::<Messages>(tx, context, id).await?))
        }
        None => Ok(None),
    }
}
