//! Clients that ask and take no answer: the server keeps no answers for them, and
//! those who take theirs slowly are not mistaken for them.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

use super::Target;
use crate::support::attacker::{Attacker, until};
use crate::support::h2::{END, Ended, H2, kind};

/// The largest answer there is for strangers.
const LARGE: &str = "/openapi.json";
const SETTINGS_INITIAL_WINDOW_SIZE: u16 = 4;

fn requests(count: usize) -> String {
    format!("GET {LARGE} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(count)
}

fn start(write_timeout: &str) -> Target {
    Target::new(&[
        ("APEX_TRANSPORT_WRITE_TIMEOUT", write_timeout),
        ("APEX_TRANSPORT_MAX_CONNECTIONS_PER_ADDRESS", "1000"),
    ])
}

/// Waits until nobody is connected but who asks.
async fn alone(target: &Target) {
    until("closing", || async {
        target.figure("apex_connections").await <= 2
    })
    .await;
}

#[tokio::test]
async fn answers_of_http1_that_nobody_reads() {
    let target = start("500ms");
    target.server.http().get(LARGE).await.expect(200);
    let before = target.resident();
    let honest = target.honest();
    let mut attackers = Vec::new();
    for _ in 0..100 {
        let mut attacker = Attacker::narrow(target.url(), 1).await;
        // Many times what the system buffers.
        attacker.send(requests(100)).await;
        attackers.push(attacker);
    }
    alone(&target).await;
    honest.was_served().await;
    let grown = target.peak().saturating_sub(before);
    assert!(grown < 64, "{grown} MiB for {} answers", 100 * 100);
    drop(attackers);
    target.alive().await;
}

#[tokio::test]
async fn answers_of_http2_without_a_window() {
    let target = start("500ms");
    target.server.http().get(LARGE).await.expect(200);
    let before = target.resident();
    let mut attackers = JoinSet::new();
    for window in [0, 1, 1000] {
        let url = target.url().to_owned();
        attackers.spawn(async move {
            let settings = [(SETTINGS_INITIAL_WINDOW_SIZE, window)];
            let mut attacker = H2::with(&url, &settings).await;
            for stream in (1..200).step_by(2) {
                attacker.begin(stream, "GET", LARGE, END).await;
            }
            // It is all there, the client only has to make room.
            assert_eq!(attacker.ended().await, Ended::Closed);
        });
    }
    attackers.join_all().await;
    let grown = target.peak().saturating_sub(before);
    assert!(grown < 64, "{grown} MiB for 300 answers");
    target.alive().await;
}

#[tokio::test]
async fn a_window_that_opens_byte_by_byte() {
    let target = start("700ms");
    let settings = [(SETTINGS_INITIAL_WINDOW_SIZE, 0)];
    let mut attacker = H2::with(target.url(), &settings).await;
    attacker.begin(1, "GET", LARGE, END).await;
    let one = 1_u32.to_be_bytes();
    while attacker.frame(kind::WINDOW_UPDATE, 0, 1, &one).await {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    target.alive().await;
}

#[tokio::test]
async fn who_reads_slowly_gets_everything() {
    let target = start("5s");
    let whole = target.server.http().get(LARGE).await;
    let size = whole.text.len();
    let mut reader = Attacker::narrow(target.url(), 128 * 1024).await;
    let count = 1 + 8 * 1024 * 1024 / size;
    assert!(reader.send(requests(count)).await);
    let (mut read, mut part) = (0, vec![0; 256 * 1024]);
    // Slower than the server writes all the while.
    while read < count * size {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let bytes = reader.stream.read(&mut part).await.unwrap();
        assert_ne!(bytes, 0, "cut off after {read} bytes");
        read += bytes;
    }
}
