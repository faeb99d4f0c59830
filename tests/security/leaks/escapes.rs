//! What is logged stays on its line and is no control sequence, whoever wrote it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use super::breakage;
use crate::security::world::World;
use crate::support::Server;

/// Words of a database that would end the line, begin another one and paint it.
const WORDS: &str =
    "first\r\n2026-01-01T00:00:00Z  INFO forged line\x1b[31m red \u{9b}1m \u{202e} end";

/// Characters that a line of the log must not hold as they are.
fn is_control(c: char) -> bool {
    c.is_control() && c != '\n'
}

/// The log, once it holds a word: it is written behind the answer.
pub async fn logged(server: &Server, word: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let log = server.log();
        let end = log.rfind(word).and_then(|at| log[at..].find('\n'));
        if end.is_some() || Instant::now() > deadline {
            return log;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn failing(format: &str) -> String {
    let world = World::with(&[("APEX_LOG_FORMAT", format)]).await;
    breakage::refuse_projects(&world.server, WORDS).await;
    let http = world.owner.http.with("x-request-id", "the-one");
    let answer = http.post("/api/projects", &json!({"name": "x"})).await;
    let body = json!({"error": "Internal server error", "code": "INTERNAL_ERROR", "status": 500});
    assert_eq!(answer.expect(500), body);
    logged(&world.server, "the-one").await
}

#[tokio::test]
async fn text_is_one_line() {
    let log = failing("text").await;
    let line = log.lines().find(|line| line.contains("the-one"));
    let line = line.unwrap_or_else(|| panic!("no such line: {log}"));
    assert!(
        line.contains("forged line") && line.contains("end"),
        "{line}"
    );
    assert!(!log.contains(is_control), "{log:?}");
    assert!(
        !log.lines().any(|line| line.starts_with("2026-01-01")),
        "{log}"
    );
}

#[tokio::test]
async fn json_is_one_object_a_line() {
    let log = failing("json").await;
    assert!(!log.contains(is_control), "{log:?}");
    let lines: Vec<&str> = log.lines().filter(|line| line.starts_with('{')).collect();
    let all = lines
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).expect(line));
    let all: Vec<Value> = all.collect();
    let line = all.iter().find(|line| line["request_id"] == "the-one");
    let line = line.unwrap_or_else(|| panic!("no such line: {log}"));
    assert!(
        line["cause"].as_str().unwrap().contains("forged line"),
        "{line}"
    );
    assert_eq!(line["level"], "ERROR");
}

/// The one text of a caller that the log keeps is taken only if it is plain.
#[tokio::test]
async fn a_request_id_is_plain() {
    let world = World::start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let long = "x".repeat(129);
    let hostile: [&[u8]; 9] = [
        b"two words",
        b"tab\there",
        b"a=\"b\"",
        b"{\"json\":1}",
        b"\x9b31m",
        b"gr\xc3\xbc\xc3\x9f",
        b"<script>",
        b"",
        long.as_bytes(),
    ];
    let mut ids = BTreeSet::new();
    for id in hostile {
        let request = client.get(format!("{}/healthz", world.server.url));
        let request = request.header("x-request-id", HeaderValue::from_bytes(id).unwrap());
        let request = request.header("traceparent", HeaderValue::from_bytes(id).unwrap());
        let answer = request.send().await.unwrap();
        let own = answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(own.len(), 36, "{own}");
        assert!(ids.insert(own));
    }
    let own = world.server.http().with("x-request-id", "a-Z_0.9:x");
    let answer = own.get("/healthz").await;
    assert_eq!(answer.header("x-request-id"), Some("a-Z_0.9:x"));
    let log = logged(&world.server, "a-Z_0.9:x").await;
    for id in ids {
        assert!(log.contains(&id), "{id} is not in {log}");
    }
    for word in [
        "two words",
        "tab",
        "31m",
        "gr\u{fc}",
        "<script>",
        "json",
        &long,
    ] {
        assert!(!log.contains(word), "{word} is in {log}");
    }
    assert!(!log.contains(is_control), "{log:?}");
}
