//! What is too large is refused in words that say so, whichever protocol it came by,
//! and a length that is not true is worth nothing.

use apex::api::apex::metrics::v1 as pb;
use serde_json::json;
use tonic::Code;

use super::{EVENTS, Target, post};
use crate::support::attacker::Attacker;
use crate::support::h2::{END, H2, WHOLE, kind};
use crate::support::{grpc, web};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn bodies_of_rest() {
    let target = Target::new(&[]);
    let refusal = json!({"error": {
        "code": "PAYLOAD_TOO_LARGE",
        "message": "The body is larger than 4194304 bytes",
    }});
    let http = target.http.with("content-type", "application/json");
    for size in [4 * MIB + 1, 5 * MIB, 30 * MIB] {
        let body = vec![b' '; size];
        let answer = http.send(reqwest::Method::POST, EVENTS, Some(body)).await;
        assert_eq!(answer.expect(413), refusal, "{size}");
    }
    // As much as may be is read, and is no JSON.
    let body = vec![b' '; 4 * MIB];
    let answer = http.send(reqwest::Method::POST, EVENTS, Some(body)).await;
    assert_eq!(answer.status, 400);

    // A length nobody knows before it has come.
    let mut attacker = Attacker::connect(target.url()).await;
    let head = post(&target.organization.key, "Transfer-Encoding: chunked", "");
    attacker.send(head).await;
    let chunk = format!("{:x}\r\n{}\r\n", MIB, " ".repeat(MIB));
    for _ in 0..5 {
        attacker.send(&chunk).await;
    }
    let answer = attacker.answer().await;
    assert_eq!((answer.status, answer.body), (413, refusal.to_string()));
    target.alive().await;
}

#[tokio::test]
async fn messages_of_grpc() {
    let target = Target::new(&[]);
    let mut client = grpc::metrics(target.url(), &target.organization.key).await;
    let large = pb::SendEventRequest {
        event_name: "x".repeat(4 * MIB),
        ..Default::default()
    };
    let status = client.send_event(large.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(grpc::reason(&status), "PAYLOAD_TOO_LARGE");
    let method = "apex.metrics.v1.MetricsService/SendEvent";
    let called = web::call::<pb::SendEventResponse>(&target.http, method, &large);
    assert_eq!(called.await.unwrap_err().code(), Code::ResourceExhausted);
    target.alive().await;
}

/// Sends bytes as the body of a gRPC-Web request; answers the status.
async fn grpc_web(target: &Target, body: &[u8]) -> Option<String> {
    let http = target
        .http
        .with("content-type", "application/grpc-web+proto");
    let path = "/apex.metrics.v1.MetricsService/SendEvent";
    let (headers, _) = http.try_send_bytes(path, body.to_vec()).await.unwrap();
    Some(headers.get("grpc-status")?.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn messages_that_are_not_what_they_say() {
    let target = Target::new(&[]);
    let before = target.resident();
    let (invalid, exhausted) = (Some("3".to_owned()), Some("8".to_owned()));
    for (body, status) in [
        // Two gigabytes, of which three bytes come.
        (&b"\0\x80\0\0\0abc"[..], &exhausted),
        (b"\0\xff\xff\xff\xffabc", &exhausted),
        // As much as may be, of which three bytes come.
        (b"\0\0\x40\0\0abc", &invalid),
        (b"\0\0\0\0\x10abc", &invalid),
        (b"\0\0", &invalid),
        // A compression flag that is none.
        (b"\x07\0\0\0\x03abc", &invalid),
        // No message of this type.
        (b"\0\0\0\0\x03\xff\xff\xff", &invalid),
        (b"\0\0\0\0\x04\x0a\x7fab", &invalid),
        // Text that is no UTF-8.
        (b"\0\0\0\0\x04\x0a\x02\xff\xfe", &invalid),
    ] {
        assert_eq!(&grpc_web(&target, body).await, status, "{body:?}");
    }
    for _ in 0..200 {
        grpc_web(&target, b"\0\0\x3f\xff\xffabc").await;
    }
    let grown = target.peak().saturating_sub(before);
    assert!(grown < 64, "{grown} MiB");
    target.alive().await;
}

#[tokio::test]
async fn heads() {
    let target = Target::new(&[]);
    let refusal = r#"{"error":{"code":"HEADERS_TOO_LARGE","message":"The headers are larger than 16384 bytes"}}"#;
    let large = "x".repeat(17_000);
    let many: String = (0..120)
        .map(|at| format!("X-{at}: {}\r\n", "y".repeat(120)))
        .collect();
    for headers in [format!("X-Large: {large}"), format!("{many}X-Last: x")] {
        let mut attacker = Attacker::connect(target.url()).await;
        attacker
            .send(post(&target.organization.key, &headers, ""))
            .await;
        let answer = attacker.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (431, refusal));
    }
    // Beyond what is read at all, or what is counted.
    let few: String = (0..200).map(|at| format!("X-{at}: y\r\n")).collect();
    for headers in [
        format!("X-Large: {}", large.repeat(20)),
        format!("{few}X-Last: x"),
    ] {
        let mut attacker = Attacker::connect(target.url()).await;
        attacker
            .send(post(&target.organization.key, &headers, ""))
            .await;
        let answer = attacker.closed().await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    let mut attacker = H2::open(target.url()).await;
    let mut stream = 1;
    for count in [400, 500] {
        // Each counts for 36 bytes.
        let head = attacker.head("GET", "/healthz", &vec![("x-a", "b"); count]);
        attacker
            .frame(kind::HEADERS, WHOLE | END, stream, &head)
            .await;
        let status = if count > 400 { 431 } else { 200 };
        assert_eq!(attacker.status(stream).await, Some(status), "{count}");
        stream += 2;
    }
    target.alive().await;
}

#[tokio::test]
async fn urls() {
    let target = Target::new(&[]);
    let analytics = "/api/v1/analytics";
    let refusal = json!({"error": {
        "code": "URI_TOO_LONG", "message": "The URL is longer than 16384 bytes",
    }});
    for query in [
        "metrics=events&".repeat(10_000),
        "a&".repeat(10_000),
        format!("metrics={}", "x".repeat(60_000)),
    ] {
        let query = &query[..query.len().min(60_000)];
        let answer = target.http.get(&format!("{analytics}?{query}")).await;
        assert_eq!(answer.expect(414), refusal);
    }
    // As many as fit are looked at, and refused by name.
    let query: String = (0..2_000).map(|at| format!("p{at}=1&")).collect();
    let answer = target.http.get(&format!("{analytics}?{query}")).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    // HTTP/1.1 knows no longer URL than this.
    for size in [65_536, 100_000] {
        let mut attacker = Attacker::connect(target.url()).await;
        let path = "x".repeat(size);
        attacker
            .send(format!("GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        let answer = attacker.closed().await;
        assert!(answer.starts_with("HTTP/1.1 414 "), "{answer}");
    }
    target.alive().await;
}
