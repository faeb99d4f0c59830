//! What browsers do: they ask before they send, send text, and add cookies.

use reqwest::Method;
use serde_json::json;

use super::{PATH, Site};
use crate::support::Answer;

const SHOP: &str = "https://shop.example.com";

fn value<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.header(name).unwrap_or_default()
}

#[tokio::test]
async fn a_page_of_any_origin_may_send() {
    let site = Site::start();
    for origin in [SHOP, "http://localhost:5173", "null"] {
        let page = site.page.with("origin", origin);
        let asks = page
            .with("access-control-request-method", "POST")
            .with("access-control-request-headers", "content-type");
        let asked = asks.send(Method::OPTIONS, PATH, None).await;
        assert_eq!(asked.status, 200, "{origin}");
        assert!(value(&asked, "access-control-allow-methods").contains("POST"));
        assert_eq!(
            value(&asked, "access-control-allow-headers"),
            "content-type"
        );
        let sent = page.post(PATH, &site.event(json!({}))).await;
        assert_eq!(sent.text, r#"{"received":1}"#);
        let refused = page.post(PATH, &site.event(json!({"type": null}))).await;
        assert_eq!(refused.status, 400);
        for answer in [&asked, &sent, &refused] {
            // `*` would not do: beacons come with credentials.
            assert_eq!(value(answer, "access-control-allow-origin"), origin);
            assert_eq!(value(answer, "access-control-allow-credentials"), "true");
            assert!(value(answer, "vary").contains("origin"), "{answer:?}");
        }
    }
}

/// A beacon is text, comes with whatever cookies there are, and they mean nothing.
#[tokio::test]
async fn a_beacon_is_taken() {
    let site = Site::start();
    let beacon = site
        .page
        .with("origin", SHOP)
        .with("content-type", "text/plain;charset=UTF-8")
        .with("cookie", "apex_session=stale; other=1");
    let events = json!([{"type": "pageview", "url": "/a"}, {"type": "click", "url": "/a"}]);
    for (body, text) in [
        (site.event(json!({})), r#"{"received":1}"#),
        (site.batch(events), r#"{"received":2}"#),
    ] {
        let body = Some(body.to_string().into_bytes());
        let answer = beacon.send(Method::POST, PATH, body).await;
        assert_eq!(answer.text, text);
        assert_eq!(answer.header("set-cookie"), None);
    }
    let form = site
        .page
        .with("content-type", "application/x-www-form-urlencoded");
    let answer = form.send(Method::POST, PATH, Some(b"type=click".to_vec()));
    assert_eq!(answer.await.expect(415)["code"], "UNSUPPORTED_MEDIA_TYPE");
}

#[tokio::test]
async fn a_project_may_choose_its_origins() {
    let site = Site::start();
    let body = json!({"id": site.own.project, "allowedOrigins": [SHOP]});
    let path = format!("/api/projects/{}", site.own.project);
    site.owner.patch(&path, &body).await.expect(200);
    let event = site.event(json!({}));
    let own = site.page.with("origin", SHOP).post(PATH, &event).await;
    assert_eq!(own.text, r#"{"received":1}"#);
    let other = site.page.with("origin", "https://evil.example");
    let refused = other.post(PATH, &event).await;
    assert_eq!(refused.expect(403)["code"], "ORIGIN_NOT_ALLOWED");
}

#[tokio::test]
async fn a_revoked_key_names_nothing_any_more() {
    let site = Site::start();
    let path = format!("/api/projects/{}/rotate-key", site.own.project);
    let rotated = site.owner.post(&path, &json!({})).await.expect(200);
    let expected = json!({
        "error": "This project key was revoked", "code": "FORBIDDEN", "status": 403,
    });
    let answer = site.send(&site.event(json!({}))).await;
    assert_eq!(answer.expect(403), expected);
    let fresh = site.event(json!({"projectKey": rotated["key"]}));
    assert_eq!(site.send(&fresh).await.text, r#"{"received":1}"#);
}
