//! Messages that come: each is stored once, whatever became of what it names, and is
//! exported.

use serde_json::json;

use super::messages::name;
use super::{client, make};

/// A message that is known opens nothing, whatever became of what it names.
#[tokio::test]
async fn a_repeat_opens_no_conversation() {
    let (_server, http, _own) = client();
    let contact = make(&http, "/contacts", json!({"first_name": "Ann"})).await["id"].clone();
    let path = "/conversation-messages-webchat";
    let body = json!({"direction": "incoming", "contact_id": contact,
        "message_text": "Hello", "external_id": "wc1"});
    let first = make(&http, path, body.clone()).await;
    let talk = format!("/conversations/{}", first["conversation_id"]);
    http.delete(&talk).await.expect(200);
    let mut named = body.clone();
    named["conversation_id"] = first["conversation_id"].clone();
    for again in [&body, &named] {
        assert_eq!(http.post(path, again).await.expect(201), first);
    }
    http.delete(&format!("/contacts/{contact}"))
        .await
        .expect(200);
    assert_eq!(http.post(path, &body).await.expect(201), first);
    assert_eq!(http.get("/conversations").await.json()["total"], 0);
}

/// An export ends, and says what each message is known by.
#[tokio::test]
async fn messages_and_files_are_exported() {
    let (_server, http, _own) = client();
    let contact = make(&http, "/contacts", json!({"first_name": "Ann"})).await["id"].clone();
    let mut known = Vec::new();
    for channel in ["sms", "webchat", "whatsapp"] {
        let body = json!({"direction": "incoming", "contact_id": contact,
            "message_text": "Hello"});
        let path = format!("/conversation-messages-{channel}");
        let made = make(&http, &path, body).await;
        known.push(name(&made));
    }
    let file = crate::support::records::file(&http).await["_id"].clone();
    for (path, names) in [
        ("/exports/conversation-messages", &known),
        (
            "/exports/conversation-files",
            &vec![file.as_str().unwrap().to_owned()],
        ),
    ] {
        let lines = http.get(&format!("{path}?$format=ndjson")).await;
        assert_eq!(lines.text.lines().count(), names.len(), "{}", lines.text);
        let cells = http.get(path).await;
        assert_eq!(cells.text.lines().count(), names.len() + 1);
        let (head, rows) = cells.text.split_once("\r\n").unwrap();
        assert!(head.starts_with("id,_id,"), "{head}");
        for (row, name) in rows.lines().zip(names) {
            assert!(row.split(',').take(2).any(|cell| cell == name), "{row}");
        }
    }
}

/// No name at all is nobody's name.
#[tokio::test]
async fn messages_without_a_name_are_all_stored() {
    let (_server, http, _own) = client();
    let contact = make(&http, "/contacts", json!({"first_name": "Ann"})).await;
    let path = "/conversation-messages-sms";
    for (number, text) in ["first", "second"].into_iter().enumerate() {
        let body = json!({"direction": "incoming", "contact_id": contact["id"],
            "message_text": text, "external_id": ""});
        let made = make(&http, path, body).await;
        assert_eq!(made["message_text"], text);
        assert_eq!(made["external_id"], serde_json::Value::Null);
        let list = format!("{path}?conversation_id={}", made["conversation_id"]);
        assert_eq!(http.get(&list).await.json()["total"], number + 1);
    }
}
