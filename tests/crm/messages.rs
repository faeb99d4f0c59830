//! Messages of conversations, over every channel.

use serde_json::{Value, json};

use super::{client, make, with};
use crate::growth::receiver::{Reaction, Receiver};

const CHANNELS: [&str; 6] = [
    "whatsapp",
    "instagram",
    "messenger",
    "webchat",
    "sms",
    "playground",
];

/// What a message is known by over its channel.
pub fn name(message: &Value) -> String {
    match (&message["_id"], &message["id"]) {
        (Value::String(id), Value::Null) => {
            assert!(
                id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit()),
                "{id}"
            );
            id.clone()
        }
        (Value::Null, Value::Number(id)) => id.to_string(),
        _ => panic!("{message} is known by one of them"),
    }
}

#[tokio::test]
async fn channels_keep_messages_apart() {
    let (_server, http, own) = client();
    let contact = make(&http, "/contacts", json!({"first_name": "Ann"})).await;
    for channel in CHANNELS {
        let path = format!("/conversation-messages-{channel}");
        let body = json!({"direction": "incoming", "contact_id": contact["id"],
            "message_text": format!("By {channel}")});
        let made = make(&http, &path, body).await;
        let numbered = matches!(channel, "sms" | "playground");
        assert_eq!(made["id"].is_number(), numbered, "{made}");
        assert_eq!(made.get("_id").is_none(), numbered, "{made}");
        for (name, value) in [
            ("organization_id", json!(own.id)),
            ("contact_id", contact["id"].clone()),
            ("channel", json!(channel)),
            ("direction", json!("incoming")),
            ("message_type", json!("text")),
            ("status", json!("received")),
            ("sent_by_user_id", Value::Null),
            ("deleted_at", Value::Null),
        ] {
            assert_eq!(made[name], value, "{name}");
        }
        let conversation = &made["conversation_id"];
        let like = json!({"direction": "incoming", "contact_id": contact["id"],
            "message_text": "👍", "message_type": "reaction"});
        make(&http, &path, like).await;
        let query = format!("{path}?conversation_id={conversation}&message_type[$ne]=reaction");
        let page = http.get(&query).await.expect(200);
        assert_eq!((&page["total"], &page["data"]), (&json!(1), &json!([made])));
        let one = format!("{path}/{}", name(&made));
        let read = http.get(&one).await;
        assert!(read.header("etag").is_some());
        assert_eq!(read.expect(200), made);
        // Another channel does not know it.
        let other = CHANNELS[(CHANNELS.iter().position(|own| *own == channel).unwrap() + 1) % 6];
        let alien = format!("/conversation-messages-{other}/{}", name(&made));
        let alien = http.get(&alien).await.expect(404);
        assert_eq!(
            alien["message"],
            format!("No record found for id '{}'", name(&made))
        );
        let removed = http.delete(&one).await.expect(200);
        assert!(removed["deleted_at"].is_string());
        http.get(&one).await.expect(404);
        assert_eq!(http.get(&query).await.json()["total"], 0);
        let whole = http.get(&path).await.expect(400);
        assert_eq!(whole["message"], "conversation_id is required");
        let nobody = json!({"direction": "incoming", "message_text": "Who?"});
        http.post(&path, &nobody).await.expect(400);
        let talk = http
            .get(&format!("/conversations/{conversation}"))
            .await
            .json();
        assert_eq!(
            (&talk["channel"], &talk["unread_count"]),
            (&json!(channel), &json!(1))
        );
    }
    http.get("/conversation-messages-fax?conversation_id=1")
        .await
        .expect(404);
}

/// However often a channel says it, a message is stored once.
#[tokio::test]
async fn what_is_known_is_not_stored_again() {
    let (_server, http, _own) = client();
    let contact = make(&http, "/contacts", json!({"first_name": "Ann"})).await;
    let path = "/conversation-messages-whatsapp";
    let body = json!({"direction": "incoming", "contact_id": contact["id"],
        "message_text": "Hello", "external_id": "wamid.1"});
    let all = (0..10).map(|_| http.post(path, &body));
    let all = futures_util::future::join_all(all).await;
    let first = all[0].expect(201);
    for answer in &all {
        assert_eq!(answer.expect(201), first);
    }
    let talk = format!("/conversations/{}", first["conversation_id"]);
    let now = http.get(&talk).await.json();
    assert_eq!(now["unread_count"], 1);
    assert_eq!(now["last_interaction_at"], first["created_at"]);
    assert_eq!(now["last_incoming_at"], first["created_at"]);
    // The same name over another channel is another message.
    make(&http, "/conversation-messages-sms", body.clone()).await;
    // What was removed does not come back.
    http.delete(&format!("{path}/{}", name(&first)))
        .await
        .expect(200);
    let again = http.post(path, &body).await.expect(201);
    assert!(again["deleted_at"].is_string());
    // A closed conversation is opened by what comes next, with what it had.
    http.patch(&talk, &json!({"status": "closed", "unread_count": 0}))
        .await
        .expect(200);
    let next =
        json!({"direction": "incoming", "contact_id": contact["id"], "message_text": "Again"});
    let next = make(&http, path, next).await;
    assert_eq!(next["conversation_id"], first["conversation_id"]);
    let now = http.get(&talk).await.json();
    assert_eq!(
        (&now["status"], &now["unread_count"]),
        (&json!("open"), &json!(1))
    );
}

#[tokio::test]
async fn what_is_sent() {
    let (_server, http, own) = client();
    let contact = make(&http, "/contacts", json!({"first_name": "Ann"})).await;
    let begun = |channel: &str| json!({"contact_id": contact["id"], "channel": channel});
    for channel in &CHANNELS[..4] {
        let path = format!("/conversation-messages-transform-outgoing-{channel}");
        let talk = make(&http, "/conversations", begun(channel)).await;
        let of = |kind: &str, text: &str| json!({"conversation_id": talk["id"], "message_type": kind, "message_text": text});
        let bound = *channel != "webchat";
        // Nobody wrote within a day.
        let late = http.post(&path, &of("text", "Hello")).await;
        let late = late.expect(if bound { 400 } else { 201 });
        if bound {
            let words = late["message"].as_str().unwrap();
            assert!(
                words.starts_with("The contact did not write in the last 24 hours"),
                "{words}"
            );
        }
        let note = make(&http, &path, of("note", "Be nice")).await;
        assert_eq!(
            [&note["status"], &note["direction"]],
            ["stored", "outgoing"]
        );
        let template = of("template", "welcome");
        let template = http.post(&path, &template).await;
        template.expect(if *channel == "whatsapp" { 201 } else { 400 });
        let receive = format!("/conversation-messages-{channel}");
        let came =
            json!({"direction": "incoming", "contact_id": contact["id"], "message_text": "?"});
        make(&http, &receive, came).await;
        let waiting = format!("/conversations?waitingResponseOnly=true&channel={channel}");
        assert_eq!(http.get(&waiting).await.json()["total"], 1);
        make(&http, &path, of("note", "Who answers?")).await;
        assert_eq!(http.get(&waiting).await.json()["total"], 1);
        let sent = make(&http, &path, of("text", "Hello")).await;
        assert_eq!(
            [&sent["status"], &sent["channel"]],
            [&json!("pending"), &json!(channel)]
        );
        assert!(sent["sent_by_user_id"].is_number());
        assert_eq!(http.get(&waiting).await.json()["total"], 0);
        let now = http
            .get(&format!("/conversations/{}", talk["id"]))
            .await
            .json();
        assert_eq!(now["last_interaction_at"], sent["created_at"]);
        assert_eq!(now["unread_count"], 1);
        // Each service does its own part.
        http.post(&receive, &of("text", "Hello")).await.expect(400);
        let came =
            json!({"direction": "incoming", "conversation_id": talk["id"], "message_text": "x"});
        http.post(&path, &came).await.expect(400);
    }
    for channel in &CHANNELS[4..] {
        let path = format!("/conversation-messages-{channel}");
        let talk = make(&http, "/conversations", begun(channel)).await;
        let body = json!({"conversation_id": talk["id"], "organization_id": own.id,
            "contact_id": contact["id"], "message_text": "Hello"});
        let sent = make(&http, &path, body).await;
        let status = if *channel == "sms" { "pending" } else { "sent" };
        assert_eq!(sent["status"], status);
        http.post(
            &format!("/conversation-messages-transform-outgoing-{channel}"),
            &json!({}),
        )
        .await
        .expect(404);
    }
}

#[tokio::test]
async fn what_cannot_be_sent() {
    let (server, http, _own) = client();
    let contact = make(&http, "/contacts", json!({"first_name": "Ann"})).await;
    let joe = make(&http, "/contacts", json!({"first_name": "Joe"})).await;
    let talk = json!({"contact_id": contact["id"], "channel": "sms"});
    let talk = make(&http, "/conversations", talk).await;
    let chat = json!({"contact_id": contact["id"], "channel": "webchat"});
    let chat = make(&http, "/conversations", chat).await;
    let path = "/conversation-messages-sms";
    let id = &talk["id"];
    for (body, message) in [
        (json!({"message_text": "x"}), "conversation_id is required"),
        (json!({"conversation_id": id}), "message_text is required"),
        (
            json!({"conversation_id": id, "message_type": "image"}),
            "media_url is required with such a message_type",
        ),
        (
            json!({"conversation_id": chat["id"], "message_text": "x"}),
            "conversation_id is no conversation of this channel",
        ),
        (
            json!({"conversation_id": id, "contact_id": joe["id"], "message_text": "x"}),
            "contact_id is not the contact of the conversation",
        ),
        (
            json!({"conversation_id": id, "message_text": "x", "status": "sent"}),
            "status cannot be set",
        ),
        (
            json!({"conversation_id": id, "message_text": "x", "channel": "whatsapp"}),
            "channel cannot be set",
        ),
        (
            json!({"conversation_id": id, "message_text": "x", "direction": "sideways"}),
            "direction must be one of incoming, outgoing",
        ),
        (
            json!({"conversation_id": id, "message_text": "x", "message_type": "smoke"}),
            "message_type must be one of text, image, video, document, audio, location, note, \
             reaction, template",
        ),
    ] {
        let refused = http.post(path, &body).await.expect(400);
        assert_eq!(refused["message"], message, "{body}");
    }
    let other = server.organization("Other");
    let other = server.http().with("x-api-key", &other.key);
    let alien = json!({"conversation_id": id, "message_text": "x"});
    other.post(path, &alien).await.expect(404);
    let alien = json!({"direction": "incoming", "contact_id": contact["id"], "message_text": "x"});
    other.post(path, &alien).await.expect(404);
    let page = http
        .get(&format!("{path}?conversation_id={id}"))
        .await
        .json();
    assert_eq!(page["total"], 0);
    assert_eq!(
        other
            .get(&format!("{path}?conversation_id={id}"))
            .await
            .json()["total"],
        0
    );
}

#[tokio::test]
async fn replies_are_kept() {
    let (_server, http, own) = client();
    for title in ["Prices", "Opening hours"] {
        let body = json!({"title": title, "content": "See our page", "organization_id": own.id});
        let made = make(&http, "/conversation-predefined-messages", body).await;
        assert_eq!(made["message_type"], "text");
        assert!(made["created_by_user_id"].is_number());
    }
    let list = format!(
        "/conversation-predefined-messages?organization_id={}&$sort[title]=1",
        own.id
    );
    let page = http.get(&list).await.json();
    assert_eq!(page["data"][0]["title"], "Opening hours");
    let path = format!(
        "/conversation-predefined-messages/{}",
        page["data"][0]["id"]
    );
    let image = json!({"message_type": "image", "media_url": "https://acme.test/map.png",
        "filename": "map.png", "mime_type": "image/png", "content": null});
    let image = http.patch(&path, &image).await.expect(200);
    assert_eq!(
        [&image["filename"], &image["content"]],
        [&json!("map.png"), &Value::Null]
    );
    http.patch(&path, &json!({"media_url": null}))
        .await
        .expect(400);
    http.post("/conversation-predefined-messages", &json!({"title": "x"}))
        .await
        .expect(400);
    http.delete(&path).await.expect(200);
    assert_eq!(http.get(&list).await.json()["total"], 1);
}

/// Who delivers is told of what is to be sent; the message says what came of it.
#[tokio::test]
async fn what_is_sent_is_handed_over() {
    let (_server, http, own) = with(&[
        ("APEX_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8"),
        ("APEX_WEBHOOKS_FIRST_RETRY", "50ms"),
        ("APEX_WEBHOOKS_GIVE_UP", "200ms"),
    ]);
    let receiver = Receiver::start().await;
    let hook = json!({"url": receiver.url, "events": ["conversation-messages.outgoing"]});
    make(&http, "/webhooks", hook).await;
    let contact = make(&http, "/contacts", json!({"first_name": "Ann"})).await;
    let talk = json!({"contact_id": contact["id"], "channel": "webchat"});
    let talk = make(&http, "/conversations", talk).await;
    let body = |kind: &str, text: &str| json!({"conversation_id": talk["id"], "message_type": kind, "message_text": text});
    let path = "/conversation-messages-transform-outgoing-webchat";
    make(&http, path, body("note", "Not for you")).await;
    let sent = make(&http, path, body("text", "Hello")).await;
    let status = async |message: &Value, wanted: &str| {
        let one = format!("/conversation-messages-webchat/{}", name(message));
        crate::support::attacker::until(wanted, || async {
            http.get(&one).await.expect(200)["status"] == wanted
        })
        .await;
    };
    let told = receiver.wait(1).await[0].json();
    assert_eq!(told["type"], "conversation-messages.outgoing");
    assert_eq!(told["organization_id"], own.id);
    assert_eq!(told["entity"], "conversation-messages-webchat");
    assert_eq!(told["data"], sent);
    status(&sent, "sent").await;
    // One that nobody takes is given up.
    receiver.plan((0..50).map(|_| Reaction::Answer(500, "")));
    let lost = make(&http, path, body("text", "Still there?")).await;
    status(&lost, "failed").await;
    assert_eq!(
        receiver.received()[0].json()["data"]["message_text"],
        "Hello"
    );
}

/// Who delivers is disabled, or removed, before it took what is to be sent.
#[tokio::test]
async fn what_nobody_hands_over_any_more() {
    let (_server, http, _own) = with(&[("APEX_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8")]);
    let receiver = Receiver::start().await;
    receiver.plan((0..50).map(|_| Reaction::Answer(500, "")));
    let contact = make(&http, "/contacts", json!({"first_name": "Ann"})).await;
    let talk = json!({"contact_id": contact["id"], "channel": "webchat"});
    let talk = make(&http, "/conversations", talk).await;
    for disables in [true, false] {
        let hook = json!({"url": receiver.url, "events": ["conversation-messages.outgoing"]});
        let hook = make(&http, "/webhooks", hook).await;
        let hook = format!("/webhooks/{}", hook["id"]);
        let message = json!({"conversation_id": talk["id"], "message_text": "Hello"});
        let path = "/conversation-messages-transform-outgoing-webchat";
        let sent = make(&http, path, message).await;
        assert_eq!(sent["status"], "pending");
        match disables {
            true => http.patch(&hook, &json!({"status": "disabled"})).await,
            false => http.delete(&hook).await,
        }
        .expect(200);
        let one = format!("/conversation-messages-webchat/{}", name(&sent));
        assert_eq!(http.get(&one).await.expect(200)["status"], "failed");
    }
}
