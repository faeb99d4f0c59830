//! What the metrics product holds: the events of a project, and what callers
//! name in them. Those names mean something within the project only.

use apex::error::Kind;
use serde_json::{Value, json};

use super::{Table, World};
use crate::security::catalogue::find;
use crate::security::wire::{Way, ways};

const PUBLIC_KEY: &str = "is in the source of a site for all to read, and opens nothing";
const OWN_NAME: &str = "a name the caller chooses, known within the project alone; see below";

pub(super) const TABLE: Table = Table {
    product: "metrics",
    entries: &[],
    exempt: &[
        ("apex.metrics.v1.BrowserService/GetSdk", "key", PUBLIC_KEY),
        (
            "apex.metrics.v1.BrowserService/CollectEvent",
            "project_key",
            PUBLIC_KEY,
        ),
        (
            "apex.metrics.v1.BrowserService/CollectEvent",
            "event_key",
            "is the event's name",
        ),
        (
            "apex.metrics.v1.BrowserService/CollectEvent",
            "event_id",
            OWN_NAME,
        ),
        (
            "apex.metrics.v1.BrowserService/CollectEvent",
            "user_id",
            OWN_NAME,
        ),
        (
            "apex.metrics.v1.MetricsService/SendEvent",
            "event_id",
            OWN_NAME,
        ),
        (
            "apex.metrics.v1.MetricsService/SendEvent",
            "visitor_id",
            OWN_NAME,
        ),
        (
            "apex.metrics.v1.MetricsService/SendPurchase",
            "event_id",
            OWN_NAME,
        ),
        (
            "apex.metrics.v1.MetricsService/SendPurchase",
            "visitor_id",
            OWN_NAME,
        ),
        (
            "apex.metrics.v1.MetricsService/SendEvents",
            "events.event_id",
            OWN_NAME,
        ),
        (
            "apex.metrics.v1.MetricsService/SendEvents",
            "events.visitor_id",
            OWN_NAME,
        ),
        (
            "apex.metrics.v1.MetricsService/IngestEvents",
            "events.event_id",
            OWN_NAME,
        ),
        (
            "apex.metrics.v1.MetricsService/IngestEvents",
            "events.visitor_id",
            OWN_NAME,
        ),
    ],
    on_projects: &[
        (
            "apex.metrics.v1.MetricsService/SendEvent",
            r#"{"event_name": "sent"}"#,
        ),
        (
            "apex.metrics.v1.MetricsService/SendPurchase",
            r#"{"price": 100, "currency": "USD"}"#,
        ),
        (
            "apex.metrics.v1.MetricsService/SendEvents",
            r#"{"events": [{"event_name": "sent"}]}"#,
        ),
        (
            "apex.metrics.v1.MetricsService/IngestEvents",
            r#"{"events": [{"event_name": "sent"}]}"#,
        ),
        (
            "apex.metrics.v1.MetricsService/GetAnalytics",
            r#"{"metrics": "events"}"#,
        ),
        ("apex.metrics.v1.MetricsService/ExportEvents", "{}"),
    ],
};

#[tokio::test]
async fn the_names_callers_choose_are_known_in_their_project_alone() {
    let world = World::start().await;
    let send = find("apex.metrics.v1.MetricsService/SendEvent");
    let event = json!({
        "event_name": "signup", "event_id": "order-1", "visitor_id": "v",
        "timestamp": "2024-01-15T10:30:00Z",
    });
    let mut ids = Vec::new();
    for tenant in [&world.owner, &world.intruder] {
        for way in ways(send) {
            let keyed = tenant.key.with("idempotency-key", "order-1");
            let answer = keyed.call(send, way, &event).await.json();
            ids.push(answer["event_id"].clone());
        }
    }
    // A repeat is one's own repeat.
    let (own, others) = ids.split_at(ways(send).len());
    assert!(own.iter().all(|id| *id == own[0]), "{own:?}");
    assert!(others.iter().all(|id| *id == others[0]), "{others:?}");
    // Nobody's is another's: both count one event of one visitor, and read back their own.
    let day = "start_date=2024-01-15&end_date=2024-01-15";
    let export = find("apex.metrics.v1.MetricsService/ExportEvents");
    for (tenant, id) in [(&world.owner, &own[0]), (&world.intruder, &others[0])] {
        let counted = tenant.get(&format!("/api/v1/analytics?{day}")).await;
        let one = json!({"page_views": 0, "unique_visitors": 1, "events": 1});
        assert_eq!(counted["data"], one);
        let exported = tenant.key.call(export, Way::Grpc, &json!({})).await.json();
        assert_eq!(exported[0]["events"].as_array().unwrap().len(), 1);
        assert_eq!(exported[0]["events"][0]["event_id"], *id);
    }
}

#[tokio::test]
async fn a_stream_resumes_where_its_own_project_left_it() {
    let world = World::start().await;
    let ingest = find("apex.metrics.v1.MetricsService/IngestEvents");
    let position = |answer: &Value| answer["position"].as_i64();
    let sent = json!({"stream": "nightly", "position": 10, "events": [{"event_name": "x"}]});
    let opens = json!({"stream": "nightly"});
    let owner = &world.owner.key;
    let answer = owner.call(ingest, Way::Grpc, &sent).await.json();
    assert_eq!(position(&answer[0]), Some(10));
    for way in [Way::Grpc, Way::GrpcWeb] {
        let own = owner.call(ingest, way, &opens).await.json();
        assert_eq!(position(&own[0]), Some(10));
        let other = world.intruder.key.call(ingest, way, &opens).await.json();
        assert_eq!(position(&other[0]), Some(0));
    }
}

#[tokio::test]
async fn a_key_of_one_project_reaches_no_other_of_its_organization() {
    let world = World::start().await;
    let owner = &world.owner;
    let second = owner.post("/api/projects", json!({"name": "Second"})).await;
    let body = json!({"name": "Bound", "projectId": second["id"]});
    let bound = owner.post("/api/api-keys", body).await;
    let bound = world.server.http().bearer(bound["key"].as_str().unwrap());
    let first = bound.with("x-project", &owner.organization.project);
    let event = json!({"event_name": "x"});
    assert_eq!(first.post("/api/v1/events", &event).await.status, 404);
    assert_eq!(first.get("/api/v1/analytics").await.status, 404);
    assert_eq!(bound.post("/api/v1/events", &event).await.status, 200);
    let analytics = find("apex.metrics.v1.MetricsService/GetAnalytics");
    let named = owner.key.with("x-project", &owner.organization.project);
    let counted = named.call(analytics, Way::Grpc, &json!({})).await.json();
    assert_eq!(counted["data"]["events"], 0);
    assert!(
        !named
            .call(analytics, Way::Grpc, &json!({}))
            .await
            .failed(Kind::NotFound)
    );
}
