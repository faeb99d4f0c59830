//! What pages get.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{PATH, Site};

#[tokio::test]
async fn pages_get_what_runs_and_no_more() {
    let site = Site::start();
    let page = site.server.http();
    assert_eq!(page.get(&site.active()).await.expect(200), json!([]));
    let draft = site.create(json!({})).await;
    assert_eq!(page.get(&site.active()).await.expect(200), json!([]));
    let goal = json!({"type": "custom_event", "eventName": "signup"});
    let id = site.run(json!({"goal": goal, "trafficSplit": 80})).await;
    let sdk = site.run(json!({"name": "Flag", "delivery": "sdk"})).await;
    let active = page.get(&site.active()).await.expect(200);
    assert_eq!(
        active[0],
        json!({
            "id": id, "name": "Plans page CTA", "targetUrl": "/plans", "trafficSplit": 80, "mode": "ab",
            "variants": [
                {"id": "control", "name": "Control", "buckets": [{"from": 0, "to": 50}]},
                {
                    "id": "variant_b", "name": "Green button", "css": ".cta{background:#2a4}",
                    "changes": [{"type": "code", "css": ".cta{background:#2a4}"}],
                    "buckets": [{"from": 50, "to": 100}],
                },
            ],
            "goal": goal, "delivery": "snippet", "bucketing": "murmur3",
        })
    );
    assert_eq!(active[1]["id"], json!(sdk));
    assert_eq!(active[1]["delivery"], "sdk");
    assert_eq!(active.as_array().unwrap().len(), 2);
    // A change is seen at once, and what stops is gone.
    site.change(&id, json!({"trafficSplit": 20})).await;
    assert_eq!(
        page.get(&site.active()).await.expect(200)[0]["trafficSplit"],
        20
    );
    site.change(&id, json!({"status": "paused"})).await;
    site.http
        .delete(&format!("{PATH}?id={sdk}"))
        .await
        .expect(200);
    assert_eq!(page.get(&site.active()).await.expect(200), json!([]));
    site.change(&id, json!({"status": "running"})).await;
    let ids = page.get(&site.active()).await.expect(200);
    assert_eq!(ids[0]["id"], json!(id));
    assert_ne!(ids[0]["id"], draft["id"]);
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let site = Site::start();
    let id = site.run(json!({})).await;
    let page = site.server.http();
    let first = page.get(&site.active()).await;
    assert_eq!(first.header("cache-control"), Some("public, max-age=60"));
    let tag = first.header("etag").unwrap().to_owned();
    for known in [
        tag.clone(),
        format!("\"x\", {tag}"),
        "*".to_owned(),
        tag.replace("W/", ""),
    ] {
        let again = page.with("if-none-match", &known).get(&site.active()).await;
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{known}");
        assert_eq!(again.header("etag"), Some(tag.as_str()));
        assert_eq!(again.header("cache-control"), Some("public, max-age=60"));
        assert_eq!(again.header("content-type"), None);
    }
    let other = page
        .with("if-none-match", "\"x\"")
        .get(&site.active())
        .await;
    assert_eq!(other.status, 200);
    site.change(&id, json!({"name": "Other"})).await;
    let changed = page.with("if-none-match", &tag).get(&site.active()).await;
    assert_eq!(changed.expect(200)[0]["name"], "Other");
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
}

#[tokio::test]
async fn any_page_may_ask_unless_the_project_says_otherwise() {
    let site = Site::start();
    let page = site.server.http().with("origin", "https://shop.example");
    let asking = page.with("access-control-request-method", "GET");
    for path in [
        site.active(),
        format!("/api/features/{}", site.own.project_key),
    ] {
        let answer = page.get(&path).await;
        answer.expect(200);
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://shop.example")
        );
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            Some("true")
        );
        let preflight = asking.send(Method::OPTIONS, &path, None).await;
        assert_eq!(
            preflight.header("access-control-allow-origin"),
            Some("https://shop.example")
        );
    }
    // Whether a cookie comes along makes no difference.
    let cookie = page.with("cookie", "apex_session=nonsense");
    cookie.get(&site.active()).await.expect(200);
    let only = json!({"allowedOrigins": ["https://own.example"]});
    let project = format!("/api/projects/{}", site.own.project);
    site.http.patch(&project, &only).await.expect(200);
    let refused = page.get(&site.active()).await.expect(403);
    assert_eq!(refused["code"], "ORIGIN_NOT_ALLOWED");
    let own = site.server.http().with("origin", "https://own.example");
    own.get(&site.active()).await.expect(200);
}

#[tokio::test]
async fn keys_that_are_unknown_or_revoked_are_told_apart() {
    let site = Site::start();
    let page = site.server.http();
    let error = |text: &str| json!({"error": text, "code": "VALIDATION_ERROR", "status": 400});
    let missing = page.get(&format!("{PATH}/active")).await.expect(400);
    assert_eq!(missing, error("key is required"));
    let unknown = page
        .get(&format!("{PATH}/active?key=pk_live_0"))
        .await
        .expect(400);
    assert_eq!(unknown, error("key is not known"));
    let rotate = format!("/api/projects/{}/rotate-key", site.own.project);
    site.http.post(&rotate, &json!({})).await.expect(200);
    let revoked = page.get(&site.active()).await.expect(403);
    assert_eq!(
        (&revoked["code"], &revoked["status"]),
        (&json!("FORBIDDEN"), &json!(403))
    );
}

/// Other nodes see a change within seconds.
#[tokio::test]
async fn every_node_learns_of_a_change() {
    let site = Site::start();
    if !site.server.database_url().starts_with("postgres") {
        return;
    }
    let other = site.server.beside();
    let page = other.http();
    assert_eq!(page.get(&site.active()).await.expect(200), json!([]));
    let id = site.run(json!({})).await;
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let active: Value = page.get(&site.active()).await.expect(200);
        if active[0]["id"] == json!(id) {
            break;
        }
        assert!(Instant::now() < deadline, "{active}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
