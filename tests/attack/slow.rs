//! Bodies that come slowly or not at all: whatever the protocol, the body as a whole
//! has a time, and every byte does not start it anew.

use std::time::Duration;

use apex::api::apex::metrics::v1 as pb;
use tonic::client::Grpc;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

use super::{EVENTS, Target, post};
use crate::support::attacker::Attacker;
use crate::support::grpc;
use crate::support::h2::{H2, WHOLE, kind};

const LATE: &str = r#"{"error":{"code":"REQUEST_TIMEOUT","message":"The body took too long"}}"#;

fn start() -> Target {
    Target::new(&[("APEX_TRANSPORT_BODY_TIMEOUT", "500ms")])
}

/// Sends bytes one by one until the connection takes no more, or is answered.
async fn trickle(mut attacker: Attacker) -> String {
    let (mut reader, mut writer) = attacker.stream.split();
    let trickling = async {
        use tokio::io::AsyncWriteExt as _;
        while writer.write_all(b"1").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut answer);
    tokio::select! {
        _ = reading => {}
        () = trickling => {}
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_body_byte_by_byte() {
    let target = start();
    let key = &target.organization.key;
    for headers in ["Content-Length: 100000", "Transfer-Encoding: chunked"] {
        let mut attacker = Attacker::connect(target.url()).await;
        let begun = if headers.starts_with('T') {
            "fffff\r\n"
        } else {
            ""
        };
        assert!(attacker.send(post(key, headers, begun)).await);
        let answer = trickle(attacker).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.ends_with(LATE), "{answer}");
    }
    target.alive().await;
}

#[tokio::test]
async fn a_stream_of_http2_without_its_body() {
    let target = start();
    let mut attacker = H2::open(target.url()).await;
    let bearer = format!("Bearer {}", target.organization.key);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let head = attacker.head("POST", EVENTS, &headers);
    for stream in [1, 3] {
        attacker.frame(kind::HEADERS, WHOLE, stream, &head).await;
        assert_eq!(attacker.status(stream).await, Some(408));
    }
    // It was the streams' fault, not the connection's.
    assert!(attacker.serves(5).await);
    target.alive().await;
}

#[tokio::test]
async fn a_grpc_message_that_does_not_come() {
    let target = start();
    let channel = grpc::with_key(target.url(), &target.organization.key).await;
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    // A method that takes one message is sent a stream of none.
    let nothing = tokio_stream::pending::<pb::SendEventRequest>();
    let codec = ProstCodec::<pb::SendEventRequest, pb::SendEventResponse>::default();
    let path = "/apex.metrics.v1.MetricsService/SendEvent".parse().unwrap();
    let called = client.client_streaming(Request::new(nothing), path, codec);
    let status = called.await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert_eq!(status.message(), "The body took too long");
    assert_eq!(grpc::reason(&status), "REQUEST_TIMEOUT");
    target.alive().await;
}

#[tokio::test]
async fn a_grpc_web_message_byte_by_byte() {
    let target = start();
    let mut attacker = Attacker::connect(target.url()).await;
    let head = format!(
        "POST /apex.metrics.v1.MetricsService/SendEvent HTTP/1.1\r\nHost: x\r\n\
         Authorization: Bearer {}\r\nContent-Type: application/grpc-web+proto\r\n\
         Content-Length: 1000\r\n\r\n\0\0\0\x01\0",
        target.organization.key
    );
    assert!(attacker.send(head).await);
    let answer = trickle(attacker).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("grpc-status: 4\r\n"), "{answer}");
    target.alive().await;
}
