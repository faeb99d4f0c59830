//! Requests of the CRM that are not like the others: changes of many conversations, and
//! messages, whose service is named.

use serde_json::{Value, json};

use super::{Entry, body, named, object};

/// What a field of a bulk action names.
pub(super) fn add(
    (method, field, steps): (&'static str, &'static str, &[&str]),
    entries: &mut Vec<Entry>,
    exempt: &mut Vec<(&'static str, &'static str, &'static str)>,
) {
    let last = steps[steps.len() - 1];
    let own = json!(["$own:conversation"]);
    let (named, request) = match (steps, last) {
        (["filter", _], _) => return exempt.push((method, field, "another's finds nothing")),
        (_, "organization_id") => {
            return exempt.push((method, field, "another's is refused with 403"));
        }
        (_, "assigned_ai_assistant_id") => {
            return exempt.push((method, field, "somebody else's name for an assistant"));
        }
        (_, "conversation_ids") => {
            let request = json!({"action": "assign", "conversation_ids": ["$id"]});
            ("conversation", request)
        }
        (_, "view_id") => (
            "conversation_view",
            json!({"action": "assign", "view_id": "$id"}),
        ),
        (_, name) => {
            let named = named("conversation", name).expect(name);
            let action = if name == "assigned_user_id" {
                "assign"
            } else {
                "move"
            };
            let mut request = json!({"action": action, "conversation_ids": own});
            let change = json!({name: "$id"});
            match steps {
                ["data", _] => request["data"] = change,
                _ => request[name] = json!("$id"),
            }
            (named, request)
        }
    };
    entries.push(Entry {
        method,
        field,
        object: object(named),
        request: request.to_string().leak(),
    });
}

/// A request of the service of messages.
pub(super) fn message(method: &str, member: Option<&str>) -> &'static str {
    const SERVICE: &str = "conversation-messages-whatsapp";
    let request: Value = match method {
        "CreateConversationMessage" => {
            let mut message: Value =
                serde_json::from_str(&body("conversation_message", member)).unwrap();
            if member == Some("conversation_id") {
                message.as_object_mut().unwrap().shift_remove("contact_id");
            }
            json!({"service": SERVICE, "message": message})
        }
        "SendConversationMessage" if member == Some("conversation_file_id") => json!({
            "service": "conversation-messages-transform-outgoing-whatsapp",
            "message": {"conversation_id": "$own:conversation", "message_type": "note",
                "message_text": "Hm", "conversation_file_id": "$id"},
        }),
        "SendConversationMessage" => json!({
            "service": "conversation-messages-transform-outgoing-whatsapp",
            "message": {"conversation_id": "$id", "message_type": "note", "message_text": "Hm"},
        }),
        _ => json!({"service": SERVICE, "id": "$id"}),
    };
    request.to_string().leak()
}
