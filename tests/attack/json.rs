//! JSON and protobuf made to break parsers: refused as invalid every time, without a
//! stack, a core or a gigabyte being spent on them.

use apex::api::apex::metrics::v1 as pb;
use reqwest::Method;
use serde_json::json;

use super::{EVENTS, Target};
use crate::support::Answer;

async fn send(target: &Target, path: &str, body: impl Into<Vec<u8>>) -> Answer {
    let http = target.http.with("content-type", "application/json");
    http.send(Method::POST, path, Some(body.into())).await
}

/// An event with this text as its metadata.
fn with(metadata: &str) -> String {
    format!(r#"{{"event_name":"x","metadata":{metadata}}}"#)
}

#[tokio::test]
async fn text_that_is_no_json() {
    let target = Target::new(&[]);
    let before = target.resident();
    let deep = 100_000;
    let unsound: Vec<Vec<u8>> = vec![
        "[".repeat(deep).into(),
        "{\"a\":".repeat(deep).into(),
        with(&"[".repeat(deep)).into(),
        with(&"{\"a\":".repeat(deep)).into(),
        with(&format!(
            "{{\"a\":{}{}}}",
            "[".repeat(deep),
            "]".repeat(deep)
        ))
        .into(),
        with("{\"a\":[[[").into(),
        with("{\"a\":\"\\ud800\"}").into(),
        with("{\"a\":\"\\udc00\\ud800\"}").into(),
        with("{\"a\":\"\\u12\"}").into(),
        with("{\"a\":\"\\x\"}").into(),
        with("{\"a\":\"\n\"}").into(),
        with("{\"a\":01}").into(),
        with("{\"a\":1.}").into(),
        with("{\"a\":.1}").into(),
        with("{\"a\":+1}").into(),
        with("{\"a\":1e}").into(),
        with("{\"a\":NaN}").into(),
        with("{\"a\":Infinity}").into(),
        with("{\"a\":'b'}").into(),
        with("{a:1}").into(),
        with("{\"a\":1,}").into(),
        with("{\"a\":1}}").into(),
        with("[]").into(),
        with("\"{}\"").into(),
        b"{\"event_name\":\"\xff\xfe\"}".to_vec(),
        b"{\"event_name\":\"\xed\xa0\x80\"}".to_vec(),
        b"{\"event_name\":\"\xc0\xaf\"}".to_vec(),
        b"\xef\xbb\xbf{\"event_name\":\"x\"}".to_vec(),
        b"\xff\xfe{\0}\0".to_vec(),
        b"{\"event_name\":\"x\"}{\"event_name\":\"x\"}".to_vec(),
        b"{\"event_name\":\"x\"} x".to_vec(),
        b"{\"event_name\":\"x\"}\0".to_vec(),
        b"{\"event_name\":\"x\",\"event_name\":\"y\"}".to_vec(),
        b"{\"event_name\":\"x\",\"event_name\":\"x\"}".to_vec(),
        b"{\"event_name\":\"x\",}".to_vec(),
        b"{\"event_name\":\"x\"/* */}".to_vec(),
        b"{\"event_name\":\"\\u0000\"}".to_vec(),
        b"{\"event_name\":[\"x\"]}".to_vec(),
        b"{\"event_name\":1}".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\"x\"".to_vec(),
        b"".to_vec(),
        b" ".to_vec(),
        b"{\"event_name\":\"x\",\"timestamp\":\"9999999999-01-01T00:00:00Z\"}".to_vec(),
    ];
    for body in unsound {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = send(&target, EVENTS, body).await;
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text);
        assert_eq!(answer.json()["error"]["code"], "INVALID_REQUEST", "{shown}");
    }
    let grown = target.peak().saturating_sub(before);
    assert!(grown < 64, "{grown} MiB");
    target.alive().await;
}

#[tokio::test]
async fn numbers_without_bounds() {
    let target = Target::new(&[]);
    let long = "9".repeat(1_000_000);
    for price in [
        long.as_str(),
        "1e999999999",
        "-1e999999999",
        "1e-999999999",
        "9223372036854775808",
        "-1",
        "0",
        "0.5",
        "\"NaN\"",
        "\"Infinity\"",
    ] {
        let body = format!(r#"{{"price":{price},"currency":"USD"}}"#);
        let answer = send(&target, "/api/v1/events/purchase", body).await;
        let shown = &price[..price.len().min(30)];
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text);
    }
    target.alive().await;
}

#[tokio::test]
async fn members_without_number() {
    let target = Target::new(&[]);
    let before = target.resident();
    let members: String = (0..300_000).map(|at| format!("\"k{at}\":1,")).collect();
    // Members nobody knows are passed over; what is missing is missing.
    let body = format!("{{{members}\"z\":1}}");
    let answer = send(&target, EVENTS, body.clone()).await.expect(400);
    assert_eq!(answer["error"]["message"], "Event name is required");
    // In free properties they are the caller's own.
    send(&target, EVENTS, with(&body)).await.expect(200);
    // A batch of nothing, many times.
    let items = "{},".repeat(900_000);
    let batch = format!("{{\"events\":[{items}{{}}]}}");
    let answer = send(&target, "/api/v1/events/batch", batch).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    let grown = target.peak().saturating_sub(before);
    assert!(grown < 256, "{grown} MiB");
    target.alive().await;
}

#[tokio::test]
async fn messages_within_messages() {
    let target = Target::new(&[]);
    // Groups of a field nobody knows, 10,000 levels: a decoder has to skip them.
    let open: Vec<u8> = [0xfb, 0x07].repeat(10_000);
    let close: Vec<u8> = [0xfc, 0x07].repeat(10_000);
    for message in [
        [open.clone(), close].concat(),
        open,
        // Ends without a beginning.
        vec![0xfc, 0x07],
    ] {
        let length = (message.len() as u32).to_be_bytes();
        let body = [&[0], length.as_slice(), &message].concat();
        let http = target
            .http
            .with("content-type", "application/grpc-web+proto");
        let path = "/apex.metrics.v1.MetricsService/SendEvent";
        let (headers, _) = http.try_send_bytes(path, body).await.unwrap();
        assert_eq!(headers["grpc-status"], "3", "{headers:?}");
    }
    target.alive().await;
}

#[tokio::test]
async fn properties_of_grpc_are_checked_alike() {
    let target = Target::new(&[]);
    let key = &target.organization.key;
    let mut client = crate::support::grpc::metrics(target.url(), key).await;
    for metadata in [
        "[",
        "[]",
        "{\"a\":\"\\ud800\"}",
        "{} x",
        "\u{feff}{}",
        &"[".repeat(100_000),
    ] {
        let event = pb::SendEventRequest {
            event_name: "x".to_owned(),
            metadata: metadata.to_owned(),
            ..Default::default()
        };
        let status = client.send_event(event).await.unwrap_err();
        assert_eq!(
            status.code(),
            tonic::Code::InvalidArgument,
            "{metadata:.20}"
        );
    }
    let honest = json!({"a": "\u{1f600}"}).to_string();
    send(&target, EVENTS, with(&honest)).await.expect(200);
    target.alive().await;
}
