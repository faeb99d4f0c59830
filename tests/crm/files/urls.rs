//! What signed URLs are good for, and for how long.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::{client, make};
use super::{file, kept, load, path, send, signed, talk};
use crate::support::clock::FakeClock;
use crate::support::skip::skip;

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
    let words = "No record found for this s3_key";
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
