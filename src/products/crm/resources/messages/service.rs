//! The service of messages: one for all channels, each of which has its own paths.

use super::super::super::Crm;
use super::super::super::query::{Asked, Takes, equal, group};
use super::super::super::serve::tagged;
use super::super::super::store;
use super::rules::{channel, check};
use super::{Messages, fresh_key, incoming, number, outgoing};
use crate::api::ConversationMessageService;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::server::{Call, Reply};
use pb::filter::Kind;
use pb::operand::Kind as Of;

/// How the services that keep messages begin, and those that only send.
const KEEPS: &str = "conversation-messages-";
const SENDS: &str = "conversation-messages-transform-outgoing-";

impl ConversationMessageService for Crm {
    async fn list_conversation_messages(
        &self,
        call: Call,
        request: pb::ListConversationMessagesRequest,
    ) -> Result<Reply<pb::ListConversationMessagesResponse>> {
        let channel = channel(&request.service, KEEPS)?;
        let asked = Asked {
            url: request.url_query,
            json: request.query,
            find: request.find,
        };
        let mut find = asked.read(Takes::NOTHING)?;
        if !find.filter.as_ref().is_some_and(names_conversation) {
            let words = "conversation_id is required";
            return Err(Error::invalid_field("conversation_id", words));
        }
        within(&mut find, channel);
        let context = self.context(&call)?;
        let read = self.db().read(call.deadline()).await?;
        let mut page = store::find::<Messages>(&read, &context, &find).await?;
        drop(read);
        for message in &mut page.data {
            self.locate(&call, message);
        }
        Ok(pb::ListConversationMessagesResponse {
            total: page.total,
            limit: page.limit,
            skip: page.skip,
            data: page.data,
        }
        .into())
    }

    async fn get_conversation_message(
        &self,
        call: Call,
        request: pb::GetConversationMessageRequest,
    ) -> Result<Reply<pb::GetConversationMessageResponse>> {
        let channel = channel(&request.service, KEEPS)?;
        let context = self.context(&call)?;
        let mut find = Asked::url(request.url_query).read(Takes::NOTHING)?;
        within(&mut find, channel);
        let read = self.db().read(call.deadline()).await?;
        let id = number(&read, &context, channel, &request.id).await?;
        let message = store::get::<Messages>(&read, &context, id, &find).await;
        let mut message = message.map_err(|error| store::named(error, &request.id))?;
        let located = self.locate(&call, &mut message);
        let answer = pb::GetConversationMessageResponse {
            message: Some(message),
        };
        Ok(match located {
            // Without a tag: who has it already needs a URL that is good.
            true => answer.into(),
            false => tagged(answer, |answer| answer.message.as_ref()),
        })
    }

    async fn create_conversation_message(
        &self,
        call: Call,
        request: pb::CreateConversationMessageRequest,
    ) -> Result<Reply<pb::CreateConversationMessageResponse>> {
        let channel = channel(&request.service, KEEPS)?;
        let given = request.message.unwrap_or_default();
        let comes = given.direction.as_deref() == Some("incoming");
        if !comes && !matches!(channel, "sms" | "playground") {
            let words = format!("direction must be incoming; /{SENDS}{channel} sends");
            return Err(Error::invalid_field("direction", words));
        }
        let message = self.write(&call, channel, given).await?;
        Ok(pb::CreateConversationMessageResponse {
            message: message.message,
        }
        .into())
    }

    async fn delete_conversation_message(
        &self,
        call: Call,
        request: pb::DeleteConversationMessageRequest,
    ) -> Result<Reply<pb::DeleteConversationMessageResponse>> {
        let channel = channel(&request.service, KEEPS)?;
        let context = self.context(&call)?;
        let mut find = Asked::url(request.url_query).read(Takes::NOTHING)?;
        within(&mut find, channel);
        let if_match = call.if_match().map(str::to_owned);
        let removed = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let id = number(tx, &context, channel, &request.id).await?;
                let asked = (&find, if_match.as_deref());
                let message = store::remove::<Messages>(tx, &context, id, asked).await;
                Ok(pb::DeleteConversationMessageResponse {
                    message: Some(message.map_err(|error| store::named(error, &request.id))?),
                })
            })
        });
        Ok(removed.await?.into())
    }

    async fn send_conversation_message(
        &self,
        call: Call,
        request: pb::SendConversationMessageRequest,
    ) -> Result<Reply<pb::SendConversationMessageResponse>> {
        let channel = channel(&request.service, SENDS)?;
        let given = request.message.unwrap_or_default();
        if given.direction.as_deref() == Some("incoming") {
            let words = format!("direction must be outgoing; /{KEEPS}{channel} receives");
            return Err(Error::invalid_field("direction", words));
        }
        Ok(self.write(&call, channel, given).await?.into())
    }
}

impl Crm {
    /// Stores a message, whichever way it goes.
    async fn write(
        &self,
        call: &Call,
        channel: &'static str,
        mut given: pb::ConversationMessage,
    ) -> Result<pb::SendConversationMessageResponse> {
        check(&given, channel)?;
        given.external_id.take_if(|name| name.is_empty());
        let context = self.context(call)?;
        let direction = given.direction.get_or_insert_with(|| "outgoing".to_owned());
        let comes = direction == "incoming";
        given.message_type.get_or_insert_with(|| "text".to_owned());
        given.channel = Some(channel.to_owned());
        given.key = Some(fresh_key(&context));
        let stored = self.db().answer(call.attempt(), move |tx: &Tx| {
            Box::pin(async move {
                let message = match comes {
                    true => incoming::store(tx, &context, channel, given).await?,
                    false => outgoing::send(tx, &context, channel, given).await?,
                };
                Ok(pb::SendConversationMessageResponse {
                    message: Some(message),
                })
            })
        });
        let mut stored = stored.await?;
        if let Some(message) = &mut stored.message {
            self.locate(call, message);
        }
        Ok(stored)
    }

    /// Shows where the file that goes with a message is, unless that says something else;
    /// answers whether it does.
    fn locate(&self, call: &Call, message: &mut pb::ConversationMessage) -> bool {
        if message.media_url.is_some() || message.conversation_file_id.is_none() {
            return false;
        }
        message.media_url = self.file_url(call, message.s3_key.as_deref());
        message.media_url.is_some()
    }
}

/// Only messages of the channel are meant.
fn within(find: &mut pb::Find, channel: &str) {
    let own = equal("channel", Of::Text(channel.to_owned()));
    let all = find.filter.take().into_iter().chain([own]);
    find.filter = group(all.collect());
}

/// Whether a filter is about messages of conversations it names.
fn names_conversation(filter: &pb::Filter) -> bool {
    match &filter.kind {
        Some(Kind::All(group)) => group.filters.iter().any(names_conversation),
        Some(Kind::Compare(one)) => {
            let operator = pb::Operator::try_from(one.operator);
            one.field == "conversation_id"
                && matches!(
                    operator,
                    Ok(pb::Operator::Unspecified | pb::Operator::Equal | pb::Operator::In)
                )
        }
        Some(Kind::Any(_)) | None => false,
    }
}
