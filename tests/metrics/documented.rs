//! Every example of the published reference, byte for byte in shape.

use serde_json::json;

use crate::support::{Answer, Http, Server};

fn client() -> (Server, Http) {
    let server = Server::start();
    let organization = server.organization("Acme");
    let http = server.http().bearer(&organization.key);
    (server, http)
}

/// The rate headers stand on every answer.
#[track_caller]
fn rate(answer: &Answer, limit: &str) {
    assert_eq!(answer.header("x-ratelimit-limit"), Some(limit));
    let number = |name| {
        answer
            .header(name)
            .and_then(|text| text.parse::<i64>().ok())
    };
    assert!(number("x-ratelimit-remaining").is_some_and(|n| n < limit.parse().unwrap()));
    let reset = number("x-ratelimit-reset").unwrap();
    assert_eq!(reset % 60, 0);
}

#[tokio::test]
async fn send_event() {
    let (_server, http) = client();
    let body = json!({
        "event_name": "user_signup",
        "metadata": {"plan": "premium", "source": "landing_page"},
        "visitor_id": "optional_visitor_id",
        "timestamp": "2024-01-15T10:30:00Z",
    });
    let answer = http.post("/api/v1/events", &body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    rate(&answer, "1000");
    let id = answer.json()["event_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("evt_"));
    assert_eq!(
        answer.text,
        format!(r#"{{"success":true,"event_id":"{id}"}}"#)
    );
}

#[tokio::test]
async fn send_purchase_event() {
    let (_server, http) = client();
    let body = json!({
        "price": 2999,
        "currency": "USD",
        "product_name": "Premium Plan",
        "quantity": 1,
        "metadata": {"billing": "monthly", "category": "subscription"},
        "visitor_id": "optional_visitor_id",
        "timestamp": "2024-01-15T10:30:00Z",
    });
    let answer = http.post("/api/v1/events/purchase", &body).await;
    rate(&answer, "1000");
    let json = answer.expect(200);
    assert_eq!(json["success"], true);
    assert!(json["event_id"].as_str().unwrap().starts_with("evt_"));
}

#[tokio::test]
async fn get_analytics() {
    let (_server, http) = client();
    for (name, visitor) in [("page_view", "a"), ("pageview", "b"), ("signup", "a")] {
        let body = json!({
            "event_name": name, "visitor_id": visitor, "timestamp": "2024-01-15T10:30:00Z",
        });
        http.post("/api/v1/events", &body).await.expect(200);
    }
    let purchase = json!({
        "price": 100, "currency": "EUR", "visitor_id": "c", "timestamp": "2024-01-31T23:59:59Z",
    });
    http.post("/api/v1/events/purchase", &purchase)
        .await
        .expect(200);
    let path = "/api/v1/analytics?start_date=2024-01-01&end_date=2024-01-31";
    let answer = http
        .get(&format!("{path}&metrics=page_views,unique_visitors,events"))
        .await;
    rate(&answer, "100");
    assert_eq!(
        answer.text,
        r#"{"data":{"page_views":2,"unique_visitors":3,"events":2},"period":{"start":"2024-01-01","end":"2024-01-31"}}"#
    );
    assert_eq!(http.get(path).await.text, answer.text);
    let two = http.get(&format!("{path}&metrics=events,page_views")).await;
    assert!(
        two.text
            .starts_with(r#"{"data":{"page_views":2,"events":2},"#),
        "{}",
        two.text
    );
}

#[tokio::test]
async fn the_default_period_is_thirty_days() {
    let (_server, http) = client();
    let answer = http.get("/api/v1/analytics").await.expect(200);
    let day = |name: &str| {
        answer["period"][name]
            .as_str()
            .unwrap()
            .parse::<jiff::civil::Date>()
    };
    let (start, end) = (day("start").unwrap(), day("end").unwrap());
    assert_eq!(start.until(end).unwrap().get_days(), 29);
    assert_eq!(
        answer["data"],
        json!({"page_views": 0, "unique_visitors": 0, "events": 0})
    );
}

#[tokio::test]
async fn the_documented_error() {
    let (_server, http) = client();
    for body in [
        json!({}),
        json!({"event_name": ""}),
        json!({"event_name": null}),
    ] {
        let answer = http.post("/api/v1/events", &body).await;
        assert_eq!(answer.status, 400);
        rate(&answer, "1000");
        assert_eq!(
            answer.text,
            r#"{"error":{"code":"INVALID_REQUEST","message":"Event name is required"}}"#
        );
    }
}

#[tokio::test]
async fn every_status_of_the_table() {
    let (server, http) = client();
    let event = json!({"event_name": "x"});
    // 401 comes before the body is looked at, and carries the address's figures.
    for client in [server.http(), server.http().bearer("nonsense")] {
        let answer = client.post("/api/v1/events", &json!({})).await;
        rate(&answer, "600");
        assert_eq!(answer.expect(401)["error"]["code"], "UNAUTHORIZED");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(client.get("/api/v1/analytics").await.status, 401);
    }
    // A key of another product's carrier is no credential here.
    let organization = server.organization("Other");
    // One says where it belongs, and not whether it is any good.
    for key in [organization.key.as_str(), "nonsense"] {
        let carrier = server.http().with("x-api-key", key);
        let needed = "Send the API key as Authorization: Bearer";
        for answer in [
            carrier.post("/api/v1/events", &event).await,
            carrier.get("/api/v1/analytics").await,
        ] {
            let error = answer.expect(401)["error"].clone();
            assert_eq!(error, json!({"code": "UNAUTHORIZED", "message": needed}));
        }
    }
    let in_query = format!("/api/v1/analytics?api_key={}", organization.key);
    assert_eq!(server.http().get(&in_query).await.status, 401);
    // 403: the key is valid and may not.
    let reads = server.key(&organization, "metrics.read");
    let reads = server.http().bearer(reads["key"].as_str().unwrap());
    let answer = reads.post("/api/v1/events", &event).await;
    rate(&answer, "1000");
    assert_eq!(answer.expect(403)["error"]["code"], "FORBIDDEN");
    assert_eq!(reads.get("/api/v1/analytics").await.status, 200);
    // 404 and 405
    let answer = http.get("/api/v1/nothing").await;
    rate(&answer, "600");
    assert_eq!(answer.expect(404)["error"]["code"], "NOT_FOUND");
    let answer = http.get("/api/v1/events").await;
    rate(&answer, "600");
    assert_eq!(answer.header("allow"), Some("POST"));
    assert_eq!(answer.expect(405)["error"]["code"], "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn rate_limited() {
    let server = Server::with(&[
        ("APEX_LIMITS_METRICS_ANALYTICS_LIMIT", "3"),
        ("APEX_LIMITS_METRICS_ANALYTICS_WINDOW", "1h"),
    ]);
    let organization = server.organization("Acme");
    let http = server.http().bearer(&organization.key);
    for left in [2, 1, 0] {
        let answer = http.get("/api/v1/analytics").await;
        assert_eq!(answer.status, 200);
        let remaining = left.to_string();
        assert_eq!(
            answer.header("x-ratelimit-remaining"),
            Some(remaining.as_str())
        );
    }
    // 429 comes before 400, and refused requests do not push the window.
    for _ in 0..3 {
        let answer = http.get("/api/v1/analytics?start_date=nonsense").await;
        let wait: i64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3600).contains(&wait));
        assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"));
        assert_eq!(answer.header("x-ratelimit-limit"), Some("3"));
        let message = format!("Rate limit exceeded. Retry after {wait} seconds.");
        let expected = json!({"error": {"code": "RATE_LIMITED", "message": message}});
        assert_eq!(answer.expect(429), expected);
    }
    // The other group is apart.
    assert_eq!(
        http.post("/api/v1/events", &json!({"event_name": "x"}))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn what_is_not_valid_is_named() {
    let (_server, http) = client();
    let event = async |body| http.post("/api/v1/events", &body).await.expect(400)["error"].clone();
    let purchase = async |body| {
        http.post("/api/v1/events/purchase", &body)
            .await
            .expect(400)["error"]
            .clone()
    };
    let message = |text: &str| json!({"code": "INVALID_REQUEST", "message": text});
    let long = "x".repeat(256);
    assert_eq!(
        event(json!({"event_name": long})).await,
        message("Event name must have at most 255 bytes")
    );
    assert_eq!(
        event(json!({"event_name": 5})).await,
        message("event_name must be a string")
    );
    assert_eq!(
        event(json!({"event_name": "x", "metadata": []})).await,
        message("metadata must be an object")
    );
    assert_eq!(
        event(json!({"event_name": "x", "timestamp": "yesterday"})).await,
        message("timestamp must be a time such as 2024-01-15T10:30:00Z")
    );
    assert_eq!(
        event(json!({"event_name": "x", "timestamp": "9999-01-01T00:00:00Z"})).await,
        message("timestamp must not be more than 24 hours in the future")
    );
    let cases = [
        (json!({"currency": "USD"}), "price is required"),
        (
            json!({"price": 0, "currency": "USD"}),
            "price must be at least 1",
        ),
        (
            json!({"price": -5, "currency": "USD"}),
            "price must be at least 1",
        ),
        (
            json!({"price": 1.5, "currency": "USD"}),
            "price must be a whole number",
        ),
        (
            json!({"price": "2999", "currency": "USD"}),
            "price must be a number",
        ),
        (json!({"price": 1}), "currency is required"),
        (
            json!({"price": 1, "currency": "ABC"}),
            "currency must be an ISO 4217 code such as USD",
        ),
        (
            json!({"price": 1, "currency": "USD", "quantity": 0}),
            "quantity must be at least 1",
        ),
        (
            json!({"price": i64::MAX, "currency": "USD"}),
            "price times quantity is too large",
        ),
    ];
    for (body, text) in cases {
        assert_eq!(purchase(body).await, message(text));
    }
    for query in [
        "metrics=page_views,nonsense",
        "start_date=2024-02-30",
        "start_date=2024-02-02&end_date=2024-02-01",
        "timezone=Mars",
        "interval=year",
        "group_by=colour",
        "nonsense=1",
        "limit=0",
        "limit=1001",
        "start_date=2024-01-01&start_date=2024-01-02",
    ] {
        let answer = http.get(&format!("/api/v1/analytics?{query}")).await;
        assert_eq!(
            answer.expect(400)["error"]["code"],
            "INVALID_REQUEST",
            "{query}"
        );
    }
    // Unknown members are ignored by ingestion, and utm parameters by everybody.
    let odd = json!({"event_name": "x", "something": {"else": [1]}});
    assert_eq!(http.post("/api/v1/events", &odd).await.status, 200);
    assert_eq!(http.get("/api/v1/analytics?utm_term=x").await.status, 200);
}
