//! What is written in support tickets.

use super::super::super::Crm;
use super::super::super::column::{Column, Kind, Source, record};
use super::super::super::resource::{Context, Resource};
use super::super::super::serve::serve;
use super::super::super::store;
use super::super::TICKETS;
use super::super::users::USERS;
use super::SupportTickets;
use crate::api::SupportTicketMessageService;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::error::Result;

record! {
    SupportTicketMessage {
        id: Column::id(),
        organization_id: Column::organization(),
        support_ticket_id: Column::to(TICKETS).needed().once(),
        message_text: Column::text().needed(),
        message_type: Column::of(Kind::Word(&["text", "note"])).needed(),
        direction: Column::of(Kind::Word(&["incoming", "outgoing"])).needed().once(),
        sent_by_user_id: Column::to(USERS).server(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    }
}

pub(in super::super) struct SupportTicketMessages;

impl Resource for SupportTicketMessages {
    type Record = pb::SupportTicketMessage;
    const SOURCE: Source = Source("crm_support_ticket_message");
    const NAME: &'static str = "support-ticket-messages";

    async fn prepare(
        _: &Tx,
        context: &Context,
        new: &mut pb::SupportTicketMessage,
        old: Option<&pb::SupportTicketMessage>,
    ) -> Result<()> {
        new.message_type.get_or_insert_with(|| "text".to_owned());
        let direction = new.direction.get_or_insert_with(|| "outgoing".to_owned());
        if old.is_none() {
            new.sent_by_user_id = context.user.filter(|_| direction == "outgoing");
        }
        Ok(())
    }

    /// It is the last message of its ticket.
    async fn made(tx: &Tx, context: &Context, new: &pb::SupportTicketMessage) -> Result<()> {
        let Some(ticket) = new.support_ticket_id else {
            return Ok(());
        };
        let at = new.created_at;
        store::amend::<SupportTickets>(tx, context, ticket, move |own| own.last_message_at = at)
            .await?;
        Ok(())
    }
}

impl SupportTicketMessageService for Crm {
    serve!(list SupportTicketMessages: list_support_ticket_messages(ListSupportTicketMessagesRequest) -> ListSupportTicketMessagesResponse);
    serve!(get SupportTicketMessages: get_support_ticket_message(GetSupportTicketMessageRequest) -> GetSupportTicketMessageResponse.support_ticket_message);
    serve!(create SupportTicketMessages: create_support_ticket_messages(CreateSupportTicketMessagesRequest) -> CreateSupportTicketMessagesResponse.support_ticket_messages);
    serve!(update SupportTicketMessages: update_support_ticket_message(UpdateSupportTicketMessageRequest) -> UpdateSupportTicketMessageResponse.support_ticket_message);
    serve!(replace SupportTicketMessages: replace_support_ticket_message(ReplaceSupportTicketMessageRequest) -> ReplaceSupportTicketMessageResponse.support_ticket_message);
    serve!(delete SupportTicketMessages: delete_support_ticket_message(DeleteSupportTicketMessageRequest) -> DeleteSupportTicketMessageResponse.support_ticket_message);
    serve!(restore SupportTicketMessages: restore_support_ticket_message(RestoreSupportTicketMessageRequest) -> RestoreSupportTicketMessageResponse.support_ticket_message);
}
