//! Purchases: exact amounts, and each order once.

use serde_json::{Value, json};

use super::Site;

fn purchase(data: &Value) -> Value {
    json!({"type": "purchase", "url": "/thanks", "visitorId": "v", "data": data})
}

#[tokio::test]
async fn an_order_is_counted_once() {
    let site = Site::start();
    let order = |id: Value, event: &str| {
        let data = json!({"value": 59.97, "currency": "EUR", "order_id": id, "eventId": event});
        site.event(purchase(&data))
    };
    // Replayed as it was, under another id, with another amount, and in a batch.
    for event in ["e-1", "e-1", "e-2"] {
        let answer = site.send(&order(json!("ORD-1"), event)).await;
        assert_eq!(answer.text, r#"{"received":1}"#);
    }
    let other = purchase(&json!({"value": 1e6, "currency": "EUR", "order_id": "ORD-1"}));
    let batch = site.batch(json!([other, other]));
    assert_eq!(site.send(&batch).await.text, r#"{"received":2}"#);
    for id in [json!(17), json!("17")] {
        site.send(&order(id, "e-3")).await.expect(200);
    }
    let revenue = site.figures().await["revenue"].clone();
    let told = json!([{"currency": "EUR", "purchases": 2, "units": 2, "amount": "119.94"}]);
    assert_eq!(revenue, told);
    // An order of another kind of event means nothing.
    for _ in 0..2 {
        let refund = site.event(json!({"type": "refund", "data": {"order_id": "ORD-1"}}));
        site.send(&refund).await.expect(200);
    }
    assert_eq!(site.figures().await["events"], 4);
}

#[tokio::test]
async fn amounts_are_exact_decimals() {
    let site = Site::start();
    let events: Vec<Value> = [
        json!({"value": 0.1, "currency": "USD"}),
        json!({"value": 0.2, "currency": "usd"}),
        json!({"value": "1999.99"}),
        json!({"price": 19.99, "quantity": 3}),
        json!({"value": 1200, "price": 1, "quantity": 2, "currency": "JPY"}),
        json!({"plan": "free"}),
    ]
    .iter()
    .map(purchase)
    .collect();
    let answer = site.send(&site.batch(json!(events))).await;
    assert_eq!(answer.text, r#"{"received":6}"#);
    let told = json!([
        {"currency": "JPY", "purchases": 1, "units": 2, "amount": "1200"},
        {"currency": "USD", "purchases": 4, "units": 6, "amount": "2060.26"},
    ]);
    assert_eq!(site.figures().await["revenue"], told);
}

#[tokio::test]
async fn what_is_no_amount_is_refused() {
    let site = Site::start();
    let no_amount = "data.value must be a decimal number of at least 0";
    for (data, words) in [
        (r#"{"value": -1}"#, no_amount),
        (r#"{"value": "NaN"}"#, no_amount),
        (r#"{"value": "Infinity"}"#, no_amount),
        (r#"{"value": {}}"#, no_amount),
        (r#"{"value": 1e308}"#, "data.value is too large"),
        (r#"{"value": -1e308}"#, no_amount),
        (
            r#"{"price": -0.01}"#,
            "data.price must be a decimal number of at least 0",
        ),
        (
            r#"{"price": 9000000000000, "quantity": 9}"#,
            "data.price is too large",
        ),
        (
            r#"{"price": 1, "quantity": 0}"#,
            "data.quantity must be a whole number of at least 1",
        ),
        (
            r#"{"value": 1, "currency": "XXQ"}"#,
            "data.currency must be an ISO 4217 code such as USD",
        ),
    ] {
        let body = format!(
            r#"{{"projectKey": "{}", "events": [{{"type": "purchase", "url": "/", "data": {data}}},
               {{"type": "refund", "url": "/", "data": {data}}}]}}"#,
            site.own.project_key
        );
        let json = site.page.with("content-type", "application/json");
        let sent = json.send(reqwest::Method::POST, super::PATH, Some(body.into_bytes()));
        let error = json!({"index": 0, "code": "VALIDATION_ERROR", "message": words});
        // Properties of other events are free.
        let expected = json!({"received": 1, "errors": [error]});
        assert_eq!(sent.await.expect(200), expected, "{data}");
    }
    assert_eq!(site.figures().await["revenue"], json!([]));
}
