//! What servers send to `/api/v1/events`, which the metrics product owns.

use serde_json::{Value, json};

use super::Site;
use crate::support::{Answer, Http};

const PATH: &str = "/api/v1/events";

fn events() -> Value {
    let data = json!({"value": 49.5, "currency": "EUR", "order_id": "inv_1"});
    json!({"events": [{"type": "purchase", "visitorId": "vis_1", "data": data}]})
}

async fn send(http: &Http, body: &Value) -> Answer {
    http.post(PATH, body).await
}

#[tokio::test]
async fn a_batch_of_a_server() {
    let site = Site::start();
    let keyed = site.server.http().with("x-api-key", &site.own.key);
    let keyed = keyed
        .with("idempotency-key", "3f0c")
        .with("x-apex-project", &site.own.project);
    let answer = send(&keyed, &events()).await;
    let expected = format!(
        r#"{{"data":{{"received":1,"duplicates":0,"errors":[]}},"metadata":{{"projectKey":"{}","idempotencyKey":"3f0c","batchSize":1}}}}"#,
        site.own.project
    );
    assert_eq!((answer.status, answer.text), (200, expected));
    // Within a quarter of an hour the same key stores nothing.
    let again = send(&keyed, &events()).await;
    let expected = json!({
        "data": {"received": 0, "duplicates": 0, "errors": [], "deduped": true},
        "metadata": {"projectKey": site.own.project, "idempotencyKey": "3f0c", "batchSize": 1},
    });
    assert_eq!(again.expect(200), expected);
    let other = json!({"events": [{"type": "refund", "visitorId": "vis_1"}]});
    let refused = send(&keyed, &other).await.expect(409);
    assert_eq!(refused["error"]["code"], "idempotency_key_reused");
    // The bearer's form of a key, no idempotency key, an order that is known.
    let plain = send(&site.owner, &events()).await.expect(200);
    assert_eq!(plain["data"]["duplicates"], 1);
    assert_eq!(plain["data"]["received"], 0);
    assert_eq!(
        plain["metadata"],
        json!({"projectKey": site.own.project, "batchSize": 1})
    );
    let revenue = site.figures().await["revenue"].clone();
    assert_eq!(revenue[0]["amount"], "49.50");
    let event = &site.list("").await[0];
    assert_eq!(event["visitorId"], "vis_1");
    assert_eq!(event["webEnvironment"], "unknown");
}

#[tokio::test]
async fn failures_have_the_envelope() {
    let site = Site::start();
    let batch = |count: usize| json!({"events": vec![json!({"type": "x"}); count]});
    assert_eq!(send(&site.owner, &batch(100)).await.status, 200);
    let large = send(&site.owner, &batch(101)).await.expect(400);
    let words = "A batch must have at most 100 events";
    let expected = json!({"error": {"code": "batch_too_large", "message": words}, "metadata": {}});
    assert_eq!(large, expected);
    let none = send(&site.owner, &batch(0)).await.expect(400);
    assert_eq!(none["error"]["message"], "events is required");
    assert_eq!(none["metadata"], json!({}));
    let stranger = site.server.http();
    let unknown = send(&stranger, &batch(1)).await.expect(401);
    assert_eq!(unknown["error"]["code"], "unauthorized");
    assert_eq!(unknown["metadata"], json!({}));
    let reader = site.server.key(&site.own, "growth.read");
    let reader = stranger.bearer(reader["key"].as_str().unwrap());
    let denied = send(&reader, &batch(1)).await.expect(403);
    assert_eq!(denied["error"]["code"], "forbidden");
    let page = stranger.bearer(&site.own.project_key);
    assert_eq!(send(&page, &batch(1)).await.status, 403);
}

#[tokio::test]
async fn each_event_is_checked_by_itself() {
    let site = Site::start();
    let body = json!({"events": [
        {"type": "signup", "visitorId": "v"}, {"visitorId": "v"}, {"type": 1}, {"type": "signup"},
    ]});
    let answer = send(&site.owner, &body).await.expect(200);
    let error = |index: i64, message: &str| json!({"index": index, "code": "invalid_event", "message": message});
    let errors = [
        error(1, "type is required"),
        error(2, "type must be a string"),
    ];
    let expected = json!({"received": 2, "duplicates": 0, "errors": errors});
    assert_eq!(answer["data"], expected);
    assert_eq!(answer["metadata"]["batchSize"], 4);
}

/// An organization with several projects says which.
#[tokio::test]
async fn a_project_is_named_where_there_are_several() {
    let site = Site::start();
    let second = site
        .owner
        .post("/api/projects", &json!({"name": "Second"}))
        .await;
    let second = second.expect(200)["id"].as_str().unwrap().to_owned();
    let body = json!({"events": [{"type": "signup", "visitorId": "v"}]});
    let unnamed = send(&site.owner, &body).await.expect(400);
    assert_eq!(unnamed["metadata"], json!({}));
    for header in ["x-apex-project", "x-project"] {
        let named = send(&site.owner.with(header, &second), &body)
            .await
            .expect(200);
        assert_eq!(named["metadata"]["projectKey"], second);
    }
}

/// The route's other callers are answered as before.
#[tokio::test]
async fn the_metrics_product_keeps_its_route() {
    let site = Site::start();
    let one = send(&site.owner, &json!({"event_name": "signup"}))
        .await
        .expect(200);
    assert_eq!(one["success"], true);
    let stranger = send(&site.server.http(), &json!({"event_name": "signup"})).await;
    assert!(stranger.expect(401)["error"]["code"] == "UNAUTHORIZED");
}

#[tokio::test]
async fn too_many_are_told_when_to_come_back() {
    let site = Site::with(&[("APEX_LIMITS_GROWTH_INGEST_LIMIT", "1")]);
    assert_eq!(send(&site.owner, &events()).await.status, 200);
    let refused = send(&site.owner, &events()).await;
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.expect(429)["error"]["code"], "rate_limited");
    // Pages have a bucket of their own.
    assert_eq!(site.send(&site.event(json!({}))).await.status, 200);
}
