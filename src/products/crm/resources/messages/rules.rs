//! What channels there are, and what may be written over them.

use super::super::super::column::Kind;
use super::super::super::resource::Context;
use crate::api::apex::crm::v1 as pb;
use crate::clock::MICROS;
use crate::error::{Error, Result};
use crate::products::micros;

const ALL: &[&str] = &[
    "whatsapp",
    "instagram",
    "messenger",
    "webchat",
    "sms",
    "playground",
];

/// The channels.
pub(super) const CHANNELS: Kind = Kind::Word(ALL);

/// What messages may be.
pub(super) const TYPES: Kind = Kind::Word(&[
    "text", "image", "video", "document", "audio", "location", "note", "reaction", "template",
]);

/// How long after a contact wrote the channels of Meta take what is no template.
const WINDOW: i64 = 24 * 60 * 60 * MICROS;

/// The channel of a service, whose name begins alike for all of them.
pub(super) fn channel(service: &str, prefix: &str) -> Result<&'static str> {
    let named = service.strip_prefix(prefix);
    let channel = ALL.iter().find(|channel| named == Some(**channel));
    channel
        .copied()
        .ok_or_else(|| Error::invalid_field("service", "service is no service of messages"))
}

/// Whether messages of a channel are known by numbers.
pub(super) fn is_numbered(channel: &str) -> bool {
    matches!(channel, "sms" | "playground")
}

/// The contact of the conversation that a message names, if that is one of the channel
/// and the message names no other contact.
pub(super) fn contact(
    given: &pb::ConversationMessage,
    named: &pb::Conversation,
    channel: &str,
) -> Result<i64> {
    let wrong = |name: &str, what: &str| Err(Error::invalid_field(name, format!("{name} {what}")));
    if named.channel.as_deref() != Some(channel) {
        return wrong("conversation_id", "is no conversation of this channel");
    }
    match named.contact_id {
        Some(contact) if given.contact_id.is_none_or(|own| own == contact) => Ok(contact),
        Some(_) | None => wrong("contact_id", "is not the contact of the conversation"),
    }
}

/// What a message is.
pub(super) fn kind(message: &pb::ConversationMessage) -> &str {
    message.message_type.as_deref().unwrap_or("text")
}

/// Whether a message is one of the talk, rather than about it.
pub(super) fn is_talk(message: &pb::ConversationMessage) -> bool {
    !matches!(kind(message), "note" | "reaction")
}

/// Refuses what the server alone sets, and what a message of its kind lacks.
pub(super) fn check(message: &pb::ConversationMessage, channel: &str) -> Result<()> {
    let wrong = |name: &str, what: &str| Err(Error::invalid_field(name, format!("{name} {what}")));
    let other = message.channel.as_deref().is_some_and(|own| own != channel);
    for (name, set) in [
        ("channel", other),
        ("_id", message.key.is_some()),
        ("status", message.status.is_some()),
        ("sent_by_user_id", message.sent_by_user_id.is_some()),
    ] {
        if set {
            return wrong(name, "cannot be set");
        }
    }
    let said = |text: &Option<String>| text.as_ref().is_some_and(|own| !own.trim().is_empty());
    let has_media = [
        &message.media_url,
        &message.s3_key,
        &message.s3_path,
        &message.conversation_file_id,
    ];
    match kind(message) {
        "template" if channel != "whatsapp" => {
            wrong("message_type", "template is of whatsapp alone")
        }
        "template" if message.template.is_none() && !said(&message.message_text) => {
            wrong("template", "is required with the message_type template")
        }
        "image" | "video" | "document" | "audio" if !has_media.into_iter().any(said) => {
            wrong("media_url", "is required with such a message_type")
        }
        "text" | "note" | "reaction" | "location" if !said(&message.message_text) => {
            wrong("message_text", "is required")
        }
        _ => Ok(()),
    }
}

/// Refuses what a channel of Meta would not deliver any more.
pub(super) fn in_time(
    context: &Context,
    message: &pb::ConversationMessage,
    conversation: &pb::Conversation,
    channel: &str,
) -> Result<()> {
    let bound = matches!(channel, "whatsapp" | "instagram" | "messenger");
    if !bound || matches!(kind(message), "note" | "template") {
        return Ok(());
    }
    let last = conversation.last_incoming_at.as_ref().and_then(micros);
    match last.is_some_and(|last| context.now - last <= WINDOW) {
        true => Ok(()),
        false => Err(Error::invalid_field(
            "message_type",
            "The contact did not write in the last 24 hours: \
             only notes, and templates over whatsapp, can be sent",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_name_channels() {
        let prefix = "conversation-messages-";
        let named = channel("conversation-messages-sms", prefix).unwrap();
        assert_eq!(named, "sms");
        for wrong in ["sms", "conversation-messages-", "conversation-messages-fax"] {
            assert!(channel(wrong, prefix).is_err(), "{wrong}");
        }
    }
}
