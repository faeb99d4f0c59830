//! Floods of HTTP/2 frames: streams that are begun and given up, streams the server
//! is made to give up (CVE-2023-44487, CVE-2025-8671), header blocks without an end,
//! and frames that ask for nothing. The connection is ended, everybody else served.

use super::Target;
use crate::support::h2::{END, Ended, H2, WHOLE, frame, kind};

const PROTOCOL_ERROR: u32 = 1;
const ENHANCE_YOUR_CALM: u32 = 11;

/// Sends what `make` makes of stream numbers until the connection takes no more.
async fn flood(attacker: &mut H2, most: u32, make: impl Fn(u32) -> Vec<u8>) -> Ended {
    for at in 0..most {
        if !attacker.send(make(2 * at + 1)).await {
            break;
        }
        // On two cores the server has to come by now and then.
        if at % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    attacker.ended().await
}

/// Floods a server in one way and expects that the connection is ended.
async fn ended(most: u32, make: impl Fn(&H2, u32) -> Vec<u8>) -> Ended {
    let target = Target::new(&[]);
    let honest = target.honest();
    let before = target.resident();
    let mut attacker = H2::open(target.url()).await;
    let shape = H2::open(target.url()).await;
    let ended = flood(&mut attacker, most, |stream| make(&shape, stream)).await;
    let grown = target.peak().saturating_sub(before);
    assert!(grown < 64, "{grown} MiB");
    honest.was_served().await;
    target.alive().await;
    ended
}

fn calmed(ended: &Ended) -> bool {
    matches!(ended, Ended::GoAway(ENHANCE_YOUR_CALM, _))
}

#[tokio::test]
async fn streams_that_are_given_up_at_once() {
    let ended = ended(20_000, |shape, stream| {
        let head = shape.head("GET", "/api/v1/analytics", &[]);
        let begun = frame(kind::HEADERS, WHOLE | END, stream, &head);
        let reset = frame(kind::RST_STREAM, 0, stream, &8_u32.to_be_bytes());
        [begun, reset].concat()
    });
    let ended = ended.await;
    assert!(calmed(&ended), "{ended:?}");
}

/// Begins streams and breaks the rules on each, so that the server gives it up.
async fn made_to_reset(breaking: impl Fn(u32) -> Vec<u8>) {
    let ended = ended(20_000, |shape, stream| {
        let head = shape.head("POST", super::EVENTS, &[]);
        let begun = frame(kind::HEADERS, WHOLE, stream, &head);
        [begun, breaking(stream)].concat()
    });
    let ended = ended.await;
    // Some of it costs the connection at once.
    let broken = matches!(ended, Ended::GoAway(PROTOCOL_ERROR, _));
    assert!(calmed(&ended) || broken, "{ended:?}");
}

#[tokio::test]
async fn window_updates_of_nothing() {
    made_to_reset(|stream| frame(kind::WINDOW_UPDATE, 0, stream, &[0; 4])).await;
}

#[tokio::test]
async fn window_updates_beyond_all_bounds() {
    made_to_reset(|stream| {
        let most = 0x7fff_ffff_u32.to_be_bytes();
        frame(kind::WINDOW_UPDATE, 0, stream, &most).repeat(2)
    })
    .await;
}

#[tokio::test]
async fn streams_that_depend_on_themselves() {
    made_to_reset(|stream| {
        let priority = [stream.to_be_bytes().as_slice(), &[0]].concat();
        frame(kind::PRIORITY, 0, stream, &priority)
    })
    .await;
}

#[tokio::test]
async fn data_after_the_end() {
    let ended = ended(20_000, |shape, stream| {
        let head = shape.head("GET", "/healthz", &[]);
        let begun = frame(kind::HEADERS, WHOLE | END, stream, &head);
        [begun, frame(kind::DATA, 0, stream, b"x")].concat()
    });
    assert!(matches!(ended.await, Ended::GoAway(..)));
}

#[tokio::test]
async fn a_header_block_without_an_end() {
    let ended = ended(5_000, |shape, stream| match stream {
        1 => frame(kind::HEADERS, END, 1, &shape.head("GET", "/healthz", &[])),
        _ => frame(
            kind::CONTINUATION,
            0,
            1,
            &crate::support::h2::block(&[("x", "y")]),
        ),
    });
    let ended = ended.await;
    assert!(calmed(&ended), "{ended:?}");
}

#[tokio::test]
async fn pings() {
    ended(20_000, |_, _| frame(kind::PING, 0, 0, &[7; 8])).await;
}

#[tokio::test]
async fn acknowledgements_of_pings_nobody_sent() {
    ended(20_000, |_, _| frame(kind::PING, END, 0, &[7; 8])).await;
}

#[tokio::test]
async fn settings() {
    let size = [0, 4, 0, 1, 0, 0];
    ended(20_000, |_, _| frame(kind::SETTINGS, 0, 0, &size)).await;
}

#[tokio::test]
async fn priorities() {
    ended(20_000, |_, stream| {
        frame(kind::PRIORITY, 0, stream, &[0, 0, 0, 0, 9])
    })
    .await;
}

#[tokio::test]
async fn frames_nobody_knows() {
    ended(20_000, |_, stream| frame(0xfa, 0, stream, b"")).await;
}

#[tokio::test]
async fn window_updates() {
    let one = 1_u32.to_be_bytes();
    ended(50_000, |_, _| frame(kind::WINDOW_UPDATE, 0, 0, &one)).await;
}

#[tokio::test]
async fn data_of_nothing() {
    let ended = ended(20_000, |shape, stream| match stream {
        1 => frame(
            kind::HEADERS,
            WHOLE,
            1,
            &shape.head("POST", super::EVENTS, &[]),
        ),
        _ => frame(kind::DATA, 0, 1, b""),
    });
    let ended = ended.await;
    let expected = [PROTOCOL_ERROR, ENHANCE_YOUR_CALM];
    assert!(
        matches!(&ended, Ended::GoAway(code, _) if expected.contains(code)),
        "{ended:?}"
    );
}
