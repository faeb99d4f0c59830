//! What the browser's script sends without a key: whose it is, who is counted, and the
//! answers. What the script does in a page is in `tests/clients/snippet.rs`.

use apex::api::apex::metrics::v1::CollectEventRequest;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Http, Organization, Server};

const SHOP: &str = "https://shop.example.com";

fn view() -> Value {
    json!({
        "url": format!("{SHOP}/plans?utm_source=news"),
        "referrer": "https://search.example/?q=x",
        "timestamp": "2026-01-15T10:30:00Z",
        "eventType": 1,
        "userAgent": "Mozilla/5.0",
    })
}

fn own(key: &str, metadata: &Value) -> Value {
    let mut event = view();
    event["eventType"] = json!(2);
    event["eventKey"] = json!(key);
    event["eventMetadata"] = metadata.clone();
    event
}

/// A page, which sends its JSON as text.
fn page(server: &Server, origin: &str) -> Http {
    let page = server.http().with("origin", origin);
    page.with("content-type", "text/plain;charset=UTF-8")
}

async fn send(page: &Http, path: &str, body: &Value) -> Answer {
    page.send(Method::POST, path, Some(body.to_string().into_bytes()))
        .await
}

async fn day(server: &Server, organization: &Organization, more: &str) -> Value {
    let owner = server.http().bearer(&organization.key);
    let period = "start_date=2026-01-15&end_date=2026-01-15";
    let path = format!("/api/v1/analytics?{period}&{more}");
    owner.get(&path).await.expect(200)
}

async fn allow(server: &Server, organization: &Organization, origins: &[&str]) {
    let owner = server.http().bearer(&organization.key);
    let path = format!("/api/projects/{}", organization.project);
    let body = json!({"allowedOrigins": origins});
    owner.patch(&path, &body).await.expect(200);
}

#[tokio::test]
async fn pages_are_counted_without_a_key() {
    let server = Server::start();
    let organization = server.organization("Acme");
    let page = page(&server, SHOP);
    let received = json!({"message": "Event received", "status": 202});
    for path in ["/api/v1/events", "/x/api/v1/events", "/y/api/v1/events"] {
        let answer = send(&page, path, &view()).await;
        assert_eq!(answer.expect(202), received, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(SHOP));
        assert_eq!(answer.header("x-ratelimit-limit"), Some("1000"));
    }
    let json = server.http().with("origin", SHOP);
    let chosen = own("plan:chosen", &json!({"plan": "team"}));
    json.post("/api/v1/events", &chosen).await.expect(202);
    let price = json!({"price": 2999, "currency": "EUR", "quantity": 2});
    let bought = own("revenue:purchased", &price);
    send(&page, "/api/v1/events", &bought).await.expect(202);
    let all = "metrics=page_views,unique_visitors,events,revenue,cookieless_visitors";
    let seen = day(&server, &organization, all).await;
    assert_eq!(
        seen["data"],
        json!({
            "page_views": 3, "unique_visitors": 1, "events": 2, "cookieless_visitors": 1,
            "revenue": [{"currency": "EUR", "purchases": 1, "units": 2, "amount": "59.98"}],
        })
    );
    for (by, key) in [
        ("path", "/plans"),
        ("referrer", "search.example"),
        ("utm_source", "news"),
    ] {
        let seen = day(
            &server,
            &organization,
            &format!("metrics=page_views&group_by={by}"),
        )
        .await;
        assert_eq!(
            seen["groups"][0],
            json!({"key": key, "data": {"page_views": 3}})
        );
    }
    // Another browser is another visitor; one with a name is who it says.
    let other = page.with("user-agent", "Another/1.0");
    send(&other, "/api/v1/events", &view()).await.expect(202);
    let mut named = view();
    named["userId"] = json!("u1");
    for page in [&page, &other] {
        send(page, "/api/v1/events", &named).await.expect(202);
    }
    let who = "metrics=unique_visitors,cookieless_visitors";
    let seen = day(&server, &organization, who).await;
    assert_eq!(
        seen["data"],
        json!({"unique_visitors": 3, "cookieless_visitors": 2})
    );
}

#[tokio::test]
async fn a_repeat_counts_once() {
    let server = Server::start();
    let organization = server.organization("Acme");
    let page = page(&server, SHOP);
    let mut event = view();
    event["eventId"] = json!("e1");
    for _ in 0..3 {
        send(&page, "/api/v1/events", &event).await.expect(202);
    }
    let seen = day(&server, &organization, "metrics=page_views").await;
    assert_eq!(seen["data"]["page_views"], 1);
}

#[tokio::test]
async fn a_page_is_of_the_project_that_allows_its_origin() {
    let server = Server::start();
    let (first, second) = (server.organization("First"), server.organization("Second"));
    let views = async |organization: &Organization| {
        let seen = day(&server, organization, "metrics=page_views").await;
        seen["data"]["page_views"].as_i64().unwrap()
    };
    let shop = page(&server, SHOP);
    // Both take any: the tag has to say which.
    let answer = send(&shop, "/api/v1/events", &view()).await.expect(400);
    assert_eq!(answer["code"], "WEBSITE_NOT_FOUND");
    let mut named = view();
    named["projectKey"] = json!(second.project_key);
    send(&shop, "/api/v1/events", &named).await.expect(202);
    assert_eq!((views(&first).await, views(&second).await), (0, 1));

    allow(&server, &first, &[SHOP]).await;
    send(&shop, "/api/v1/events", &view()).await.expect(202);
    assert_eq!((views(&first).await, views(&second).await), (1, 1));
    // What no project names is of the one that takes any.
    let blog = page(&server, "https://blog.example.com");
    send(&blog, "/api/v1/events", &view()).await.expect(202);
    assert_eq!((views(&first).await, views(&second).await), (1, 2));

    allow(&server, &second, &["https://other.example.com"]).await;
    let refused = send(&blog, "/api/v1/events", &view()).await.expect(403);
    assert_eq!(refused["error"], "Invalid origin");
    let refused = send(&shop, "/api/v1/events", &named).await.expect(403);
    assert_eq!(refused["error"], "Invalid origin");
    named["projectKey"] = json!("pk_live_nobody");
    send(&shop, "/api/v1/events", &named).await.expect(400);
    // Who sends no Origin is where it says it is.
    let json = server.http();
    json.post("/x/api/v1/events", &view()).await.expect(202);
    assert_eq!((views(&first).await, views(&second).await), (2, 2));
}

/// One path has several callers; none is taken for another.
#[tokio::test]
async fn the_path_tells_its_callers_apart() {
    let server = Server::start();
    let organization = server.organization("Acme");
    let (anyone, owner) = (server.http(), server.http().bearer(&organization.key));
    let path = "/api/v1/events";
    let refused = anyone
        .post(path, &json!({"event_name": "x"}))
        .await
        .expect(401);
    assert_eq!(refused["error"]["code"], "UNAUTHORIZED");
    let refused = anyone.send(Method::POST, path, Some(b"{".to_vec())).await;
    assert_eq!(refused.expect(401)["error"]["code"], "UNAUTHORIZED");
    let sent = owner
        .post(path, &json!({"event_name": "x", "eventType": 1}))
        .await;
    assert_eq!(sent.expect(200)["success"], true);
    // The script's body with a key is none of the API's.
    let refused = owner.post(path, &view()).await.expect(400);
    assert_eq!(refused["error"]["message"], "Event name is required");
    let text = page(&server, SHOP).bearer(&organization.key);
    let refused = send(&text, path, &json!({"event_name": "x"})).await;
    assert_eq!(refused.status, 415, "{}", refused.text);
}

#[tokio::test]
async fn what_is_not_valid_is_refused() {
    let server = Server::start();
    let organization = server.organization("Acme");
    let page = page(&server, SHOP);
    for (member, value) in [
        ("url", json!("")),
        ("eventType", json!(3)),
        ("eventType", json!(0)),
        ("eventType", json!(2)),
        ("eventMetadata", json!([1])),
        ("timestamp", json!("soon")),
        ("timestamp", json!("2999-01-01T00:00:00Z")),
        ("eventKey", json!("x".repeat(256))),
    ] {
        let mut event = view();
        event[member] = value;
        let refused = send(&page, "/api/v1/events", &event).await.expect(400);
        assert_eq!(refused["status"], 400, "{member}: {refused}");
        assert_eq!(refused["code"], "INVALID_REQUEST", "{member}: {refused}");
    }
    let large = own("x", &json!({"text": "x".repeat(1_100_000)}));
    assert_eq!(send(&page, "/api/v1/events", &large).await.status, 413);
    let seen = day(&server, &organization, "metrics=page_views,events").await;
    assert_eq!(seen["data"], json!({"page_views": 0, "events": 0}));
}

#[tokio::test]
async fn a_beacon_is_always_taken() {
    let server = Server::start();
    let organization = server.organization("Acme");
    let page = page(&server, SHOP);
    let received = json!({"message": "Event received", "status": 202});
    for path in ["/x/api/v1/events/beacon", "/api/v1/events/beacon"] {
        let left = own("left", &json!({"to": "shop"}));
        assert_eq!(send(&page, path, &left).await.expect(202), received);
        for junk in ["", "{", "[]", "{}", "null", "\u{0}", "{\"eventType\": 9}"] {
            let body = Some(junk.as_bytes().to_vec());
            let answer = page.send(Method::POST, path, body).await;
            assert_eq!(answer.expect(202), received, "{junk}");
        }
    }
    let seen = day(&server, &organization, "metrics=page_views,events").await;
    assert_eq!(seen["data"], json!({"page_views": 0, "events": 2}));
}

#[tokio::test]
async fn the_script_is_served_as_documented() {
    let server = Server::start();
    let key = server.organization("Acme").project_key;
    let script = server.http().get("/api/v1/sdk.js").await;
    assert_eq!(script.status, 200);
    for (name, value) in [
        ("content-type", "application/javascript; charset=utf-8"),
        ("cache-control", "public, max-age=3600"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(script.header(name), Some(value), "{name}");
    }
    assert!(script.text.contains("\"key\":null"), "{}", script.text);
    let tag = script.header("etag").expect("a tag");
    assert!(tag.starts_with('"'), "{tag}");
    let known = server.http().with("if-none-match", tag);
    for path in ["/api/v1/sdk.js", "/x/api/v1/sdk.js", "/y/api/v1/sdk.js"] {
        assert_eq!(known.get(path).await.status, 304, "{path}");
    }
    let path = format!("/api/v1/sdk.js?key={key}");
    let named = server.http().get(&path).await;
    assert!(named.text.contains(&key));
    let unknown = server.http().get("/api/v1/sdk.js?key=pk_live_nobody").await;
    assert_eq!(unknown.text, script.text);
}

/// The same message comes to the same over gRPC.
#[tokio::test]
async fn grpc_counts_alike() {
    use apex::api::apex::metrics::v1::browser_service_client::BrowserServiceClient;
    let server = Server::start();
    let organization = server.organization("Acme");
    let mut client = BrowserServiceClient::connect(server.url.clone())
        .await
        .unwrap();
    let event = CollectEventRequest {
        url: format!("{SHOP}/"),
        event_type: Some(1),
        timestamp: Some(prost_types::Timestamp {
            seconds: 1_768_473_000,
            nanos: 0,
        }),
        ..Default::default()
    };
    let answer = client.collect_event(event).await.unwrap().into_inner();
    assert_eq!(answer.status, 202);
    let failed = client.collect_event(CollectEventRequest::default()).await;
    assert_eq!(failed.unwrap_err().code(), tonic::Code::InvalidArgument);
    let seen = day(&server, &organization, "metrics=page_views").await;
    assert_eq!(seen["data"]["page_views"], 1);
}
