//! Files of conversations, from the signed URL to what is loaded, and what is refused on
//! the way.

use apex::api::apex::crm::v1 as crm;
use apex::api::google::api::HttpBody;
use crm::conversation_file_service_client::ConversationFileServiceClient;
use reqwest::Method;
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::{client, make};
use crate::support::attacker::{Attacker, until};
use crate::support::clock::FakeClock;
use crate::support::skip::skip;
use crate::support::{Answer, Http, Server, grpc};

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

#[tokio::test]
async fn urls_are_good_for_one_thing() {
    let (server, http, own) = client();
    let place = signed(&http, "../a \"b\".txt", "text/plain").await;
    assert!(
        place.key.starts_with(&format!("{}/", own.id)),
        "{}",
        place.key
    );
    assert!(place.key.ends_with("/_a__b_.txt"), "{}", place.key);
    let (file, query) = place.path.split_once('?').unwrap();
    let (expires, signature) = query.split_once('&').unwrap();
    let until: i64 = expires.strip_prefix("expires=").unwrap().parse().unwrap();
    let other = place.key.replace(&own.id.to_string(), "999");
    for wrong in [
        // Nobody's signature, somebody's of another time, name and organization.
        file.to_owned(),
        format!("{file}?{expires}"),
        format!("{file}?{expires}&signature="),
        format!("{file}?{expires}&signature=AAAA"),
        format!("{file}?expires={}&{signature}", until + 1),
        format!("{file}?expires=-1&{signature}"),
        format!("{file}x?{query}"),
        format!("/conversation-files/{other}?{query}"),
        format!(
            "/conversation-files/{}/..%2F..%2Fsecret.key/a?{query}",
            own.id
        ),
        format!("/conversation-files/{}/x%0Ay/a?{query}", own.id),
    ] {
        let refused = send(&server, &wrong, "text/plain", b"text").await;
        let words = "This URL is not valid for this content type, or not any more";
        assert_eq!(
            refused.expect(403),
            json!({"name": "Forbidden", "message": words, "code": 403, "className": "forbidden"}),
            "{wrong}"
        );
    }
    // As another type, or without one.
    send(&server, &place.path, "text/html", b"<b>")
        .await
        .expect(403);
    let untyped = server.http();
    let untyped = untyped.send(Method::PUT, &place.path, Some(b"text".to_vec()));
    untyped.await.expect(403);
    // Leave to send is no leave to load.
    let refused = server.http().get(&place.path).await.expect(403);
    assert_eq!(refused["message"], "This URL is not valid, or not any more");
    // Beyond the URL it is sent once, whole, and not too large.
    let nothing = send(&server, &place.path, "text/plain", b"").await;
    assert_eq!(nothing.expect(400)["message"], "A file has bytes");
    let large = vec![0; 16 * 1024 * 1024 + 1];
    let large = send(&server, &place.path, "text/plain", &large)
        .await
        .expect(413);
    assert_eq!(large["message"], "The body is larger than 16777216 bytes");
    let pieces = (0..=16).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 1024 * 1024]));
    let large = reqwest::Client::new()
        .put(format!("{}{}", server.url, place.path))
        .header("content-type", "text/plain")
        .body(reqwest::Body::wrap_stream(futures_util::stream::iter(
            pieces,
        )));
    // It may be told while it still sends.
    if let Ok(answer) = large.send().await {
        assert_eq!(answer.status(), 413);
    }
    assert_eq!(kept(&server), 0);
    send(&server, &place.path, "text/plain", b"text")
        .await
        .expect(200);
    let again = send(&server, &place.path, "text/plain", b"else").await;
    assert_eq!(again.expect(409)["message"], "The file was sent already");
    assert_eq!(kept(&server), 1);
    for body in [
        json!({"file_name": "a"}),
        json!({"file_type": "text/plain"}),
        json!({"file_name": "a", "file_type": "text"}),
        json!({"file_name": "a", "file_type": "text/plain\r\nx: y"}),
        json!({"file_name": "a", "file_type": "text/plain", "extra": 1}),
    ] {
        http.post("/s3-url-signing", &body).await.expect(400);
    }
    let others = json!({"file_name": "a", "file_type": "a/b", "organization_id": 999_999});
    http.post("/s3-url-signing", &others).await.expect(403);
    let stranger = server.http();
    let body = json!({"file_name": "a", "file_type": "a/b"});
    stranger.post("/s3-url-signing", &body).await.expect(401);
}

#[tokio::test]
async fn a_file_is_its_organization_s() {
    let (server, http, own) = client();
    let other = server.organization("Other");
    let other = server.http().with("x-api-key", &other.key);
    let chat = talk(&http, "sms").await;
    let theirs = talk(&other, "sms").await;
    let place = signed(&http, "a.txt", "text/plain").await;
    let record =
        |talk: &Value, key: &str| json!({"conversation_id": talk, "file_name": "a", "s3_key": key});
    // Nothing came yet.
    http.post("/conversation-files", &record(&chat, &place.key))
        .await
        .expect(404);
    send(&server, &place.path, "text/plain", b"four")
        .await
        .expect(200);
    let alien = other
        .post("/conversation-files", &record(&theirs, &place.key))
        .await;
    let words = format!("No record found for id '{}'", place.key);
    assert_eq!(alien.expect(404)["message"], words);
    other
        .post("/conversation-files", &record(&chat, &place.key))
        .await
        .expect(404);
    http.post("/conversation-files", &record(&theirs, &place.key))
        .await
        .expect(404);
    let secret = format!("{}/../secret.key", own.id);
    for key in ["../secret.key", "/etc/passwd", "x", &secret] {
        http.post("/conversation-files", &record(&chat, key))
            .await
            .expect(404);
    }
    for (name, value) in [
        ("file_size", json!(5)),
        ("file_type", json!("image/png")),
        ("s3_path", json!("s3://other/x")),
        ("file_category", json!("secret")),
        ("download_url", json!("https://evil.test")),
        ("_id", json!("0123456789abcdef01234567")),
        ("s3_key", Value::Null),
        ("file_name", Value::Null),
        ("conversation_id", Value::Null),
    ] {
        let mut body = record(&chat, &place.key);
        body[name] = value;
        let refused = http.post("/conversation-files", &body).await.expect(400);
        assert_eq!(refused["errors"][0]["path"], name, "{refused}");
    }
    let mut body = record(&chat, &place.key);
    body["organization_id"] = json!(999_999);
    http.post("/conversation-files", &body).await.expect(403);
    let file = make(&http, "/conversation-files", record(&chat, &place.key)).await;
    let id = file["_id"].as_str().unwrap();
    let one = format!("/conversation-files/{id}");
    other.get(&one).await.expect(404);
    other.delete(&one).await.expect(404);
    let message = |talk: &Value, id: &str| {
        json!({"conversation_id": talk,
        "message_type": "document", "conversation_file_id": id})
    };
    let path = "/conversation-messages-sms";
    let alien = other.post(path, &message(&theirs, id)).await.expect(404);
    assert_eq!(alien["message"], format!("No record found for id '{id}'"));
    let nothing = message(&chat, "0123456789abcdef01234567");
    http.post(path, &nothing).await.expect(404);
    assert_eq!(http.get(&one).await.expect(200), file);
}

/// A URL ends to be good, which a clock that is put shows.
#[tokio::test]
async fn urls_end() {
    let (mut server, http, _own) = client();
    let chat = talk(&http, "sms").await;
    let made = file(&server, &http, &chat, "text/plain", b"text").await;
    let place = signed(&http, "a.txt", "text/plain").await;
    let Some(clock) = FakeClock::install(&mut server) else {
        return skip("urls_end", "faketime is not installed");
    };
    server.kill();
    server.run();
    let url = path(&made["download_url"]);
    assert_eq!(load(&server, &url).await.status(), 200);
    clock.put(14 * 60);
    let nothing = send(&server, &place.path, "text/plain", b"").await;
    nothing.expect(400);
    clock.put(15 * 60 + 5);
    send(&server, &place.path, "text/plain", b"text")
        .await
        .expect(403);
    clock.put(59 * 60);
    assert_eq!(load(&server, &url).await.status(), 200);
    clock.put(2 * 60 * 60);
    let ended = server.http().get(&url).await.expect(403);
    assert_eq!(ended["message"], "This URL is not valid, or not any more");
}

/// An upload that stands still in the middle, until it is dropped.
async fn half(server: &Server, path: &str, size: &str) -> Attacker {
    let mut half = Attacker::connect(&server.url).await;
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: apex\r\ncontent-type: application/octet-stream\r\n{size}\r\n\r\n"
    );
    half.stream.write_all(head.as_bytes()).await.unwrap();
    let text = "x".repeat(100_000);
    let piece = match size.starts_with("transfer-encoding") {
        true => format!("{:x}\r\n{text}\r\n", text.len()),
        false => text,
    };
    half.stream.write_all(piece.as_bytes()).await.unwrap();
    until("a part is there", || std::future::ready(kept(server) == 1)).await;
    half
}

/// What is cut off is not kept, and can be sent again.
#[tokio::test]
async fn half_a_file_is_none() {
    let (mut server, http, own) = client();
    let chat = talk(&http, "sms").await;
    let place = signed(&http, "a.bin", "application/octet-stream").await;
    for size in ["transfer-encoding: chunked", "content-length: 3000000"] {
        drop(half(&server, &place.path, size).await);
        until("nothing is left of it", || {
            std::future::ready(kept(&server) == 0)
        })
        .await;
    }
    // Nor is it when the server is.
    let half = half(&server, &place.path, "content-length: 3000000").await;
    server.kill();
    drop(half);
    assert_eq!(kept(&server), 1);
    // As if an hour had passed.
    let connection = Database::connect(server.database_url()).await.unwrap();
    let sql = "UPDATE crm_upload SET sweep_at = 1";
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
    server.run();
    until("it is swept away", || {
        std::future::ready(kept(&server) == 0)
    })
    .await;
    let body = json!({"conversation_id": chat, "file_name": "a", "s3_key": place.key});
    let http = server.http().with("x-api-key", &own.key);
    http.post("/conversation-files", &body).await.expect(404);
    let whole = send(&server, &place.path, "application/octet-stream", b"whole").await;
    whole.expect(200);
    http.post("/conversation-files", &body).await.expect(201);
    assert_eq!(kept(&server), 1);
}

/// Of two that are sent at once by one URL one is the file.
#[tokio::test]
async fn two_at_once_are_one() {
    let (server, http, _own) = client();
    let chat = talk(&http, "sms").await;
    let place = signed(&http, "a.txt", "text/plain").await;
    let texts: [&[u8]; 6] = [b"one", b"two", b"three", b"four", b"five", b"six"];
    let sent = texts.map(|text| send(&server, &place.path, "text/plain", text));
    let sent = futures_util::future::join_all(sent).await;
    let taken: Vec<usize> = (0..sent.len())
        .filter(|at| sent[*at].status == 200)
        .collect();
    assert_eq!(taken.len(), 1, "{sent:?}");
    assert!(
        sent.iter().all(|one| [200, 409].contains(&one.status)),
        "{sent:?}"
    );
    let body = json!({"conversation_id": chat, "file_name": "a", "s3_key": place.key});
    let made = make(&http, "/conversation-files", body).await;
    let loaded = load(&server, &path(&made["download_url"])).await;
    assert_eq!(&loaded.bytes().await.unwrap()[..], texts[taken[0]]);
    assert_eq!(kept(&server), 1);
}

#[tokio::test]
async fn the_same_over_grpc() {
    let (server, http, own) = client();
    let chat = talk(&http, "sms").await;
    let channel = grpc::with_key(&server.url, &own.key).await;
    let mut client = ConversationFileServiceClient::new(channel);
    let asked = crm::SignConversationFileUploadRequest {
        file_name: "a.txt".to_owned(),
        file_type: "text/plain".to_owned(),
        organization_id: None,
    };
    let place = client
        .sign_conversation_file_upload(asked)
        .await
        .unwrap()
        .into_inner();
    let first = |url: &str| {
        let (path, query) = url.split_once('?').unwrap();
        let steps: Vec<&str> = path.rsplit('/').collect();
        let (expires, signature) = query.split_once('&').unwrap();
        let value = |pair: &str| pair.split_once('=').unwrap().1.to_owned();
        (
            steps[2].parse::<i64>().unwrap(),
            (steps[1].to_owned(), steps[0].to_owned()),
            (value(expires).parse::<i64>().unwrap(), value(signature)),
        )
    };
    let (organization_id, (upload, file_name), (expires, signature)) = first(&place.signed_url);
    let piece = |kind: &str, data: &'static [u8]| HttpBody {
        content_type: kind.to_owned(),
        data: data.into(),
        extensions: Vec::new(),
    };
    let begin = |kind: &str, signature: &str| crm::UploadConversationFileRequest {
        organization_id,
        upload: upload.clone(),
        file_name: file_name.clone(),
        expires,
        signature: signature.to_owned(),
        file: Some(piece(kind, b"one ")),
    };
    let rest = crm::UploadConversationFileRequest {
        file: Some(piece("", b"two")),
        ..Default::default()
    };
    for (kind, signature) in [("text/html", signature.as_str()), ("text/plain", "AAAA")] {
        let forged = futures_util::stream::iter([begin(kind, signature), rest.clone()]);
        let refused = client.upload_conversation_file(forged).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    // One that is cancelled is not taken for whole.
    let (pieces, body) = mpsc::channel(2);
    pieces.send(begin("text/plain", &signature)).await.unwrap();
    let mut other = client.clone();
    let half = tokio::spawn(async move {
        other
            .upload_conversation_file(ReceiverStream::new(body))
            .await
    });
    until("a part is there", || std::future::ready(kept(&server) == 1)).await;
    half.abort();
    until("nothing is left of it", || {
        std::future::ready(kept(&server) == 0)
    })
    .await;
    drop(pieces);
    let pieces = futures_util::stream::iter([begin("text/plain", &signature), rest]);
    let sent = client
        .upload_conversation_file(pieces)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (sent.file_size, &sent.s3_key),
        (7, &place.s3_path_without_bucket)
    );
    let many = (0..20).map(move |_| crm::UploadConversationFileRequest {
        file: Some(HttpBody {
            data: vec![0; 1024 * 1024].into(),
            ..Default::default()
        }),
        ..Default::default()
    });
    let asked = crm::SignConversationFileUploadRequest {
        file_name: "b.txt".to_owned(),
        file_type: "text/plain".to_owned(),
        organization_id: Some(own.id),
    };
    let large = client
        .sign_conversation_file_upload(asked)
        .await
        .unwrap()
        .into_inner();
    let (organization_id, (upload, file_name), (expires, signature)) = first(&large.signed_url);
    let begin = crm::UploadConversationFileRequest {
        organization_id,
        upload,
        file_name,
        expires,
        signature,
        file: Some(piece("text/plain", b"x")),
    };
    let pieces = futures_util::stream::iter(std::iter::once(begin).chain(many));
    let refused = client.upload_conversation_file(pieces).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(grpc::reason(&refused), "PAYLOAD_TOO_LARGE");
    let new = crm::CreateConversationFileRequest {
        conversation_file: Some(crm::ConversationFile {
            conversation_id: chat.as_i64(),
            file_name: Some("a.txt".to_owned()),
            s3_key: Some(sent.s3_key),
            ..Default::default()
        }),
    };
    let made = client
        .create_conversation_file(new)
        .await
        .unwrap()
        .into_inner();
    let made = made.conversation_file.unwrap();
    let (organization_id, (upload, file_name), (expires, signature)) =
        first(made.download_url.as_deref().unwrap());
    let asked = crm::DownloadConversationFileRequest {
        organization_id,
        upload,
        file_name,
        expires,
        signature,
    };
    let mut loaded = client
        .download_conversation_file(asked)
        .await
        .unwrap()
        .into_inner();
    let mut bytes = Vec::new();
    while let Some(piece) = loaded.message().await.unwrap() {
        assert_eq!(piece.content_type, "text/plain");
        bytes.extend_from_slice(&piece.data);
    }
    assert_eq!(bytes, b"one two");
    let one = crm::GetConversationFileRequest {
        id: made.key.clone().unwrap(),
    };
    let same = client
        .get_conversation_file(one)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(same.conversation_file.unwrap(), made);
}
