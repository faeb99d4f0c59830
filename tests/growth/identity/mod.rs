//! Identities over HTTP: every example of the contract, what is refused and recorded,
//! and what can be taken back.

mod leads;
mod stitching;

use std::time::{Duration, Instant};

use apex::api::apex::growth::v1 as growth;
use apex::api::apex::growth::v1::identity_service_client::IdentityServiceClient;
use serde_json::{Value, json};

use crate::support::{Http, Organization, Server, grpc, web};

struct World {
    server: Server,
    own: Organization,
    http: Http,
}

fn world() -> World {
    let server = Server::start();
    let own = server.organization("Acme");
    let http = server.http().bearer(&own.key);
    World { server, own, http }
}

impl World {
    async fn stitch(&self, visitor: &str, email: &str) -> Value {
        let body = json!({
            "visitorId": visitor, "email": email, "projectKey": self.own.project_key,
        });
        let answer = self.server.http().post("/api/identity/stitch", &body).await;
        answer.expect(200)
    }

    async fn event(&self, name: &str, visitor: &str, at: &str, more: Value) {
        let mut metadata = json!({"url": "https://shop.example/plans?utm_source=x"});
        if let (Value::Object(all), Value::Object(more)) = (&mut metadata, more) {
            all.extend(more);
        }
        let event = json!({
            "event_name": name, "visitor_id": visitor, "timestamp": at, "metadata": metadata,
        });
        self.http.post("/api/v1/events", &event).await.expect(200);
    }

    async fn identity(&self, visitor: &str) -> Value {
        let path = format!("/api/identity?visitorId={visitor}");
        self.http.get(&path).await.expect(200)
    }

    /// Waits until a visitor is linked by what events said.
    async fn linked(&self, visitor: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            let identity = self.identity(visitor).await;
            if !identity["leadId"].is_null() {
                return identity;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{visitor} is not linked: {}", self.server.log());
    }

    async fn refusals(&self) -> Vec<(String, String, String)> {
        let all = self.http.get("/api/identity/refusals").await.expect(200);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let all = all.as_array().unwrap().iter();
        all.map(|one| {
            (
                text(&one["reason"]),
                text(&one["visitorId"]),
                text(&one["name"]),
            )
        })
        .collect()
    }
}

#[tokio::test]
async fn a_journey_is_read() {
    let world = world();
    world
        .event("pageview", "v_demo", "2026-01-30T10:00:00Z", json!({}))
        .await;
    world
        .event(
            "click",
            "v_demo",
            "2026-02-03T09:05:00Z",
            json!({"elementId": "buy"}),
        )
        .await;
    world
        .event("pageview", "v_demo", "2026-02-03T09:00:00Z", json!({}))
        .await;
    world
        .event("pageview", "v_other", "2026-02-03T09:00:00Z", json!({}))
        .await;
    let before = world.identity("v_demo").await;
    assert_eq!(before["leadId"], Value::Null);
    let link = json!({"visitorId": "v_demo", "leadId": "lead_77", "source": "hubspot_webhook"});
    let linked = world.http.post("/api/identity", &link).await.expect(200);
    assert_eq!(linked["leadId"], "lead_77");
    assert_eq!(linked.get("events"), None);
    let identity = world.identity("v_demo").await;
    assert_eq!(identity["visitorId"], "v_demo");
    assert_eq!(identity["leadId"], "lead_77");
    assert_eq!(identity["leadIds"], json!(["lead_77"]));
    assert_eq!(identity["firstSeen"], "2026-01-30T10:00:00Z");
    assert_eq!(identity["lastSeen"], "2026-02-03T09:05:00Z");
    let events = identity["events"].as_array().unwrap();
    let times: Vec<_> = events
        .iter()
        .map(|event| event["timestamp"].as_str().unwrap())
        .collect();
    assert_eq!(
        times,
        [
            "2026-02-03T09:05:00Z",
            "2026-02-03T09:00:00Z",
            "2026-01-30T10:00:00Z"
        ]
    );
    assert_eq!(events[0]["type"], "click");
    assert_eq!(events[0]["data"]["elementId"], "buy");
    assert_eq!(events[1]["type"], "pageview");
    assert_eq!(events[1]["url"], "https://shop.example/plans");
    assert_eq!(
        identity["attribution"],
        json!({"channel": "referral", "source": "x", "landingPage": "/plans"})
    );
}

/// The reference's own example, member by member.
#[tokio::test]
async fn the_example_of_the_reference() {
    let world = world();
    let event = |kind: &str, path: &str, at: &str, referrer: &str| {
        json!({
            "projectKey": world.own.project_key, "type": kind, "visitorId": "v_demo", "timestamp": at,
            "url": format!("https://shop.example{path}"), "referrer": referrer,
        })
    };
    for event in [
        event(
            "pageview",
            "/blog/intro",
            "2026-01-30T10:00:00Z",
            "https://www.google.com/",
        ),
        event("pageview", "/plans", "2026-02-03T09:00:00Z", ""),
    ] {
        let page = world.server.http();
        page.post("/api/events", &event).await.expect(200);
    }
    let link = json!({"visitorId": "v_demo", "leadId": "lead_77"});
    world.http.post("/api/identity", &link).await.expect(200);
    let answer = world.http.get("/api/identity?visitorId=v_demo").await;
    let expected = concat!(
        r#"{"visitorId":"v_demo","leadId":"lead_77","leadIds":["lead_77"],"#,
        r#""firstSeen":"2026-01-30T10:00:00Z","lastSeen":"2026-02-03T09:00:00Z","events":["#,
        r#"{"type":"pageview","url":"https://shop.example/plans","timestamp":"2026-02-03T09:00:00Z"},"#,
        r#"{"type":"pageview","url":"https://shop.example/blog/intro","timestamp":"2026-01-30T10:00:00Z"}],"#,
        r#""attribution":{"channel":"organic_search","source":"google","landingPage":"/blog/intro"}}"#,
    );
    assert_eq!((answer.status, answer.text.as_str()), (200, expected));
}

#[tokio::test]
async fn a_journey_is_read_page_by_page() {
    let world = world();
    // Months, days and quarters of an hour apart, some at the same time.
    for (day, minute) in [
        (1, 0),
        (1, 0),
        (1, 1),
        (1, 20),
        (3, 0),
        (40, 5),
        (40, 6),
        (90, 0),
    ] {
        let date = jiff::civil::date(2025, 1, 1).checked_add(jiff::Span::new().days(day));
        let at = format!("{}T12:{minute:02}:00Z", date.unwrap());
        world.event("pageview", "v", &at, json!({})).await;
        world.event("pageview", "other", &at, json!({})).await;
    }
    let whole = world.identity("v").await;
    let all = whole["events"].as_array().unwrap();
    assert_eq!(all.len(), 8);
    for limit in 1..=8 {
        let mut cursor = String::new();
        let mut pages = Vec::new();
        loop {
            let path = format!("/api/identity?visitorId=v&limit={limit}{cursor}");
            let page = world.http.get(&path).await.expect(200);
            let events = page["events"].as_array().unwrap();
            assert!(events.len() <= limit);
            pages.extend(events.clone());
            assert_eq!(page["lastSeen"], whole["lastSeen"]);
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(&pages, all, "{limit} at once");
    }
    let wrong = world.http.get("/api/identity?visitorId=v&cursor=x").await;
    assert_eq!(wrong.expect(400)["code"], "VALIDATION_ERROR");
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let world = world();
    let unknown = world.http.get("/api/identity?visitorId=nobody").await;
    assert_eq!(
        unknown.text,
        r#"{"error":"Visitor not found","code":"NOT_FOUND","status":404}"#
    );
    let missing = world.http.get("/api/identity").await;
    assert_eq!(
        missing.text,
        r#"{"error":"visitorId is required","code":"VALIDATION_ERROR","status":400}"#
    );
    let key = &world.own.project_key;
    for (path, body, words) in [
        (
            "/api/identity",
            json!({"visitorId": "v"}),
            "leadId is required",
        ),
        (
            "/api/identity",
            json!({"leadId": "l"}),
            "visitorId is required",
        ),
        (
            "/api/identity/stitch",
            json!({"visitorId": "v", "projectKey": key}),
            "email is required",
        ),
        (
            "/api/identity/stitch",
            json!({"visitorId": "v", "email": "ada", "projectKey": key}),
            "email is not valid",
        ),
        (
            "/api/identity/stitch",
            json!({"email": "ada@example.com", "projectKey": key}),
            "visitorId is required",
        ),
        (
            "/api/identity/stitch",
            json!({"visitorId": "v", "email": "ada@example.com"}),
            "projectKey is required",
        ),
        (
            "/api/identity/stitch",
            json!({"visitorId": "v", "email": "ada@example.com", "projectKey": "pk_live_no"}),
            "projectKey is not known",
        ),
    ] {
        let answer = world.http.post(path, &body).await.expect(400);
        assert_eq!(
            answer,
            json!({"error": words, "code": "VALIDATION_ERROR", "status": 400})
        );
    }
    for path in [
        "/api/identity?visitorId=v",
        "/api/leads",
        "/api/identity/refusals",
    ] {
        let answer = world.server.http().get(path).await.expect(401);
        assert_eq!(answer["code"], "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn grpc_does_the_same() {
    let world = world();
    let url = &world.server.url;
    let mut client = IdentityServiceClient::new(grpc::with_key(url, &world.own.key).await);
    let stitch = growth::StitchIdentityRequest {
        visitor_id: "v".to_owned(),
        email: "ADA@example.com".to_owned(),
        project_key: world.own.project_key.clone(),
        traits: String::new(),
    };
    let stitched = client
        .stitch_identity(stitch.clone())
        .await
        .unwrap()
        .into_inner();
    assert!(stitched.created);
    let again = world.stitch("v", "ada@example.com").await;
    assert_eq!(again["leadId"], stitched.lead_id.as_str());
    let method = "apex.growth.v1.IdentityService/StitchIdentity";
    let by_web: growth::StitchIdentityResponse = web::call(&world.server.http(), method, &stitch)
        .await
        .unwrap();
    assert_eq!(by_web.lead_id, stitched.lead_id);
    assert!(!by_web.created);
    let ask = growth::GetIdentityRequest {
        visitor_id: "v".to_owned(),
        ..Default::default()
    };
    let identity = client.get_identity(ask).await.unwrap().into_inner();
    assert_eq!(identity.lead_id, Some(stitched.lead_id));
    let nobody = growth::GetIdentityRequest {
        visitor_id: "nobody".to_owned(),
        ..Default::default()
    };
    let status = client.get_identity(nobody).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    assert_eq!(grpc::reason(&status), "NOT_FOUND");
    let blocked = growth::LinkIdentityRequest {
        visitor_id: "null".to_owned(),
        lead_id: "l".to_owned(),
        source: String::new(),
    };
    let status = client.link_identity(blocked).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert_eq!(grpc::reason(&status), "VALIDATION_ERROR");
}
