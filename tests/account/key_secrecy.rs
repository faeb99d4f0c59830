//! That a key is a secret: shown once, kept as a hash, carried in a header and
//! nowhere else, and not to be found by trying.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::json;

use super::keys::{INVALID, owner, path};
use super::{key, refused};
use crate::support::server::PASSWORD;

#[tokio::test]
async fn shown_once_and_kept_as_a_hash() {
    let (server, own, http) = owner().await;
    let (_, made) = key(&http, &server, json!({"name": "k"})).await;
    let token = made["key"].as_str().unwrap();
    assert_eq!(token.len(), "apex_key_".len() + 43, "256 bits");
    assert_eq!(made["prefix"], token[..13]);
    let renamed = http.patch(&path(&made), &json!({"name": "l"})).await;
    for answer in [http.get("/api/api-keys").await, renamed] {
        assert_eq!(answer.status, 200);
        for secret in [token, &own.key] {
            assert!(!answer.text.contains(secret));
            assert!(!answer.text.contains(&secret[14..]), "nor any more of it");
        }
    }
    // No file, no row and no line of the log has it, nor the password.
    let kept = server.kept_bytes();
    let holds = |text: &str| kept.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(holds(&token[..13]), "the dump is of this server");
    for secret in [token, &own.key, &token[14..], PASSWORD] {
        assert!(!holds(secret), "{secret} is kept");
        assert!(!server.log().contains(secret), "{secret} is logged");
    }
}

#[tokio::test]
async fn wrong_keys_tell_nothing() {
    let (server, own, _) = owner().await;
    let right = own.key.as_str();
    let mut wrong = vec![
        "apex_key_".to_owned(),
        format!("{right}x"),
        right.to_uppercase(),
        right["apex_key_".len()..].to_owned(),
        format!("apex_key_{}", "x".repeat(4000)),
        "' OR 1=1 --".to_owned(),
    ];
    // Ever more of the key is right.
    for at in 9..right.len() {
        let mut bytes = right.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
        wrong.push(String::from_utf8(bytes).unwrap());
        wrong.push(right[..at].to_owned());
    }
    let mut answers = HashSet::new();
    for token in &wrong {
        for http in [
            server.http().bearer(token),
            server.http().with("x-api-key", token),
        ] {
            let answer = http.get("/api/me").await;
            answers.insert((answer.status, answer.text));
        }
    }
    let body = json!({"error": INVALID, "code": "UNAUTHORIZED", "status": 401});
    assert_eq!(answers, HashSet::from([(401, body.to_string())]));
    assert_eq!(server.http().bearer(right).get("/api/me").await.status, 200);
}

#[tokio::test]
async fn a_key_in_the_query_is_no_key() {
    let (server, own, _) = owner().await;
    let needed = "Authentication is required";
    for name in [
        "api_key",
        "apiKey",
        "apikey",
        "key",
        "token",
        "access_token",
        "x-api-key",
        "authorization",
        "auth",
    ] {
        for query in [own.key.clone(), format!("Bearer%20{}", own.key)] {
            let path = format!("/api/me?{name}={query}");
            let answer = server.http().get(&path).await;
            refused(&answer, 401, "UNAUTHORIZED", needed);
        }
    }
    let form = server
        .http()
        .with("content-type", "application/x-www-form-urlencoded");
    let body = format!("access_token={}&name=x", own.key).into_bytes();
    let answer = form.send(Method::POST, "/api/projects", Some(body)).await;
    refused(&answer, 401, "UNAUTHORIZED", needed);
    // Not even in the log, where addresses are written.
    assert!(!server.log().contains(&own.key), "the query is not logged");
}
