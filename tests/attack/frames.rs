//! HTTP/2 that is not sound: requests that mean one thing to this server and another
//! to a proxy are none, and small blocks do not unfold into large ones.

use super::Target;
use crate::support::h2::{END, Ended, H2, WHOLE, block, frame, integer, kind};

/// Sends a request with this header block; answers its status, if it has one.
async fn answered(target: &Target, block: &[u8]) -> Option<u16> {
    let mut attacker = H2::open(target.url()).await;
    attacker.frame(kind::HEADERS, WHOLE | END, 1, block).await;
    // Some of it costs the stream, some the connection.
    attacker.fate(1).await
}

#[tokio::test]
async fn heads_that_are_none_are_reset() {
    let target = Target::new(&[]);
    let shape = H2::open(target.url()).await;
    let with = |headers: &[(&str, &str)]| shape.head("GET", "/healthz", headers);
    assert_eq!(answered(&target, &with(&[])).await, Some(200));
    let unsound = [
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        ("x-value", "a\r\nx-more: b"),
        ("x-value", "a\nb"),
        ("x-value", "a\0b"),
        ("X-Upper", "a"),
        ("x name", "a"),
        ("", "a"),
        (":path", "/readyz"),
        (":status", "200"),
        (":unknown", "a"),
    ];
    for header in unsound {
        assert_eq!(
            answered(&target, &with(&[header])).await,
            None,
            "{header:?}"
        );
    }
    for path in ["healthz", "", "http://x/healthz", "/a b", "/\n"] {
        let head = shape.head("GET", path, &[]);
        let status = answered(&target, &head).await;
        assert!(
            matches!(status, None | Some(400 | 404)),
            "{path}: {status:?}"
        );
    }
    for missing in 0..3 {
        let mut headers = vec![
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/healthz"),
        ];
        headers.remove(missing);
        let status = answered(&target, &block(&headers)).await;
        assert!(
            matches!(status, None | Some(400 | 404)),
            "{headers:?}: {status:?}"
        );
    }
    target.alive().await;
}

#[tokio::test]
async fn a_body_must_be_as_long_as_it_says() {
    let target = Target::new(&[]);
    let bearer = format!("Bearer {}", target.organization.key);
    for (length, body) in [("1", &b"{}"[..]), ("3", b"{}"), ("x", b"{}"), ("-1", b"")] {
        let mut attacker = H2::open(target.url()).await;
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-length", length),
            ("content-type", "application/json"),
        ];
        let head = attacker.head("POST", super::EVENTS, &headers);
        attacker.frame(kind::HEADERS, WHOLE, 1, &head).await;
        attacker.frame(kind::DATA, END, 1, body).await;
        let status = attacker.fate(1).await;
        assert!(!matches!(status, Some(200..=299)), "{length}: {status:?}");
    }
    target.alive().await;
}

#[tokio::test]
async fn header_blocks_that_unfold() {
    let target = Target::new(&[]);
    let before = target.resident();
    let mut attacker = H2::open(target.url()).await;
    // One large header goes into the server's table, then 12,000 references to it:
    // 12 KB that stand for 48 MB.
    let mut bomb = attacker.head("GET", "/healthz", &[]);
    bomb.push(0x40);
    for text in ["x-large", &"x".repeat(4000)] {
        integer(&mut bomb, 0, 7, text.len());
        bomb.extend(text.as_bytes());
    }
    bomb.extend([0x80 | 62].repeat(12_000));
    for stream in (1..100).step_by(2) {
        attacker
            .frame(kind::HEADERS, WHOLE | END, stream, &bomb[..16_000])
            .await;
    }
    let mut refused = 0;
    while let Some(frame) = attacker.next().await {
        refused += usize::from(frame.kind == kind::HEADERS);
        if frame.kind == kind::GOAWAY || refused == 50 {
            break;
        }
    }
    let grown = target.peak().saturating_sub(before);
    assert!(grown < 64, "{grown} MiB");
    target.alive().await;
}

#[tokio::test]
async fn a_table_cannot_be_made_larger() {
    let target = Target::new(&[]);
    let mut attacker = H2::open(target.url()).await;
    // The size update asks for 1 GiB.
    let mut head = Vec::new();
    integer(&mut head, 0x20, 5, 1 << 30);
    head.extend(attacker.head("GET", "/healthz", &[]));
    attacker.frame(kind::HEADERS, WHOLE | END, 1, &head).await;
    assert!(matches!(attacker.ended().await, Ended::GoAway(..)));
    target.alive().await;
}

#[tokio::test]
async fn frames_out_of_place_end_the_connection() {
    let target = Target::new(&[]);
    let shape = H2::open(target.url()).await;
    let head = shape.head("GET", "/healthz", &[]);
    let unsound = [
        frame(kind::DATA, END, 0, b"x"),
        frame(kind::DATA, END, 1, b"x"),
        frame(kind::HEADERS, WHOLE | END, 2, &head),
        frame(kind::HEADERS, WHOLE | END, 0, &head),
        frame(kind::CONTINUATION, WHOLE, 1, &head),
        frame(kind::PING, 0, 0, b"short"),
        frame(kind::PING, 0, 1, &[0; 8]),
        frame(kind::SETTINGS, 0, 0, b"short"),
        frame(kind::SETTINGS, 0, 1, &[]),
        frame(kind::WINDOW_UPDATE, 0, 0, &[0; 4]),
        frame(kind::RST_STREAM, 0, 1, &[0; 4]),
        frame(5, WHOLE, 1, &[0, 0, 0, 2]),
        // A frame larger than was agreed on.
        frame(kind::DATA, 0, 1, &[0; 20_000]),
        // A header block that is interrupted.
        [
            frame(kind::HEADERS, END, 1, &head),
            frame(kind::PING, 0, 0, &[0; 8]),
        ]
        .concat(),
    ];
    for bytes in unsound {
        let mut attacker = H2::open(target.url()).await;
        attacker.send(&bytes).await;
        let ended = attacker.ended().await;
        assert!(
            !matches!(ended, Ended::GoAway(0, _)),
            "{:?}: {ended:?}",
            &bytes[..bytes.len().min(20)]
        );
    }
    target.alive().await;
}
