//! Events that are sent again.

use serde_json::json;

use super::Site;

/// A hundred events of which three are not valid, and all of them again.
#[tokio::test]
async fn a_batch_that_is_sent_again_adds_nothing() {
    let site = Site::start();
    let events: Vec<_> = (0..100)
        .map(|n| match n {
            10 => json!({"type": "", "url": "/"}),
            50 => json!({"type": "click", "url": "/", "timestamp": "2100-01-01T00:00:00Z"}),
            90 => json!({"type": "click", "url": "/", "data": "none"}),
            _ => json!({"type": "click", "url": "/", "data": {"eventId": format!("e-{n}")}}),
        })
        .collect();
    let batch = site.batch(json!(events));
    for _ in 0..2 {
        let answer = site.send(&batch).await.expect(200);
        assert_eq!(answer["received"], 97);
        let errors = answer["errors"].as_array().unwrap();
        let at: Vec<_> = errors.iter().map(|error| &error["index"]).collect();
        assert_eq!(at, [10, 50, 90]);
        assert_eq!(site.figures().await["events"], 97);
    }
}

#[tokio::test]
async fn an_event_is_known_by_its_id() {
    let site = Site::start();
    for changes in [
        json!({"eventId": "e-1"}),
        json!({"eventId": "e-1", "type": "click"}),
        json!({"data": {"eventId": "e-1"}}),
        // The member counts, not the property.
        json!({"eventId": "e-1", "data": {"eventId": "e-2"}}),
        json!({"data": {"eventId": 7}}),
        json!({"data": {"eventId": "7"}}),
    ] {
        let answer = site.send(&site.event(changes)).await;
        assert_eq!(answer.text, r#"{"received":1}"#);
    }
    let figures = site.figures().await;
    assert_eq!(
        (&figures["page_views"], &figures["events"]),
        (&json!(2), &json!(0))
    );
    let other = site.server.organization("Other");
    let theirs = site.event(json!({"eventId": "e-1", "projectKey": other.project_key}));
    site.send(&theirs).await.expect(200);
    let owner = site.server.http().bearer(&other.key);
    let listed = owner.get("/api/events").await.expect(200);
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

/// A request with an `Idempotency-Key` has one effect, too.
#[tokio::test]
async fn a_request_that_is_repeated_is_answered_the_same() {
    let site = Site::start();
    let keyed = site.page.with("idempotency-key", "once");
    let events = json!([{"type": "pageview", "url": "/"}, {"type": "click"}]);
    let batch = site.batch(events);
    let first = keyed.post(super::PATH, &batch).await;
    let again = keyed.post(super::PATH, &batch).await;
    assert_eq!(first.text, again.text);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = keyed.post(super::PATH, &site.batch(json!([]))).await;
    assert_eq!(other.status, 400);
    assert_eq!(site.figures().await["page_views"], 1);
}
