//! The opposite error: honest clients change their minds, stop an upload that was
//! refused, and measure a connection with pings, thousands of times on one
//! connection. None of it is punished.

use super::{EVENTS, Target};
use crate::support::h2::{END, H2, WHOLE, frame, kind};

const CANCEL: u32 = 8;

fn reset(stream: u32) -> Vec<u8> {
    frame(kind::RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}

/// The head of an upload.
fn upload(client: &H2, key: &str) -> Vec<u8> {
    let bearer = format!("Bearer {key}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    client.head("POST", EVENTS, &headers)
}

#[tokio::test]
async fn calls_that_are_given_up_while_they_run() {
    let target = Target::new(&[]);
    let mut client = H2::open(target.url()).await;
    let head = upload(&client, &target.organization.key);
    // 3,000 calls, at most 50 at once, each given up after it has begun.
    let mut stream = 1;
    for _ in 0..60 {
        let first = stream;
        for _ in 0..50 {
            client.frame(kind::HEADERS, WHOLE, stream, &head).await;
            client.frame(kind::DATA, 0, stream, b"{\"event").await;
            stream += 2;
        }
        // They have begun when one that came after them is answered.
        assert!(client.serves(stream).await, "after {stream}");
        stream += 2;
        for given_up in (first..stream - 2).step_by(2) {
            assert!(client.send(reset(given_up)).await);
        }
        assert!(client.serves(stream).await, "after {stream}");
        stream += 2;
    }
    target.alive().await;
}

#[tokio::test]
async fn uploads_that_are_refused_before_they_end() {
    let target = Target::new(&[]);
    let mut client = H2::open(target.url()).await;
    let head = upload(&client, "no such key");
    let mut stream = 1;
    for _ in 0..3_000 {
        client.frame(kind::HEADERS, WHOLE, stream, &head).await;
        assert_eq!(client.status(stream).await, Some(401), "{stream}");
        // The client learns of it only after it has sent some more.
        client.frame(kind::DATA, 0, stream, &[b'x'; 100]).await;
        client.frame(kind::DATA, END, stream, &[b'x'; 100]).await;
        stream += 2;
    }
    assert!(client.serves(stream).await);
    target.alive().await;
}

#[tokio::test]
async fn answers_that_nobody_waits_for() {
    let target = Target::new(&[]);
    let mut client = H2::open(target.url()).await;
    let mut stream = 1;
    for _ in 0..3_000 {
        client.begin(stream, "GET", "/healthz", END).await;
        assert_eq!(client.status(stream).await, Some(200), "{stream}");
        assert!(client.send(reset(stream)).await);
        stream += 2;
    }
    assert!(client.serves(stream).await);
}

#[tokio::test]
async fn pings_and_windows_beside_work() {
    let target = Target::new(&[]);
    let mut client = H2::open(target.url()).await;
    let window = 100_u32.to_be_bytes();
    for stream in (1..8_000).step_by(2) {
        client.begin(stream, "GET", "/healthz", END).await;
        assert_eq!(client.status(stream).await, Some(200), "{stream}");
        client.frame(kind::PING, 0, 0, &[1; 8]).await;
        client.frame(kind::WINDOW_UPDATE, 0, 0, &window).await;
        client.frame(kind::WINDOW_UPDATE, 0, 0, &window).await;
    }
    assert!(client.serves(9_001).await);
}
