//! Server streams over REST.

use super::start;

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
