//! Every request and answer of the published reference.

use serde_json::json;

use super::{Site, invalid};

#[tokio::test]
async fn an_event_of_a_page() {
    let site = Site::start();
    let body = json!({
        "type": "form_submit",
        "visitorId": "v_8f3a",
        "projectKey": site.own.project_key,
        "url": "https://shop.example.com/plans?utm_source=news",
        "data": {"formAction": "/subscribe", "email": "ada@example.com"},
        "referrer": "https://www.google.com/",
        "timestamp": "2026-02-03T09:00:00Z",
    });
    let answer = site.send(&body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.text, r#"{"received":1}"#);
    let kind = answer.header("content-type");
    assert_eq!(kind, Some("application/json; charset=utf-8"));
    let figures = site.figures().await;
    assert_eq!(figures["events"], 1);
    assert_eq!(figures["unique_visitors"], 1);
}

#[tokio::test]
async fn a_batch() {
    let site = Site::start();
    let body = json!({
        "projectKey": site.own.project_key, "userId": "lead_77",
        "events": [
            {"type": "pageview", "url": "/plans", "timestamp": "2026-02-03T09:00:00Z"},
            {"type": "click", "url": "/plans", "data": {"elementId": "buy-team"}},
        ],
    });
    let answer = site.send(&body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.text, r#"{"received":2}"#);
    let figures = site.figures().await;
    let told = json!({"page_views": 1, "unique_visitors": 1, "events": 1, "revenue": []});
    assert_eq!(figures, told);
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let site = Site::start();
    for (member, words) in [
        ("type", "type is required"),
        ("visitorId", "visitorId is required"),
        ("url", "url is required"),
        ("projectKey", "projectKey is required"),
    ] {
        for gone in [json!(null), json!("")] {
            let body = match gone.is_null() {
                true => site.event(json!({member: null})),
                false => site.event(json!({member: gone})),
            };
            assert_eq!(site.send(&body).await.expect(400), invalid(words));
        }
    }
    let of = async |changes| site.send(&site.event(changes)).await.expect(400);
    for (changes, words) in [
        (json!({"type": 5}), "type must be a string"),
        (
            json!({"type": "x".repeat(201)}),
            "type must have at most 200 characters",
        ),
        (json!({"data": [1]}), "data must be an object"),
        (
            json!({"data": {"x": "x".repeat(32 * 1024)}}),
            "data must have at most 32768 bytes",
        ),
        (
            json!({"timestamp": "yesterday"}),
            "timestamp must be a time such as 2024-01-15T10:30:00Z",
        ),
        (
            json!({"timestamp": "2100-01-01T00:00:00Z"}),
            "timestamp must not be more than 24 hours in the future",
        ),
        (
            json!({"environment": "moon"}),
            "environment must be one of production, preview, beta, localhost, dev",
        ),
        (
            json!({"projectKey": "pk_live_nobodys"}),
            "projectKey is not known",
        ),
    ] {
        assert_eq!(of(changes).await, invalid(words));
    }
    let no_json = site.page.with("content-type", "application/json");
    let answer = no_json.send(reqwest::Method::POST, super::PATH, Some(b"{".to_vec()));
    assert_eq!(answer.await.expect(400)["code"], "VALIDATION_ERROR");
    assert_eq!(site.figures().await["page_views"], 0, "nothing is stored");
}

#[tokio::test]
async fn names_are_counted_in_characters() {
    let site = Site::start();
    let name = "é".repeat(200);
    let answer = site.send(&site.event(json!({"type": name}))).await;
    assert_eq!(answer.text, r#"{"received":1}"#);
    let long = site.event(json!({"type": format!("{name}é")}));
    let words = "type must have at most 200 characters";
    assert_eq!(site.send(&long).await.expect(400), invalid(words));
}

/// The past has no bound, and a day ahead is near enough.
#[tokio::test]
async fn times_may_be_of_any_past() {
    let site = Site::start();
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(23);
    for time in ["1999-12-31T23:59:59.999Z", &soon.to_string()] {
        let answer = site.send(&site.event(json!({"timestamp": time}))).await;
        assert_eq!(answer.text, r#"{"received":1}"#, "{time}");
    }
}

#[tokio::test]
async fn of_a_batch_the_valid_events_are_stored() {
    let site = Site::start();
    let late = "2100-01-01T00:00:00Z";
    let events = json!([
        {"type": "pageview", "url": "/a", "visitorId": "v_1"},
        {"type": "", "url": "/a"},
        {"type": "pageview"},
        {"type": "pageview", "url": "/a", "timestamp": late},
        {"type": 7, "url": "/a"},
        "no event",
        {"type": "pageview", "url": "/b", "visitorId": "v_2"},
    ]);
    let answer = site.send(&site.batch(events)).await.expect(200);
    let error = |index: i64, message: &str| json!({"index": index, "code": "VALIDATION_ERROR", "message": message});
    let expected = json!({"received": 2, "errors": [
        error(1, "type is required"),
        error(2, "url is required"),
        error(3, "timestamp must not be more than 24 hours in the future"),
        error(4, "type must be a string"),
        error(5, "The item must be an object"),
    ]});
    assert_eq!(answer, expected);
    assert_eq!(site.figures().await["page_views"], 2);
}

#[tokio::test]
async fn a_batch_has_one_to_a_thousand_events() {
    let site = Site::start();
    let event = json!({"type": "pageview", "url": "/a"});
    let of = |count: usize| site.batch(json!(vec![&event; count]));
    let most = site.send(&of(1000)).await;
    assert_eq!(most.text, r#"{"received":1000}"#);
    let words = "events must have at most 1000 elements";
    assert_eq!(site.send(&of(1001)).await.expect(400), invalid(words));
    assert_eq!(
        site.send(&of(0)).await.expect(400),
        invalid("events is required")
    );
    let none = site.batch(json!("none"));
    assert_eq!(
        site.send(&none).await.expect(400),
        invalid("events must be a list")
    );
    let figures = site.figures().await;
    assert_eq!(figures["page_views"], 1000);
    // Nobody said who it was.
    assert_eq!(figures["unique_visitors"], 0);
}
