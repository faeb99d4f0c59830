//! Server streams over REST.

use super::start;
use crate::support::Http;

const THING: &str = r#"{"id":"","name":"n","tags":[],"numbers":[],"count":0,"active":false,"colour":"COLOUR_UNSPECIFIED","labels":{},"note":null,"data":{},"blob":"","ratio":0}"#;

#[tokio::test]
async fn the_framing_follows_accept() {
    let host = start().await;
    for accept in ["*/*", "application/x-ndjson"] {
        let answer = host.http.with("accept", accept).get("/watch?name=n").await;
        assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
        assert_eq!(answer.text, format!("{THING}\n").repeat(3));
    }
    let events = host.http.with("accept", "text/event-stream");
    let answer = events.get("/watch?name=n").await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.text, format!("data: {THING}\n\n").repeat(3));
    let array = host.http.with("accept", "application/json");
    let answer = array.get("/watch?name=n").await;
    assert_eq!(answer.text, format!("[{THING},{THING},{THING}]"));
    assert_eq!(array.get("/watch?name=empty").await.text, "[]");
}

#[tokio::test]
async fn the_best_accepted_framing_is_taken() {
    let host = start().await;
    for (accept, kind) in [
        (
            "text/event-stream;q=0, application/json",
            "application/json; charset=utf-8",
        ),
        (
            "application/json;q=0.5, text/event-stream",
            "text/event-stream",
        ),
        (
            "application/json;q=0.9, application/x-ndjson",
            "application/x-ndjson",
        ),
        (
            "Application/JSON; q=0.8, */*; q=0.1",
            "application/json; charset=utf-8",
        ),
        (
            "application/json, text/plain, */*",
            "application/json; charset=utf-8",
        ),
        ("text/*", "text/event-stream"),
        ("application/jsonlike", "application/x-ndjson"),
        ("image/png", "application/x-ndjson"),
    ] {
        let answer = host.http.with("accept", accept).get("/watch?name=n").await;
        assert_eq!(answer.header("content-type"), Some(kind), "{accept}");
    }
}

#[tokio::test]
async fn a_file_in_pieces_has_its_type() {
    let host = start().await;
    let whole = host.get("/download?name=n").await;
    assert_eq!((whole.status, whole.text.as_str()), (200, "a,b"));
    assert_eq!(whole.header("content-type"), Some("text/csv"));
    let empty = host.get("/download?name=empty").await;
    assert_eq!((empty.status, empty.text.as_str()), (200, ""));
    let never = host.get("/download?name=never").await;
    assert_eq!(never.expect(409)["error"], "It failed");
}

/// Bytes have no room for words: who reads them must not take a part for the whole.
#[tokio::test]
async fn a_file_that_fails_late_does_not_end_well() {
    let host = start().await;
    for http in [host.http.clone(), Http::http2(&host.url)] {
        let sent = http.try_send(reqwest::Method::GET, "/download?name=fails", None);
        let answer = sent.await;
        assert!(answer.is_err(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_late_failure_is_a_last_message() {
    let host = start().await;
    let failure = r#"{"error":{"code":"CONFLICT","message":"It failed late"}}"#;
    let lines = host.get("/watch?name=fails").await;
    assert_eq!(lines.text.lines().count(), 4);
    assert_eq!(lines.text.lines().last(), Some(failure));
    let events = host.http.with("accept", "text/event-stream");
    let answer = events.get("/watch?name=fails").await;
    let end = format!("event: error\ndata: {failure}\n\n");
    assert!(answer.text.ends_with(&end), "{}", answer.text);
    let array = host.http.with("accept", "application/json");
    let answer = array.get("/watch?name=fails").await.json();
    assert_eq!(answer[3]["error"]["code"], "CONFLICT");
}

#[tokio::test]
async fn a_stream_that_cannot_begin_is_refused() {
    let host = start().await;
    let answer = host.get("/watch?nme=n").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"], "nme is no parameter of this method");
}
