//! Support tickets: their number, and what they copy of who asks and by which channel.

mod messages;
mod number;

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::resource::{Context, Moving, Resource};
use super::super::serve::serve;
use super::super::store::related;
use super::contacts::Contacts;
use super::users::USERS;
use super::{CONTACTS, INBOXES, TICKETS};
use crate::api::SupportTicketService;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::error::{Error, Result};

const STATUSES: Kind = Kind::Word(&["open", "pending", "resolved", "closed"]);
const PRIORITIES: Kind = Kind::Word(&["low", "medium", "high", "urgent"]);

record! {
    SupportTicket {
        id: Column::id(),
        organization_id: Column::organization(),
        inbox_channel_id: Column::to(INBOXES),
        channel: Column::text(),
        meta_inbox_channel_email: Column::of(Kind::Email),
        contact_id: Column::to(CONTACTS),
        meta_contact_first_name: Column::text(),
        meta_contact_last_name: Column::text(),
        meta_contact_email: Column::of(Kind::Email),
        reference_number: Column::text().server(),
        subject: Column::text().needed(),
        status: Column::of(STATUSES).needed(),
        priority: Column::of(PRIORITIES).needed(),
        tags: Column::of(Kind::Opaque),
        assigned_user_id: Column::to(USERS),
        assigned_ai_assistant_id: Column::of(Kind::Alien),
        thread_id: Column::text(),
        last_message_at: Column::of(Kind::Time).server(),
        handoff_reason: Column::text(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    }
}

pub(super) use messages::SupportTicketMessages;

pub(super) struct SupportTickets;

impl Resource for SupportTickets {
    type Record = pb::SupportTicket;
    const SOURCE: Source = TICKETS;
    const NAME: &'static str = "support-tickets";

    async fn prepare(
        tx: &Tx,
        context: &Context,
        new: &mut pb::SupportTicket,
        old: Option<&pb::SupportTicket>,
    ) -> Result<()> {
        new.status.get_or_insert_with(|| "open".to_owned());
        new.priority.get_or_insert_with(|| "medium".to_owned());
        if new.contact_id.is_none() && new.meta_contact_email.is_none() {
            let words = "A ticket needs a contact_id or a meta_contact_email";
            return Err(Error::invalid_field("contact_id", words));
        }
        if old.is_none_or(|old| old.contact_id != new.contact_id) {
            copy_contact(tx, context, new, old).await?;
        }
        if old.is_none_or(|old| old.inbox_channel_id != new.inbox_channel_id) {
            copy_inbox(tx, context, new, old).await?;
        }
        if old.is_none() && new.subject.is_some() {
            new.reference_number = Some(number::next(tx, context).await?);
        }
        Ok(())
    }

    /// What it copies is of the contact that stays.
    async fn moved(
        tx: &Tx,
        context: &Context,
        new: &mut pb::SupportTicket,
        column: &'static str,
    ) -> Result<Moving> {
        if column == "contact_id" {
            let before = new.clone();
            copy_contact(tx, context, new, Some(&before)).await?;
        }
        Ok(Moving::Keep)
    }
}

/// A copy follows what it is of, unless something else is said with it.
fn follow(copy: &mut Option<String>, before: Option<&Option<String>>, to: Option<String>) {
    let said = match before {
        Some(before) => copy != before,
        None => copy.is_some(),
    };
    if !said {
        *copy = to;
    }
}

async fn copy_contact(
    tx: &Tx,
    context: &Context,
    new: &mut pb::SupportTicket,
    old: Option<&pb::SupportTicket>,
) -> Result<()> {
    let what = (CONTACTS, "t.first_name, t.last_name, t.email");
    let found = related(tx, context, what, [new.contact_id]).await?;
    let Some(row) = new.contact_id.and_then(|id| found.get(&id)) else {
        return Ok(());
    };
    let first = old.map(|old| &old.meta_contact_first_name);
    follow(
        &mut new.meta_contact_first_name,
        first,
        row.try_get_by_index(1)?,
    );
    let last = old.map(|old| &old.meta_contact_last_name);
    follow(
        &mut new.meta_contact_last_name,
        last,
        row.try_get_by_index(2)?,
    );
    let email = old.map(|old| &old.meta_contact_email);
    let address = match context.hides(Contacts::NAME) {
        true => None,
        false => row.try_get_by_index(3)?,
    };
    follow(&mut new.meta_contact_email, email, address);
    Ok(())
}

async fn copy_inbox(
    tx: &Tx,
    context: &Context,
    new: &mut pb::SupportTicket,
    old: Option<&pb::SupportTicket>,
) -> Result<()> {
    let what = (INBOXES, "t.channel, t.email");
    let found = related(tx, context, what, [new.inbox_channel_id]).await?;
    let Some(row) = new.inbox_channel_id.and_then(|id| found.get(&id)) else {
        return Ok(());
    };
    let channel = old.map(|old| &old.channel);
    follow(&mut new.channel, channel, row.try_get_by_index(1)?);
    let email = old.map(|old| &old.meta_inbox_channel_email);
    follow(
        &mut new.meta_inbox_channel_email,
        email,
        row.try_get_by_index(2)?,
    );
    Ok(())
}

impl SupportTicketService for Crm {
    serve!(list SupportTickets: list_support_tickets(ListSupportTicketsRequest) -> ListSupportTicketsResponse);
    serve!(get SupportTickets: get_support_ticket(GetSupportTicketRequest) -> GetSupportTicketResponse.support_ticket);
    serve!(create SupportTickets: create_support_tickets(CreateSupportTicketsRequest) -> CreateSupportTicketsResponse.support_tickets);
    serve!(update SupportTickets: update_support_ticket(UpdateSupportTicketRequest) -> UpdateSupportTicketResponse.support_ticket);
    serve!(replace SupportTickets: replace_support_ticket(ReplaceSupportTicketRequest) -> ReplaceSupportTicketResponse.support_ticket);
    serve!(delete SupportTickets: delete_support_ticket(DeleteSupportTicketRequest) -> DeleteSupportTicketResponse.support_ticket);
    serve!(restore SupportTickets: restore_support_ticket(RestoreSupportTicketRequest) -> RestoreSupportTicketResponse.support_ticket);
}
