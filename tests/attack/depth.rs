//! Properties nested deeper than some part of the way can hold would be accepted and
//! lost. What is accepted is read back, byte for byte, over every way out; what is
//! not is refused at every door.

use apex::api::apex::metrics::v1 as pb;
use reqwest::Method;
use serde_json::json;
use tokio_stream::StreamExt as _;

use super::{EVENTS, Target};
use crate::support::{grpc, web};

/// Deepest nesting that is accepted, the object itself counted.
const DEEPEST: usize = 32;

/// An object of so many levels, of objects or of lists.
fn nested(depth: usize, lists: bool) -> String {
    let inner = depth - 1;
    let (open, close) = if lists { ("[", "]") } else { (r#"{"b":"#, "}") };
    format!(r#"{{"a":{}1{}}}"#, open.repeat(inner), close.repeat(inner))
}

/// Sends properties through every door; says which let them in.
async fn send(target: &Target, metadata: &str) -> Vec<(&'static str, bool)> {
    let http = target.http.with("content-type", "application/json");
    let post = async |path: &str, body: String| {
        let answer = http.send(Method::POST, path, Some(body.into_bytes())).await;
        assert!([200, 400].contains(&answer.status), "{}", answer.text);
        answer
    };
    let item = format!(r#"{{"event_name":"x","metadata":{metadata}}}"#);
    let purchase = format!(r#"{{"price":1,"currency":"USD","metadata":{metadata}}}"#);
    let single = post(EVENTS, item.clone()).await.status == 200;
    let bought = post("/api/v1/events/purchase", purchase).await.status == 200;
    let batch = post("/api/v1/events/batch", format!(r#"{{"events":[{item}]}}"#)).await;
    let batch = batch.status == 200 && batch.json()["received"] == json!(1);

    let mut client = grpc::metrics(target.url(), &target.organization.key).await;
    let event = pb::SendEventRequest {
        event_name: "x".to_owned(),
        metadata: metadata.to_owned(),
        ..Default::default()
    };
    let unary = client.send_event(event.clone()).await.is_ok();
    let method = "apex.metrics.v1.MetricsService/SendEvent";
    let web = web::call::<pb::SendEventResponse>(&target.http, method, &event).await;
    let streamed = pb::IngestEventsRequest {
        position: 1,
        events: vec![pb::EventItem {
            event_name: "x".to_owned(),
            metadata: metadata.to_owned(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let answers = client.ingest_events(tokio_stream::once(streamed)).await;
    let first = answers.unwrap().into_inner().next().await;
    let streamed = first.is_some_and(|answer| answer.is_ok_and(|answer| answer.received == 1));
    vec![
        ("single", single),
        ("purchase", bought),
        ("batch", batch),
        ("gRPC", unary),
        ("gRPC-Web", web.is_ok()),
        ("stream", streamed),
    ]
}

#[tokio::test]
async fn what_is_let_in_is_read_back() {
    let target = Target::new(&[]);
    let mut sent = Vec::new();
    for depth in [
        1, 2, 20, 31, 32, 33, 34, 50, 64, 99, 100, 101, 127, 128, 129, 130,
    ] {
        for lists in [false, true] {
            let metadata = nested(depth, lists);
            for (door, let_in) in send(&target, &metadata).await {
                assert_eq!(let_in, depth <= DEEPEST, "{door}, {depth} levels");
                sent.extend(let_in.then(|| metadata.clone()));
            }
        }
    }
    let stored = target.stored().await.into_iter();
    let stored: Vec<_> = stored.map(|event| event.metadata).collect();
    assert_eq!(stored, sent);
    // The command line writes what it can read again.
    let project = &target.organization.project;
    let lines = target
        .server
        .apex(&["events", "export", "--project", project]);
    let shown = sent
        .iter()
        .filter(|metadata| lines.contains(metadata.as_str()));
    assert_eq!(shown.count(), sent.len(), "{lines}");
}
