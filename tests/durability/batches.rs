//! A batch says of every item what became of it, and can be sent again.

use std::collections::HashSet;

use apex::api::apex::metrics::v1 as pb;
use serde_json::{Value, json};

use super::stored;
use crate::support::{Server, grpc, web};

/// Positions of the items that are not valid, and what is said of them.
const INVALID: [(usize, &str); 3] = [
    (0, "Event name is required"),
    (41, "price must be at least 1"),
    (99, "timestamp must be a time such as 2024-01-15T10:30:00Z"),
];

/// A hundred items of which three are not valid. Every id is used once.
fn items(stem: &str) -> Vec<Value> {
    let item = |at: usize| {
        let id = format!("{stem}-{at}");
        match at {
            0 => json!({"event_id": id}),
            41 => json!({"event_id": id, "price": 0, "currency": "EUR"}),
            99 => json!({"event_id": id, "event_name": "late", "timestamp": "yesterday"}),
            _ if at.is_multiple_of(5) => json!({"event_id": id, "price": 150, "currency": "EUR"}),
            _ => json!({"event_name": "page_view", "metadata": {"event_id": id}}),
        }
    };
    (0..100).map(item).collect()
}

/// What is to be answered, the first time or again.
#[track_caller]
fn check(answer: &Value, stem: &str, again: bool) {
    let (received, duplicates) = if again { (0, 97) } else { (97, 0) };
    assert_eq!(answer["success"], false, "three are refused");
    assert_eq!(answer["received"], received);
    assert_eq!(answer["duplicates"], duplicates);
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 100);
    for (at, result) in results.iter().enumerate() {
        let expected = match INVALID.iter().find(|(invalid, _)| *invalid == at) {
            Some((_, why)) => json!({"index": at, "outcome": "invalid", "error": why}),
            None => json!({
                "index": at,
                "outcome": if again { "duplicate" } else { "stored" },
                "event_id": format!("evt_{stem}-{at}"),
            }),
        };
        assert_eq!(*result, expected);
    }
}

#[tokio::test]
async fn of_a_hundred_items_the_valid_ones_are_stored_once() {
    let mut server = Server::start();
    let key = server.organization("Acme").key;
    let body = json!({"events": items("a")});
    let send = async |server: &Server| {
        let http = server.http().bearer(&key);
        http.post("/api/v1/events/batch", &body).await.expect(200)
    };
    check(&send(&server).await, "a", false);
    check(&send(&server).await, "a", true);
    // What was seen is known after a crash as well.
    server.kill();
    server.run();
    check(&send(&server).await, "a", true);
    let found = stored::events(&server.url, &key).await;
    let ids: HashSet<_> = found.iter().map(|event| event.event_id.as_str()).collect();
    assert_eq!((found.len(), ids.len()), (97, 97));
    for (at, _) in INVALID {
        assert!(!ids.contains(format!("evt_a-{at}").as_str()));
    }
    let path = "/api/v1/analytics?metrics=page_views,events,revenue";
    let data = server.http().bearer(&key).get(path).await.expect(200)["data"].clone();
    let purchases = (1..100).filter(|at: &usize| at.is_multiple_of(5)).count();
    assert_eq!(data["page_views"], 97 - purchases);
    assert_eq!(data["events"], purchases);
    assert_eq!(
        data["revenue"][0]["amount"],
        format!("{}.50", purchases * 3 / 2)
    );
}

/// The items as messages. A time that is none cannot be written in one, so that
/// item has one that is out of range.
fn messages(stem: &str) -> Vec<pb::EventItem> {
    let message = |item: &Value| {
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let late = item["timestamp"].is_string();
        pb::EventItem {
            event_name: text("event_name"),
            event_id: text("event_id"),
            currency: text("currency"),
            price: item["price"].as_i64(),
            metadata: match &item["metadata"] {
                Value::Null => String::new(),
                metadata => metadata.to_string(),
            },
            timestamp: late.then_some(prost_types::Timestamp {
                seconds: i64::MAX,
                nanos: 0,
            }),
            ..Default::default()
        }
    };
    items(stem).iter().map(message).collect()
}

fn tally(answer: &pb::SendEventsResponse) -> (i64, i64, Vec<i64>) {
    let invalid = i32::from(pb::Outcome::Invalid);
    let refused = answer.results.iter().filter(|own| own.outcome == invalid);
    let refused = refused.map(|own| own.index).collect();
    (answer.received, answer.duplicates, refused)
}

#[tokio::test]
async fn a_batch_is_the_same_over_every_protocol() {
    let server = Server::start();
    let key = server.organization("Acme").key;
    let mut client = grpc::metrics(&server.url, &key).await;
    let http = server.http().bearer(&key);
    let refused: Vec<i64> = INVALID.iter().map(|(at, _)| *at as i64).collect();
    let request = |stem: &str| pb::SendEventsRequest {
        events: messages(stem),
    };
    let first = client.send_events(request("a")).await.unwrap().into_inner();
    assert_eq!(tally(&first), (97, 0, refused.clone()));
    // Sent again over another protocol, it is still known.
    let method = "apex.metrics.v1.MetricsService/SendEvents";
    let again = web::call(&http, method, &request("a")).await.unwrap();
    assert_eq!(tally(&again), (0, 97, refused.clone()));
    let body = json!({"events": items("a")});
    let again = http.post("/api/v1/events/batch", &body).await.expect(200);
    check(&again, "a", true);
    let fresh = web::call(&http, method, &request("b")).await.unwrap();
    assert_eq!(tally(&fresh), (97, 0, refused));
    assert_eq!(stored::events(&server.url, &key).await.len(), 2 * 97);
}

#[tokio::test]
async fn a_batch_may_repeat_itself() {
    let server = Server::start();
    let key = server.organization("Acme").key;
    let item = |id: &str, n: i64| json!({"event_name": "a", "event_id": id, "metadata": {"n": n}});
    let body = json!({"events": [item("x", 1), item("y", 2), item("x", 3)]});
    let http = server.http().bearer(&key);
    let answer = http.post("/api/v1/events/batch", &body).await.expect(200);
    assert_eq!(answer["success"], true);
    let outcomes: Vec<_> = answer["results"].as_array().unwrap().iter().collect();
    assert_eq!(outcomes[0]["outcome"], "stored");
    assert_eq!(outcomes[2]["outcome"], "duplicate");
    assert_eq!(outcomes[2]["event_id"], "evt_x");
    // The first one stands.
    let found = stored::events(&server.url, &key).await;
    let numbers: Vec<_> = found.iter().map(|event| event.metadata.as_str()).collect();
    assert_eq!(numbers, [r#"{"n":1}"#, r#"{"n":2}"#]);
    // Another project has ids of its own.
    let other = server.organization("Other").key;
    let http = server.http().bearer(&other);
    let answer = http.post("/api/v1/events/batch", &body).await.expect(200);
    assert_eq!(answer["received"], 2);
}
