//! Files of conversations: records of bytes that were sent by a signed URL, which
//! messages name.

mod service;

use sea_orm::ConnectionTrait;

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::files::{self, Place};
use super::super::resource::{Context, Resource, Wanted};
use super::super::store;
use super::CONVERSATIONS;
use super::messages::fresh_key;
use super::users::USERS;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::db::sql::{row, rows};
use crate::error::{Error, Result};
use crate::server::Call;

const CATEGORIES: Kind = Kind::Word(&["image", "audio", "file", "video"]);

record! {
    ConversationFile {
        id: Column::id(),
        key: Column::text().needed().server().shown_as("_id"),
        organization_id: Column::organization(),
        conversation_id: Column::to(CONVERSATIONS).needed().once(),
        file_name: Column::text().needed().once(),
        file_type: Column::text().needed().once(),
        file_size: Column::of(Kind::Integer).needed().once(),
        s3_key: Column::text().needed().once(),
        s3_path: Column::text().needed().once(),
        file_category: Column::of(CATEGORIES).needed().once(),
        created_by_user_id: Column::to(USERS).server(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    } + download_url
}

pub(super) struct ConversationFiles;

impl Resource for ConversationFiles {
    type Record = pb::ConversationFile;
    const SOURCE: Source = Source("crm_conversation_file");
    const NAME: &'static str = "conversation-files";
    const SHOWN: &'static [&'static str] = &["id", "_id"];

    /// A file is what its bytes are.
    async fn prepare(
        tx: &Tx,
        context: &Context,
        new: &mut pb::ConversationFile,
        _: Option<&pb::ConversationFile>,
    ) -> Result<()> {
        new.key.get_or_insert_with(|| fresh_key(context));
        let required = || Error::invalid_field("s3_key", "s3_key is required");
        let key = new.s3_key.clone().ok_or_else(required)?;
        let missing = || store::missing(&key);
        let own = context.organization.0;
        let none = || Error::not_found("No record found for this s3_key");
        let place = Place::of_key(own, &key).ok_or_else(none)?;
        let sent = files::sent(tx, (own, &key), context.now).await?;
        let sent = sent.ok_or_else(missing)?;
        for (name, wrong) in [
            (
                "file_size",
                new.file_size.is_some_and(|own| own != sent.size),
            ),
            (
                "file_type",
                new.file_type.as_ref().is_some_and(|own| *own != sent.kind),
            ),
            (
                "s3_path",
                new.s3_path.as_ref().is_some_and(|own| *own != place.path()),
            ),
        ] {
            if wrong {
                let words = format!("{name} is not that of what was sent");
                return Err(Error::invalid_field(name, words));
            }
        }
        let category = match sent.kind.split('/').next() {
            Some(kind @ ("image" | "audio" | "video")) => kind,
            Some(_) | None => "file",
        };
        new.file_category.get_or_insert_with(|| category.to_owned());
        new.s3_path = Some(place.path());
        (new.file_size, new.file_type) = (Some(sent.size), Some(sent.kind));
        Ok(())
    }

    async fn made(tx: &Tx, context: &Context, new: &pb::ConversationFile) -> Result<()> {
        let key = new.s3_key.as_deref().unwrap_or_default();
        match files::claim(tx, (context.organization.0, key), context.now).await? {
            true => Ok(()),
            false => Err(store::missing(key)),
        }
    }

    async fn removed(tx: &Tx, context: &Context, old: &pb::ConversationFile) -> Result<()> {
        let key = old.s3_key.as_deref().unwrap_or_default();
        files::release(tx, (context.organization.0, key), context.now).await
    }

    async fn join(
        _: &impl ConnectionTrait,
        _: &Context,
        records: &mut [pb::ConversationFile],
        _: &Wanted,
    ) -> Result<()> {
        // It is known by its name alone.
        records.iter_mut().for_each(|own| own.id = 0);
        Ok(())
    }
}

impl Crm {
    /// The URL of this server, as the caller reaches it, where bytes of its organization
    /// are loaded.
    pub(super) fn file_url(&self, call: &Call, key: Option<&str>) -> Option<String> {
        let place = Place::of_key(call.organization().ok()?.0, key?)?;
        Some(url(call, &self.files().to_load(&place, self.now())))
    }
}

/// A URL of this server, as the caller reaches it.
fn url(call: &Call, path: &str) -> String {
    let client = call.client();
    let scheme = if client.secure { "https" } else { "http" };
    match &client.host {
        Some(host) => format!("{scheme}://{host}{path}"),
        None => path.to_owned(),
    }
}

/// The number of a file, by its name; one that nothing has, if there is none.
async fn number(connection: &impl ConnectionTrait, context: &Context, id: &str) -> Result<i64> {
    let sql = "SELECT id FROM crm_conversation_file WHERE organization_id = $1 AND key = $2";
    let found = row(connection, sql, [context.organization.into(), id.into()]).await?;
    let id = found.map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(id.unwrap_or_default())
}

/// Has a message say what is known of the file that goes with it, which must be there.
pub(super) async fn attach(
    tx: &Tx,
    context: &Context,
    message: &mut pb::ConversationMessage,
) -> Result<()> {
    let Some(id) = message.conversation_file_id.as_deref() else {
        return Ok(());
    };
    let number = number(tx, context, id).await?;
    let file = store::get::<ConversationFiles>(tx, context, number, &pb::Find::default()).await;
    let file = file.map_err(|error| store::named(error, id))?;
    message.file_name = message.file_name.take().or(file.file_name);
    (message.file_type, message.file_size) = (file.file_type, file.file_size);
    (message.s3_key, message.s3_path) = (file.s3_key, file.s3_path);
    Ok(())
}

/// Removes the files of a conversation.
pub(super) async fn remove_all(tx: &Tx, context: &Context, conversation: i64) -> Result<()> {
    let sql = "SELECT id FROM crm_conversation_file WHERE organization_id = $1 \
               AND conversation_id = $2 AND deleted_at IS NULL ORDER BY id";
    let values = [context.organization.into(), conversation.into()];
    for row in rows(tx, sql, values).await? {
        let id = row.try_get_by_index(0)?;
        let whole = (&pb::Find::default(), None);
        store::remove::<ConversationFiles>(tx, context, id, whole).await?;
    }
    Ok(())
}
