//! Messages of conversations. All channels keep theirs alike; what differs is how a
//! message is known, and what may be sent when.

mod incoming;
mod outgoing;
mod rules;
mod service;

use sea_orm::ConnectionTrait;

use super::super::column::{Column, Kind, Source, record};
use super::super::resource::{Beside, Context, Resource, Wanted};
use super::users::USERS;
use super::{CONTACTS, CONVERSATIONS};
use crate::api::apex::crm::v1 as pb;
use crate::clock::MICROS;
use crate::db::sql::row;
use crate::error::Result;
pub(in super::super) use outgoing::settled;
use rules::{CHANNELS, TYPES, is_numbered};

record! {
    ConversationMessage {
        id: Column::id(),
        key: Column::text().once().shown_as("_id"),
        organization_id: Column::organization(),
        conversation_id: Column::to(CONVERSATIONS).needed().once(),
        contact_id: Column::to(CONTACTS).needed().once(),
        channel: Column::of(CHANNELS).needed().once(),
        direction: Column::of(Kind::Word(&["incoming", "outgoing"])).needed().once(),
        message_type: Column::of(TYPES).needed().once(),
        message_text: Column::text().once(),
        media_url: Column::text().once(),
        s3_key: Column::text().once(),
        s3_path: Column::text().once(),
        file_name: Column::text().once(),
        file_type: Column::text().once(),
        file_size: Column::of(Kind::Integer).once(),
        conversation_file_id: Column::text().once(),
        external_id: Column::text().once(),
        template: Column::of(Kind::Opaque).once(),
        status: Column::text().needed().once(),
        sent_by_user_id: Column::to(USERS).once(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    }
}

/// A number no record has.
const NOTHING: i64 = 0;

pub(super) struct Messages;

impl Resource for Messages {
    type Record = pb::ConversationMessage;
    const SOURCE: Source = Source("crm_conversation_message");
    const NAME: &'static str = "conversation-messages";
    const SHOWN: &'static [&'static str] = &["id", "_id"];
    const DUE: Option<&'static str> = Some(
        "INSERT INTO crm_conversation_message_search (rowid, search) \
         SELECT t.id, t.search FROM crm_conversation_message_due d \
         JOIN crm_conversation_message t ON t.id = d.id; \
         DELETE FROM crm_conversation_message_due",
    );

    /// Shows a message by what its channel knows it by.
    async fn join(
        _: &impl ConnectionTrait,
        _: &Context,
        records: &mut [pb::ConversationMessage],
        _: &Wanted,
    ) -> Result<()> {
        for own in records {
            match own.channel.as_deref().is_some_and(is_numbered) {
                true => own.key = None,
                false => own.id = 0,
            }
        }
        Ok(())
    }

    /// What is searched: what it says, in small letters.
    fn beside(message: &pb::ConversationMessage) -> Beside {
        let text = message.message_text.as_deref().unwrap_or_default();
        vec![("search", text.to_lowercase().into())]
    }
}

/// A new name: the seconds, so that names are in order, and chance.
pub(super) fn fresh_key(context: &Context) -> String {
    let seconds = (context.now / MICROS) as u32;
    let chance = uuid::Uuid::new_v4().as_u64_pair().1;
    format!("{seconds:08x}{chance:016x}")
}

/// The number of a message, by what its channel knows it by. What is not there has one
/// that nothing has, so that it is missed like anything else.
async fn number(
    connection: &impl ConnectionTrait,
    context: &Context,
    channel: &str,
    id: &str,
) -> Result<i64> {
    if is_numbered(channel) {
        return Ok(id.parse().unwrap_or(NOTHING));
    }
    let sql = "SELECT id FROM crm_conversation_message WHERE organization_id = $1 AND key = $2";
    let found = row(connection, sql, [context.organization.into(), id.into()]).await?;
    let id = found.map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(id.unwrap_or(NOTHING))
}
