//! What is told of an event when it comes in, and kept with it.

use serde_json::{Value, json};

use super::{Site, TOKYO};

const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) \
                      AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1";
const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// Sends one event with a header, and reads it back.
async fn kept(site: &Site, (name, value): (&str, &str), changes: Value) -> Value {
    let page = site.page.with(name, value);
    let answer = page.post(super::PATH, &site.event(changes)).await;
    assert_eq!(answer.text, r#"{"received":1}"#);
    site.list("limit=1").await[0].clone()
}

#[tokio::test]
async fn an_event_is_kept_as_it_was_told() {
    let site = Site::start();
    let sent = json!({
        "type": "form_submit", "visitorId": "v_8f3a", "userId": "lead_77", "eventId": "e-1",
        "url": "https://shop.example.com/caf%C3%A9?utm_source=news#top",
        "referrer": "https://www.google.com/search?q=x",
        "timestamp": TOKYO,
        "data": {"email": "ada@example.com", "n": 1.50},
    });
    let event = kept(&site, ("user-agent", SAFARI), sent).await;
    let received = event["receivedAt"].as_str().unwrap();
    assert!(received.parse::<jiff::Timestamp>().is_ok(), "{received}");
    let expected = json!({
        "id": "evt_e-1", "type": "form_submit", "visitorId": "v_8f3a", "userId": "lead_77",
        "url": "https://shop.example.com/caf%C3%A9", "referrer": "www.google.com",
        "timestamp": "2026-02-03T09:00:00Z", "receivedAt": received,
        "data": {"email": "ada@example.com", "n": 1.50},
        "webEnvironment": "production", "webEnvironmentSource": "auto",
        "bot": false, "device": "mobile",
    });
    assert_eq!(event, expected);
}

#[tokio::test]
async fn bots_are_told_and_kept() {
    let site = Site::start();
    let bot =
        async |agent, changes| kept(&site, ("user-agent", agent), changes).await["bot"].clone();
    assert_eq!(bot(SAFARI, json!({})).await, false);
    assert_eq!(bot(GOOGLEBOT, json!({})).await, true);
    // Servers say whose the event is.
    let told = |agent: &str| json!({"data": {"userAgent": agent}});
    assert_eq!(bot("python-requests/2.32.3", json!({})).await, false);
    assert_eq!(bot("python-requests/2.32.3", told(GOOGLEBOT)).await, true);
    assert_eq!(
        bot("python-requests/2.32.3", told("python-requests/2.32.3")).await,
        true
    );
    assert_eq!(bot(GOOGLEBOT, told(SAFARI)).await, false);
}

#[tokio::test]
async fn environments_are_told() {
    let site = Site::start();
    let none = ("accept", "*/*");
    let origin = ("origin", "http://localhost:5173");
    for (header, changes, environment, source) in [
        (
            none,
            json!({"url": "https://staging.example.com/"}),
            "preview",
            "auto",
        ),
        (
            none,
            json!({"url": "http://localhost:3000/"}),
            "localhost",
            "auto",
        ),
        (none, json!({"url": "/plans"}), "unknown", "auto"),
        (origin, json!({"url": "/plans"}), "localhost", "auto"),
        (
            origin,
            json!({"url": "https://example.com/"}),
            "production",
            "auto",
        ),
        (
            origin,
            json!({"environment": "production"}),
            "production",
            "override",
        ),
        (none, json!({"environment": "beta"}), "preview", "override"),
        (
            none,
            json!({"data": {"environment": "dev"}}),
            "localhost",
            "override",
        ),
        // A free property may mean anything.
        (
            none,
            json!({"data": {"environment": "moon"}}),
            "production",
            "auto",
        ),
    ] {
        let event = kept(&site, header, changes.clone()).await;
        assert_eq!(event["webEnvironment"], environment, "{changes}");
        assert_eq!(event["webEnvironmentSource"], source, "{changes}");
    }
}

/// Ids that stand for nobody make nobody a visitor.
#[tokio::test]
async fn nobody_is_no_visitor() {
    let site = Site::start();
    for id in [
        "null",
        "undefined",
        "Anonymous",
        "NaN",
        "0",
        "[object Object]",
    ] {
        let answer = site.send(&site.event(json!({"visitorId": id}))).await;
        assert_eq!(answer.text, r#"{"received":1}"#, "{id}");
        assert_eq!(site.list("limit=1").await[0].get("visitorId"), None, "{id}");
    }
    let figures = site.figures().await;
    assert_eq!(
        (&figures["page_views"], &figures["unique_visitors"]),
        (&json!(6), &json!(0))
    );
    // Counted alike once it is added up, and from the events themselves.
    let grouped = "/api/v1/analytics?group_by=path&start_date=2000-01-01&end_date=2100-01-01";
    let grouped = site.owner.get(grouped).await.expect(200);
    assert_eq!(grouped["groups"][0]["data"]["unique_visitors"], 0);
}

#[tokio::test]
async fn who_is_known_is_the_visitor_of_a_batch() {
    let site = Site::start();
    let events = json!([
        {"type": "pageview", "url": "/a"},
        {"type": "pageview", "url": "/b", "visitorId": "v_2"},
        {"type": "pageview", "url": "/c", "userId": "null"},
    ]);
    let mut batch = site.batch(events);
    batch["userId"] = json!("ada@example.com");
    site.send(&batch).await.expect(200);
    let mut told = Vec::new();
    for event in site.list("").await {
        told.push(json!([event["url"], event["visitorId"], event["userId"]]));
    }
    told.sort_by_key(Value::to_string);
    let ada = "ada@example.com";
    assert_eq!(
        json!(told),
        json!([["/a", ada, ada], ["/b", "v_2", ada], ["/c", ada, ada]])
    );
}
