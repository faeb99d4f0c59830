//! Predefined replies of conversations.

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::resource::{Context, Resource};
use super::super::serve::serve;
use super::users::USERS;
use crate::api::ConversationPredefinedMessageService;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::error::{Error, Result};

/// What replies may be.
const TYPES: Kind = Kind::Word(&["text", "image", "video", "document", "audio", "location"]);

record! {
    ConversationPredefinedMessage {
        id: Column::id(),
        organization_id: Column::organization(),
        title: Column::text().needed(),
        content: Column::text(),
        message_type: Column::of(TYPES).needed(),
        media_url: Column::text(),
        filename: Column::text(),
        mime_type: Column::text(),
        created_by_user_id: Column::to(USERS).server(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    }
}

pub(super) struct PredefinedMessages;

impl Resource for PredefinedMessages {
    type Record = pb::ConversationPredefinedMessage;
    const SOURCE: Source = Source("crm_conversation_predefined_message");
    const NAME: &'static str = "conversation-predefined-messages";

    async fn prepare(
        _: &Tx,
        _: &Context,
        new: &mut pb::ConversationPredefinedMessage,
        _: Option<&pb::ConversationPredefinedMessage>,
    ) -> Result<()> {
        new.message_type.get_or_insert_with(|| "text".to_owned());
        let said = |text: &Option<String>| text.as_ref().is_some_and(|own| !own.trim().is_empty());
        if !said(&new.content) && !said(&new.media_url) {
            let words = "A reply needs a content or a media_url";
            return Err(Error::invalid_field("content", words));
        }
        Ok(())
    }
}

impl ConversationPredefinedMessageService for Crm {
    serve!(list PredefinedMessages: list_conversation_predefined_messages(ListConversationPredefinedMessagesRequest) -> ListConversationPredefinedMessagesResponse);
    serve!(get PredefinedMessages: get_conversation_predefined_message(GetConversationPredefinedMessageRequest) -> GetConversationPredefinedMessageResponse.conversation_predefined_message);
    serve!(create PredefinedMessages: create_conversation_predefined_messages(CreateConversationPredefinedMessagesRequest) -> CreateConversationPredefinedMessagesResponse.conversation_predefined_messages);
    serve!(update PredefinedMessages: update_conversation_predefined_message(UpdateConversationPredefinedMessageRequest) -> UpdateConversationPredefinedMessageResponse.conversation_predefined_message);
    serve!(delete PredefinedMessages: delete_conversation_predefined_message(DeleteConversationPredefinedMessageRequest) -> DeleteConversationPredefinedMessageResponse.conversation_predefined_message);
    serve!(restore PredefinedMessages: restore_conversation_predefined_message(RestoreConversationPredefinedMessageRequest) -> RestoreConversationPredefinedMessageResponse.conversation_predefined_message);
}
