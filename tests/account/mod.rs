//! Accounts, which all products share: the first set-up, sessions, organizations
//! and their members, projects, keys, and what guessers and floods meet.

mod at_once;
mod bound_keys;
mod changes;
mod commands;
mod cookies;
mod documented;
mod flood;
mod flushes;
mod granting;
mod guessing;
mod joining;
mod key_secrecy;
mod keys;
mod many;
mod members;
mod nodes;
mod organizations;
mod projects;
mod renewal;
mod repeats;
mod returning;
mod sessions;
mod setup;
mod signup;
mod stolen;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::server::PASSWORD;
use crate::support::{Answer, Http, Server};

/// Asks for a session.
async fn sign_in(http: &Http, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    http.post("/api/auth/sign-in", &body).await
}

/// The cookie an answer sets, as a browser would send it back.
#[track_caller]
fn cookie(answer: &Answer) -> String {
    let line = answer
        .header("set-cookie")
        .unwrap_or_else(|| panic!("no cookie: {}", answer.text));
    line.split(';').next().unwrap().to_owned()
}

/// A client with the session an answer begins.
#[track_caller]
fn with_session(server: &Server, answer: &Answer) -> Http {
    assert_eq!(answer.status, 200, "{}", answer.text);
    server.http().with("cookie", &cookie(answer))
}

/// A client with a new session of a user whose password is the usual one.
async fn session(server: &Server, email: &str) -> Http {
    with_session(server, &sign_in(&server.http(), email, PASSWORD).await)
}

/// Adds a user to an organization and signs the user in.
async fn member(owner: &Http, server: &Server, organization: i64, role: &str) -> (Http, i64) {
    let email = format!("{role}-{organization}@example.com");
    let path = format!("/api/organizations/{organization}/members");
    let body = json!({"email": email, "role": role, "password": PASSWORD});
    let made = owner.post(&path, &body).await.expect(200);
    let id = made["userId"].as_i64().unwrap();
    (session(server, &email).await, id)
}

/// Makes a key and answers a client with it, and what was said of it.
async fn key(http: &Http, server: &Server, body: Value) -> (Http, Value) {
    let made = http.post("/api/api-keys", &body).await.expect(200);
    let token = made["key"].as_str().expect("the key, this once");
    (server.http().bearer(token), made)
}

/// Expects a failure in the documented shape, word for word.
#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str, message: &str) {
    let body = json!({"error": message, "code": code, "status": status});
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (status, body.to_string().as_str())
    );
}

/// Asks again until an answer has a status; `within` is what is promised.
async fn until(status: u16, within: Duration, ask: impl AsyncFn() -> Answer) -> Answer {
    let deadline = Instant::now() + within;
    loop {
        let answer = ask().await;
        if answer.status == status {
            return answer;
        }
        assert!(
            Instant::now() < deadline,
            "not {status} within {within:?}: {}",
            answer.text
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A time as answers show it.
#[track_caller]
fn is_time(value: &Value) {
    let text = value.as_str().unwrap_or_else(|| panic!("no time: {value}"));
    let at: jiff::Timestamp = text.parse().unwrap();
    assert!(text.ends_with('Z'), "{text}");
    let age = jiff::Timestamp::now().duration_since(at).as_secs();
    assert!((-60..=600).contains(&age), "{text} is not about now");
}

/// The names of an object's members, in order.
fn names(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}
