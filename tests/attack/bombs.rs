//! Small bodies that unfold into large ones: the limit counts what comes out, and no
//! memory is taken beyond it.

use std::io::Write as _;

use apex::api::apex::metrics::v1 as pb;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;
use tonic::Code;
use tonic::codec::CompressionEncoding;

use super::{EVENTS, Target};
use crate::support::{Answer, Http, grpc};

const MIB: usize = 1024 * 1024;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 3).unwrap()
}

/// A frame of zstd whose head asks for a window of 2 GiB; its content is nothing.
fn wide_zstd() -> Vec<u8> {
    vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00]
}

async fn send(http: &Http, encoding: &str, body: Vec<u8>) -> Answer {
    let http = http
        .with("content-type", "application/json")
        .with("content-encoding", encoding);
    http.send(Method::POST, EVENTS, Some(body)).await
}

#[tokio::test]
async fn over_rest() {
    let target = Target::new(&[]);
    let honest = json!({"event_name": "x"}).to_string().into_bytes();
    send(&target.http, "gzip", gzip(&honest)).await.expect(200);
    send(&target.http, "zstd", zstd(&honest)).await.expect(200);

    let before = target.resident();
    let plain = vec![b' '; 60 * MIB];
    let bombs = [("gzip", gzip(&plain)), ("zstd", zstd(&plain))];
    let mut sent = JoinSet::new();
    for (encoding, bomb) in bombs.into_iter().cycle().take(60) {
        assert!(bomb.len() < 100_000);
        let http = target.http.clone();
        sent.spawn(async move { send(&http, encoding, bomb).await });
    }
    for answer in sent.join_all().await {
        let body = answer.expect(413);
        assert_eq!(body["error"]["code"], "PAYLOAD_TOO_LARGE");
    }
    let grown = target.peak().saturating_sub(before);
    assert!(grown < 64, "{grown} MiB");
    target.alive().await;
}

#[tokio::test]
async fn encodings_that_are_none() {
    let target = Target::new(&[]);
    let honest = json!({"event_name": "x"}).to_string().into_bytes();
    let twice = gzip(&gzip(&vec![b' '; 60 * MIB]));
    for (encoding, body, status) in [
        ("br", honest.clone(), 415),
        ("deflate", honest.clone(), 415),
        ("gzip, gzip", twice.clone(), 415),
        ("gzip,zstd", honest.clone(), 415),
        ("x", honest.clone(), 415),
        // One layer is taken off, and what is inside is no JSON.
        ("gzip", twice, 400),
        ("gzip", honest.clone(), 400),
        ("zstd", honest.clone(), 400),
        ("gzip", gzip(&honest)[..15].to_vec(), 400),
        ("zstd", zstd(&honest)[..15].to_vec(), 400),
        ("zstd", wide_zstd(), 400),
    ] {
        let answer = send(&target.http, encoding, body).await;
        let shown = answer.expect(status);
        let code = shown["error"]["code"].as_str().unwrap();
        let expected = if status == 415 {
            "UNSUPPORTED_MEDIA_TYPE"
        } else {
            "INVALID_REQUEST"
        };
        assert_eq!(code, expected, "{encoding}: {shown}");
    }
    target.alive().await;
}

#[tokio::test]
async fn over_grpc() {
    let target = Target::new(&[]);
    let client = grpc::metrics(target.url(), &target.organization.key).await;
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let mut client = client.clone().send_compressed(encoding);
        let honest = pb::SendEventRequest {
            event_name: "x".to_owned(),
            ..Default::default()
        };
        client.send_event(honest.clone()).await.unwrap();
        let before = target.resident();
        let bomb = pb::SendEventRequest {
            event_name: " ".repeat(60 * MIB),
            ..Default::default()
        };
        for _ in 0..3 {
            let status = client.send_event(bomb.clone()).await.unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
            assert_eq!(grpc::reason(&status), "PAYLOAD_TOO_LARGE");
        }
        let grown = target.peak().saturating_sub(before);
        assert!(grown < 64, "{grown} MiB");
        client.send_event(honest).await.unwrap();
    }
    target.alive().await;
}

#[tokio::test]
async fn grpc_that_is_not_compressed_as_it_says() {
    let target = Target::new(&[]);
    let path = "/apex.metrics.v1.MetricsService/SendEvent";
    let web = target
        .http
        .with("content-type", "application/grpc-web+proto");
    for (encoding, message, status) in [
        ("gzip", b"no gzip at all".to_vec(), "3"),
        ("zstd", b"no zstd at all".to_vec(), "3"),
        ("zstd", wide_zstd(), "3"),
        // Supported ones are named with the refusal.
        ("br", b"x".to_vec(), "12"),
        // So says the protocol: it says compressed and does not say how.
        ("identity", b"x".to_vec(), "13"),
    ] {
        let length = (message.len() as u32).to_be_bytes();
        let body = [&[1], length.as_slice(), &message].concat();
        let http = web.with("grpc-encoding", encoding);
        let (headers, _) = http.try_send_bytes(path, body).await.unwrap();
        assert_eq!(headers["grpc-status"], status, "{encoding}: {headers:?}");
    }
    target.alive().await;
}
