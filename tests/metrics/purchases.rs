//! A purchase is a custom event named `revenue:purchased`, whichever way it comes.

use serde_json::{Value, json};

use crate::support::{Http, Server};

fn client() -> (Server, Http) {
    let server = Server::start();
    let key = server.organization("Acme").key;
    let http = server.http().bearer(&key);
    (server, http)
}

async fn asked(http: &Http, metrics: &str) -> Value {
    let path = "/api/v1/analytics?start_date=2024-01-01&end_date=2024-01-31&metrics=";
    let answer = http.get(&format!("{path}{metrics}")).await;
    answer.expect(200)["data"].clone()
}

#[tokio::test]
async fn an_event_named_as_a_purchase_is_one() {
    let (_server, http) = client();
    let at = "2024-01-15T10:30:00Z";
    let direct = json!({"price": 2999, "currency": "EUR", "quantity": 2, "timestamp": at});
    http.post("/api/v1/events/purchase", &direct)
        .await
        .expect(200);
    let event = |metadata: Value| json!({"event_name": "revenue:purchased", "metadata": metadata, "timestamp": at});
    for metadata in [
        json!({"price": 2999, "currency": "eur", "quantity": 2, "product": "Plan"}),
        // As a page's attributes are sent, and by default one for dollars.
        json!({"price": "500"}),
        // Nothing was paid that is known.
        json!({"plan": "premium"}),
        json!({"price": null}),
    ] {
        http.post("/api/v1/events", &event(metadata))
            .await
            .expect(200);
    }
    let batch = json!({"events": [event(json!({"price": 1, "currency": "EUR"}))]});
    http.post("/api/v1/events/batch", &batch).await.expect(200);
    assert_eq!(
        asked(&http, "events,revenue").await,
        json!({"events": 6, "revenue": [
            {"currency": "EUR", "purchases": 3, "units": 5, "amount": "119.97"},
            {"currency": "USD", "purchases": 1, "units": 1, "amount": "5.00"},
        ]})
    );
    for (metadata, says) in [
        (
            json!({"price": 0}),
            "metadata.price must be a positive integer",
        ),
        (
            json!({"price": -5}),
            "metadata.price must be a positive integer",
        ),
        (
            json!({"price": 9.99}),
            "metadata.price must be a positive integer",
        ),
        (
            json!({"price": true}),
            "metadata.price must be a positive integer",
        ),
        (
            json!({"price": 1, "quantity": 0}),
            "metadata.quantity must be a positive integer",
        ),
        (
            json!({"price": 1, "currency": "XXQ"}),
            "currency must be an ISO 4217 code such as USD",
        ),
        (
            json!({"price": i64::MAX, "quantity": 2}),
            "price times quantity is too large",
        ),
    ] {
        let answer = http.post("/api/v1/events", &event(metadata.clone())).await;
        let json = answer.expect(400);
        assert_eq!(json["error"]["code"], "INVALID_REQUEST");
        assert_eq!(json["error"]["message"], says, "{metadata}");
    }
}

#[tokio::test]
async fn revenue_that_was_asked_for_is_shown() {
    let (_server, http) = client();
    let none = asked(&http, "events,revenue,page_views").await;
    assert_eq!(none, json!({"page_views": 0, "events": 0, "revenue": []}));
    assert_eq!(asked(&http, "revenue").await, json!({"revenue": []}));
    assert_eq!(asked(&http, "events").await, json!({"events": 0}));
}
