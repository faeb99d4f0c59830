//! Files of conversations, from the signed URL to what is loaded, and what is refused on
//! the way.

mod uploads;
mod urls;

use reqwest::Method;
use serde_json::{Value, json};

use super::{client, make};
use crate::support::attacker::until;
use crate::support::{Answer, Http, Server};

/// Where a file may be sent.
pub struct Signed {
    pub path: String,
    pub key: String,
}

/// Signs a URL.
pub async fn signed(http: &Http, name: &str, kind: &str) -> Signed {
    let body = json!({"file_name": name, "file_type": kind});
    let signed = make(http, "/s3-url-signing", body).await;
    let key = signed["s3PathWithoutBucket"].as_str().unwrap().to_owned();
    assert_eq!(signed["s3Path"], format!("s3://apex/{key}"));
    let path = path(&signed["signedUrl"]);
    assert!(
        path.starts_with(&format!("/conversation-files/{key}?")),
        "{path}"
    );
    Signed { path, key }
}

/// The path of a URL of the server.
pub fn path(url: &Value) -> String {
    let (scheme, rest) = url.as_str().unwrap().split_once("://").unwrap();
    assert_eq!(scheme, "http");
    rest[rest.find('/').unwrap()..].to_owned()
}

/// Sends bytes to a path, without a credential.
pub async fn send(server: &Server, path: &str, kind: &str, bytes: &[u8]) -> Answer {
    let http = server.http().with("content-type", kind);
    http.send(Method::PUT, path, Some(bytes.to_vec())).await
}

/// Loads bytes from a path, without a credential.
async fn load(server: &Server, path: &str) -> reqwest::Response {
    reqwest::get(format!("{}{path}", server.url)).await.unwrap()
}

/// A conversation over a channel in which its contact wrote.
async fn talk(http: &Http, channel: &str) -> Value {
    let contact = make(http, "/contacts", json!({"first_name": "Ann"})).await;
    let body = json!({"direction": "incoming", "contact_id": contact["id"], "message_text": "Hi"});
    let first = make(http, &format!("/conversation-messages-{channel}"), body).await;
    first["conversation_id"].clone()
}

/// Sends a file and records it.
async fn file(server: &Server, http: &Http, talk: &Value, kind: &str, bytes: &[u8]) -> Value {
    let place = signed(http, "file", kind).await;
    send(server, &place.path, kind, bytes).await.expect(200);
    let body = json!({"conversation_id": talk, "file_name": "file", "s3_key": place.key});
    make(http, "/conversation-files", body).await
}

/// How many files there are in the folder for them.
fn kept(server: &Server) -> usize {
    std::fs::read_dir(server.data.join("files")).map_or(0, Iterator::count)
}

/// The three steps of the documentation, and a message of each kind with the file.
#[tokio::test]
async fn a_file_goes_with_messages() {
    let (server, http, own) = client();
    let chat = talk(&http, "whatsapp").await;
    let body =
        json!({"file_name": "plan.png", "file_type": "image/png", "organization_id": own.id});
    let answer = http.post("/s3-url-signing", &body).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let place = answer.expect(201);
    let members: Vec<&String> = place.as_object().unwrap().keys().collect();
    assert_eq!(members, ["signedUrl", "s3Path", "s3PathWithoutBucket"]);
    let put = path(&place["signedUrl"]);
    let (key, s3_path) = (&place["s3PathWithoutBucket"], &place["s3Path"]);
    let sent = send(&server, &put, "image/png", b"\x89PNG")
        .await
        .expect(200);
    assert_eq!(sent, json!({"s3_key": key, "file_size": 4}));
    let body = json!({"conversation_id": chat, "organization_id": own.id,
        "file_name": "plan.png", "file_type": "image/png", "file_size": 4, "s3_key": key,
        "s3_path": s3_path, "file_category": "image"});
    let made = make(&http, "/conversation-files", body.clone()).await;
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(&made[name], value, "{name}");
    }
    let id = made["_id"].as_str().unwrap();
    assert!(
        id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit()),
        "{id}"
    );
    assert_eq!(made.get("id"), None);
    assert_eq!(made["deleted_at"], Value::Null);
    assert!(made["created_at"].is_string() && made["created_by_user_id"].is_i64());
    let read = http
        .get(&format!("/conversation-files/{id}"))
        .await
        .expect(200);
    assert_eq!(read, made);
    let again = http.post("/conversation-files", &body).await;
    assert_eq!(again.expect(409)["className"], "conflict");

    let message = json!({"conversation_id": chat, "message_type": "image",
        "message_text": "Look", "s3_path": s3_path, "conversation_file_id": id, "file_size": 4});
    let outgoing = "/conversation-messages-transform-outgoing-whatsapp";
    let message = make(&http, outgoing, message).await;
    for (name, value) in [
        ("conversation_file_id", json!(id)),
        ("file_name", json!("plan.png")),
        ("file_type", json!("image/png")),
        ("file_size", json!(4)),
        ("s3_key", key.clone()),
        ("s3_path", s3_path.clone()),
    ] {
        assert_eq!(message[name], value, "{name}");
    }
    let one = format!(
        "/conversation-messages-whatsapp/{}",
        message["_id"].as_str().unwrap()
    );
    let one = http.get(&one).await.expect(200);
    let list = format!("/conversation-messages-whatsapp?conversation_id={chat}&message_type=image");
    let list = http.get(&list).await.expect(200);
    for shown in [&message, &one, &list["data"][0]] {
        let loaded = load(&server, &path(&shown["media_url"])).await;
        assert_eq!(loaded.status(), 200);
        assert_eq!(&loaded.bytes().await.unwrap()[..], b"\x89PNG");
    }
    // Over the others, where what is said of the file is the file's.
    for channel in ["sms", "playground"] {
        let chat = talk(&http, channel).await;
        let message = json!({"conversation_id": chat, "message_type": "document",
            "file_name": "Plan", "file_type": "text/html", "s3_key": "999/x/y",
            "conversation_file_id": id});
        let message = make(&http, &format!("/conversation-messages-{channel}"), message).await;
        assert_eq!(
            [
                &message["file_name"],
                &message["file_type"],
                &message["s3_key"]
            ],
            [&json!("Plan"), &json!("image/png"), key]
        );
    }
    // What is elsewhere stays what it was said to be.
    let chat = talk(&http, "sms").await;
    let elsewhere = json!({"conversation_id": chat, "message_type": "image",
        "media_url": "https://cdn.test/a.png", "s3_key": key});
    let elsewhere = make(&http, "/conversation-messages-sms", elsewhere).await;
    assert_eq!(elsewhere["media_url"], "https://cdn.test/a.png");
    let claimed = json!({"conversation_id": chat, "message_type": "image", "s3_key": key});
    let claimed = make(&http, "/conversation-messages-sms", claimed).await;
    assert_eq!(claimed["media_url"], Value::Null);
}

#[tokio::test]
async fn bytes_come_back_as_they_were_and_are_not_run() {
    let (server, http, _own) = client();
    let chat = talk(&http, "sms").await;
    // More than one piece, and every byte there is.
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let attachment = Some("attachment");
    for (kind, disposition, category) in [
        ("image/png", None, "image"),
        ("image/svg+xml", attachment, "image"),
        ("text/html", attachment, "file"),
        ("application/pdf", attachment, "file"),
        ("audio/webm;codecs=opus", attachment, "audio"),
        ("video/mp4", attachment, "video"),
    ] {
        let made = file(&server, &http, &chat, kind, &bytes).await;
        assert_eq!(made["file_category"], category);
        assert_eq!(made["file_size"], 1_000_000);
        let loaded = load(&server, &path(&made["download_url"])).await;
        assert_eq!(loaded.status(), 200);
        let headers = loaded.headers().clone();
        let header = |name: &str| headers.get(name).and_then(|own| own.to_str().ok());
        assert_eq!(header("content-type"), Some(kind));
        assert_eq!(header("content-disposition"), disposition, "{kind}");
        assert_eq!(header("x-content-type-options"), Some("nosniff"));
        assert!(loaded.bytes().await.unwrap() == bytes, "{kind}");
    }
    // An export is a file as well.
    let export = http.get("/exports/contacts").await;
    assert_eq!(export.header("content-disposition"), attachment);
}

#[tokio::test]
async fn a_file_that_is_removed_is_gone() {
    let (server, http, _own) = client();
    let chat = talk(&http, "sms").await;
    let first = file(&server, &http, &chat, "text/plain", b"first").await;
    let second = file(&server, &http, &chat, "text/plain", b"second").await;
    assert_eq!(kept(&server), 2);
    let one = format!("/conversation-files/{}", first["_id"].as_str().unwrap());
    let removed = http.delete(&one).await.expect(200);
    assert!(removed["deleted_at"].is_string());
    assert_eq!(removed["download_url"], Value::Null);
    let gone = http.get(&one).await.expect(404);
    let id = &first["_id"].as_str().unwrap();
    assert_eq!(gone["message"], format!("No record found for id '{id}'"));
    http.delete(&one).await.expect(404);
    assert_eq!(
        load(&server, &path(&first["download_url"])).await.status(),
        404
    );
    until("its bytes are gone", || {
        std::future::ready(kept(&server) == 1)
    })
    .await;
    let again = json!({"conversation_id": chat, "file_name": "x", "s3_key": first["s3_key"]});
    http.post("/conversation-files", &again).await.expect(404);
    // With a conversation go its files.
    assert_eq!(
        load(&server, &path(&second["download_url"])).await.status(),
        200
    );
    http.delete(&format!("/conversations/{chat}"))
        .await
        .expect(200);
    assert_eq!(
        load(&server, &path(&second["download_url"])).await.status(),
        404
    );
    let log = http
        .get("/audit-log?entity=conversation-files&action=removed")
        .await;
    assert_eq!(log.expect(200)["total"], 2);
}
