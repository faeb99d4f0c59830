//! Conversations with contacts. A contact has one that is open over a channel; lists
//! look for contacts and for what was written as well.

mod bulk;
mod place;
mod views;

use sea_orm::ConnectionTrait;

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::query::pattern::fits;
use super::super::query::sql::Sql;
use super::super::query::{Takes, both};
use super::super::resource::{Context, Moving, Resource, Search, Wanted};
use super::super::serve::serve;
use super::super::store::{self, PARTS, parts, related};
use super::contacts::Contacts;
use super::conversation_files::remove_all;
use super::messages::Messages;
use super::users::USERS;
use super::{CONTACTS, CONVERSATIONS, PIPELINES, STAGES};
use crate::api::ConversationService;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::db::sql::row;
use crate::error::{Error, Result};
use crate::products::timestamp;

pub(super) use views::ConversationViews;

pub(super) const OPEN: &str = "open";

record! {
    Conversation {
        id: Column::id(),
        organization_id: Column::organization(),
        contact_id: Column::to(CONTACTS).needed().once(),
        channel: Column::text().needed().once(),
        status: Column::of(Kind::Word(&[OPEN, "closed"])).needed(),
        unread_count: Column::of(Kind::Integer).needed(),
        assigned_user_id: Column::to(USERS),
        assigned_ai_assistant_id: Column::of(Kind::Alien),
        pipeline_id: Column::to(PIPELINES),
        pipeline_stage_id: Column::to(STAGES),
        ai_context_cut: Column::of(Kind::Time),
        ai_auto_assignment_disabled: Column::of(Kind::Flag).needed(),
        ai_auto_assignment_disabled_reason: Column::text(),
        blocked: Column::of(Kind::Flag).needed(),
        created_at: Column::stamp(),
        last_interaction_at: Column::of(Kind::Time).needed().server(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
        last_incoming_at: Column::of(Kind::Time).server(),
        waiting_response: Column::of(Kind::Flag).needed().server(),
    } + contact
}

pub(super) struct Conversations;

impl Resource for Conversations {
    type Record = pb::Conversation;
    const SOURCE: Source = CONVERSATIONS;
    const NAME: &'static str = "conversations";
    const TAKES: Takes = Takes {
        search: true,
        tags: true,
        inbox: true,
        join: None,
    };
    const SEARCH: Search = Search::Contacts;
    const PERSON: &'static str = "t.contact_id";

    async fn prepare(
        tx: &Tx,
        context: &Context,
        new: &mut pb::Conversation,
        old: Option<&pb::Conversation>,
    ) -> Result<()> {
        let status = new.status.get_or_insert_with(|| OPEN.to_owned());
        let open = status == OPEN;
        new.unread_count.get_or_insert(0);
        new.ai_auto_assignment_disabled.get_or_insert(false);
        new.blocked.get_or_insert(false);
        new.waiting_response = Some(open && new.waiting_response == Some(true));
        new.last_interaction_at
            .get_or_insert_with(|| timestamp(context.now));
        if old.is_none() && open {
            only(tx, context, new).await?;
        }
        place::settle(tx, context, new, old).await
    }

    /// A contact has one that is open over a channel: one that comes to another contact is
    /// closed where there is one already.
    async fn moved(
        tx: &Tx,
        context: &Context,
        new: &mut pb::Conversation,
        _: &'static str,
    ) -> Result<Moving> {
        if new.status.as_deref() == Some(OPEN) && is_open(tx, context, new).await? {
            new.status = Some("closed".to_owned());
            new.waiting_response = Some(false);
        }
        Ok(Moving::Keep)
    }

    /// Its files go with it.
    async fn removed(tx: &Tx, context: &Context, old: &pb::Conversation) -> Result<()> {
        remove_all(tx, context, old.id).await
    }

    async fn join(
        connection: &impl ConnectionTrait,
        context: &Context,
        records: &mut [pb::Conversation],
        wanted: &Wanted,
    ) -> Result<()> {
        if !wanted.shows("contact") {
            return Ok(());
        }
        let what =
            "t.first_name, t.last_name, t.email, t.phone, t.phone_country_code, t.avatar_url";
        let ids = records.iter().map(|own| own.contact_id);
        let found = related(connection, context, (CONTACTS, what), ids).await?;
        for own in records {
            let contact = own.contact_id.and_then(|id| Some((id, found.get(&id)?)));
            let Some((id, row)) = contact else {
                continue;
            };
            let mut contact = pb::ConversationContact {
                id,
                first_name: row.try_get_by_index(1)?,
                last_name: row.try_get_by_index(2)?,
                ..Default::default()
            };
            if !context.hides(Contacts::NAME) {
                contact.email = row.try_get_by_index(3)?;
                contact.phone = row.try_get_by_index(4)?;
                contact.phone_country_code = row.try_get_by_index(5)?;
                contact.avatar_url = row.try_get_by_index(6)?;
            }
            own.contact = Some(contact);
        }
        Ok(())
    }

    /// A question may name a view, and asks what that asks as well.
    async fn meant(
        connection: &impl ConnectionTrait,
        context: &Context,
        find: &pb::Find,
    ) -> Result<Option<pb::Find>> {
        let Some(view) = find.view else {
            return Ok(None);
        };
        let kept = views::question(connection, context, view).await?;
        both(find.clone(), kept).map(Some)
    }

    fn narrow(context: &Context, find: &pb::Find, sql: &mut Sql, postgres: bool) -> Result<()> {
        if find.search_term.is_some() {
            context.may_view(Contacts::NAME)?;
        }
        if find.waiting_response_only == Some(true) {
            sql.push(" AND t.waiting_response = 1");
        }
        let Some(term) = find.message_search_term.as_deref() else {
            return Ok(());
        };
        context.may_view(Messages::NAME)?;
        let wrong = |what: String| {
            let words = format!("messageSearchTerm {what}");
            Error::invalid_field("messageSearchTerm", words)
        };
        let term = term.trim().to_lowercase();
        if term.contains('\0') {
            return Err(wrong("must not contain U+0000".to_owned()));
        }
        if term.chars().count() < PARTS {
            return Err(wrong(format!("must have at least {PARTS} letters")));
        }
        fits(&term).map_err(wrong)?;
        sql.push(
            " AND t.id IN (SELECT m.conversation_id FROM crm_conversation_message m \
             WHERE m.deleted_at IS NULL AND m.organization_id = ",
        );
        sql.bind(context.organization).push(" AND ");
        parts(
            ("m", "crm_conversation_message_search"),
            &term,
            postgres,
            sql,
        );
        sql.push(")");
        Ok(())
    }
}

/// Refuses a second conversation that is open with a contact over a channel. Whoever
/// makes one holds the contact meanwhile, so that two at once see each other.
async fn only(tx: &Tx, context: &Context, new: &pb::Conversation) -> Result<()> {
    let Some(contact) = new.contact_id else {
        return Ok(());
    };
    store::locked::<Contacts>(tx, context, contact).await?;
    match is_open(tx, context, new).await? {
        false => Ok(()),
        true => Err(Error::exists(
            "The contact has an open conversation over this channel",
        )),
    }
}

/// Whether the contact of a conversation has one that is open over its channel.
async fn is_open(tx: &Tx, context: &Context, own: &pb::Conversation) -> Result<bool> {
    let sql = "SELECT id FROM crm_conversation WHERE organization_id = $1 AND contact_id = $2 \
               AND channel = $3 AND status = 'open' AND deleted_at IS NULL";
    let channel = own.channel.clone();
    let values = [
        context.organization.into(),
        own.contact_id.into(),
        channel.into(),
    ];
    Ok(row(tx, sql, values).await?.is_some())
}

/// The conversation that takes what a contact writes: the open one, the last one opened
/// again, or a new one. Its caller holds the contact.
pub(super) async fn receiving(
    tx: &Tx,
    context: &Context,
    contact: i64,
    channel: &str,
) -> Result<i64> {
    let sql = "SELECT id FROM crm_conversation WHERE organization_id = $1 AND contact_id = $2 \
               AND channel = $3 AND deleted_at IS NULL \
               ORDER BY CASE status WHEN 'open' THEN 0 ELSE 1 END, id DESC LIMIT 1";
    let values = [context.organization.into(), contact.into(), channel.into()];
    if let Some(row) = row(tx, sql, values).await? {
        return Ok(row.try_get_by_index(0)?);
    }
    let new = pb::Conversation {
        contact_id: Some(contact),
        channel: Some(channel.to_owned()),
        ..Default::default()
    };
    Ok(store::make::<Conversations>(tx, context, new).await?.id)
}

impl ConversationService for Crm {
    serve!(list Conversations: list_conversations(ListConversationsRequest) -> ListConversationsResponse);
    serve!(get Conversations: get_conversation(GetConversationRequest) -> GetConversationResponse.conversation);
    serve!(create Conversations: create_conversations(CreateConversationsRequest) -> CreateConversationsResponse.conversations);
    serve!(update Conversations: update_conversation(UpdateConversationRequest) -> UpdateConversationResponse.conversation);
    serve!(delete Conversations: delete_conversation(DeleteConversationRequest) -> DeleteConversationResponse.conversation);
    serve!(restore Conversations: restore_conversation(RestoreConversationRequest) -> RestoreConversationResponse.conversation);
}
