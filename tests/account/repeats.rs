//! A call that shows a secret, sent again with its `Idempotency-Key`: its effect
//! happens once and the secret is shown once.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::keys::owner;
use super::refused;
use crate::support::Answer;

const SHOWN: &str = "This request was answered with a secret, which is shown once";

#[track_caller]
fn shown(answer: &Answer) {
    refused(answer, 409, "IDEMPOTENCY_KEY_REUSED", SHOWN);
}

#[tokio::test]
async fn a_key_is_made_once() {
    let (server, own, http) = owner().await;
    let once = http.with("idempotency-key", "one");
    let body = json!({"name": "k"});
    let made = once.post("/api/api-keys", &body).await.expect(200);
    let secret = made["key"].as_str().unwrap();
    for _ in 0..2 {
        shown(&once.post("/api/api-keys", &body).await);
    }
    let answer = once.post("/api/api-keys", &json!({"name": "other"})).await;
    let other = "This Idempotency-Key was used with another request";
    refused(&answer, 409, "IDEMPOTENCY_KEY_REUSED", other);
    let keys = http.get("/api/api-keys").await.expect(200);
    let names: Vec<_> = keys
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["name"])
        .collect();
    assert_eq!(names, ["Default", "k"]);
    let kept = server.kept_bytes();
    assert!(!kept.windows(secret.len()).any(|w| w == secret.as_bytes()));
    assert_eq!(
        server.http().bearer(secret).get("/api/me").await.status,
        200
    );
    // What was refused may be sent again, and another key of another caller too.
    let body = json!({"name": "k", "projectId": "prj_nothing"});
    let refusal = http.with("idempotency-key", "two");
    for _ in 0..2 {
        assert_eq!(refusal.post("/api/api-keys", &body).await.status, 404);
    }
    let by_key = server
        .http()
        .bearer(&own.key)
        .with("idempotency-key", "three");
    let body = json!({"name": "l"});
    by_key.post("/api/api-keys", &body).await.expect(200);
}

#[tokio::test]
async fn of_many_at_once_one_is_shown() {
    let (_server, _, http) = owner().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let once = http.with("idempotency-key", "one");
        tasks.spawn(async move { once.post("/api/api-keys", &json!({"name": "k"})).await });
    }
    let answers = tasks.join_all().await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1);
    let codes = answers.iter().filter(|answer| answer.status != 200);
    let codes: HashSet<_> = codes
        .map(|answer| answer.expect(409)["code"].to_string())
        .collect();
    let known = ["\"IDEMPOTENCY_KEY_REUSED\"", "\"IDEMPOTENCY_IN_PROGRESS\""];
    assert!(
        codes.iter().all(|code| known.contains(&code.as_str())),
        "{codes:?}"
    );
    let keys = http.get("/api/api-keys").await.expect(200);
    assert_eq!(keys.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_member_is_added_once() {
    let (_server, own, http) = owner().await;
    let once = http.with("idempotency-key", "one");
    let path = format!("/api/organizations/{}/members", own.id);
    let body = json!({"email": "new@example.com"});
    let made = once.post(&path, &body).await.expect(200);
    assert!(made["password"].is_string());
    shown(&once.post(&path, &body).await);
    let listed = http.get(&path).await.expect(200);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[1]["password"], Value::Null);
}
