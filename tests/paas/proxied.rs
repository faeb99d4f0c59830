//! What the proxy makes of requests: whose host they are for, what containers are told of
//! who asks, and how long clients that say nothing are borne with.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Platform, example};

/// The host of a service, and where the proxy listens.
fn place(service: &Value) -> (String, String) {
    let url = service["url"].as_str().expect("an address");
    let rest = url.strip_prefix("http://").expect("HTTP");
    let (host, rest) = rest.split_once(':').expect("a port");
    let port = rest.trim_end_matches('/');
    (host.to_owned(), format!("127.0.0.1:{port}"))
}

/// Sends bytes and reads until the other end closes.
async fn talk(address: &str, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let read = stream.read_to_end(&mut all);
    let _ = tokio::time::timeout(Duration::from_secs(20), read)
        .await
        .expect("an end");
    String::from_utf8_lossy(&all).into_owned()
}

/// The headers a container was told.
fn headers(answer: &str) -> Value {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    let begin = body.find('{').expect("JSON");
    let end = body.rfind('}').expect("JSON");
    let body: Value = serde_json::from_str(&body[begin..=end]).expect("JSON");
    body["headers"].clone()
}

#[tokio::test]
async fn requests_are_for_one_host() {
    let platform = Platform::start();
    let own = platform.running(example()).await;
    platform.answers(&own).await;
    let (host, address) = place(&own);
    let end = "Connection: close\r\n\r\n";
    for wrong in [
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nHost: other\r\n{end}"),
        format!("GET / HTTP/1.1\r\n{end}"),
    ] {
        let answer = talk(&address, &wrong).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    // The target names the host, and nothing a client sends takes it away again.
    let text = format!(
        "GET http://{host}/ HTTP/1.1\r\nHost: other\r\nConnection: host, close\r\n\
         X-Forwarded-For: 9.9.9.9\r\nX-Real-IP: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\n\
         X-Forwarded-Proto: https\r\n\r\n"
    );
    let told = headers(&talk(&address, &text).await);
    assert_eq!(told["host"], json!(host));
    assert_eq!(told["x-forwarded-host"], json!(host));
    assert_eq!(told["x-forwarded-for"], "127.0.0.1");
    assert_eq!(told["x-forwarded-proto"], "http");
    assert_eq!(
        (&told["x-real-ip"], &told["forwarded"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn what_a_trusted_proxy_says_is_handed_on() {
    let platform = Platform::with(&[("APEX_TRUSTED_PROXIES", "127.0.0.1")]);
    let own = platform.running(example()).await;
    platform.answers(&own).await;
    let (host, address) = place(&own);
    let text = format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-Forwarded-For: 9.9.9.9\r\n\
         X-Forwarded-Proto: https\r\n\r\n"
    );
    let told = headers(&talk(&address, &text).await);
    assert_eq!(told["x-forwarded-for"], "9.9.9.9, 127.0.0.1");
    assert_eq!(told["x-forwarded-proto"], "https");
}

#[tokio::test]
async fn silent_clients_are_sent_away() {
    let platform = Platform::with(&[
        ("APEX_TRANSPORT_FIRST_BYTE_TIMEOUT", "1s"),
        ("APEX_TRANSPORT_HEADER_TIMEOUT", "1s"),
        ("APEX_TRANSPORT_BODY_TIMEOUT", "1s"),
        ("APEX_TRANSPORT_IDLE_TIMEOUT", "1s"),
    ]);
    let own = platform.running(example()).await;
    platform.answers(&own).await;
    let (host, address) = place(&own);
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0";
    let body = format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\nhalf");
    for text in ["", "PRI * HT", preface, "GET / HT", &body] {
        talk(&address, text).await;
    }
}
