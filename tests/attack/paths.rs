//! Paths and verbs that mean something else to somebody else: they are taken as they
//! are written, so that nothing is reached by another name, and no file at all.

use serde_json::json;

use super::{EVENTS, Target, post};
use crate::support::attacker::{Attacker, Raw};

async fn send(target: &Target, verb: &str, path: &str, headers: &str) -> Raw {
    let mut attacker = Attacker::connect(target.url()).await;
    attacker
        .send(format!(
            "{verb} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n"
        ))
        .await;
    attacker.answer().await
}

#[tokio::test]
async fn a_page_has_one_name() {
    let target = Target::new(&[]);
    for path in [
        "//healthz",
        "/./healthz",
        "/x/../healthz",
        "/docs/../healthz",
        "/docs/..%2fhealthz",
        "/docs%2f..%2fhealthz",
        "/docs/%2e%2e/healthz",
        "/docs/..;/healthz",
        "/healthz;x=y",
        "/healthz%3b",
        "/healthz/",
        "/healthz/.",
        "/healthz%00",
        "/healthz%00.css",
        "/healthz%20",
        "/healthz%0a",
        "/HEALTHZ",
        "/healthz.json",
        "/healthz\\",
        "/%68ealthz%2f",
        "/etc/passwd",
        "/../../../../etc/passwd",
        "/docs/../../../../etc/passwd",
        "/docs/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/docs/%252e%252e/etc/passwd",
        "/docs/..%c0%af..%c0%afetc/passwd",
        "/docs/%5c..%5c..%5cetc%5cpasswd",
        "/app/..%2f..%2f..%2fetc%2fpasswd",
        "/%ff",
        "/%zz",
        "/%",
    ] {
        let answer = send(&target, "GET", path, "").await;
        assert!([400, 404].contains(&answer.status), "{path}: {answer:?}");
        assert!(
            answer.head.contains("content-type: application/json"),
            "{path}"
        );
        assert!(!answer.body.contains("root:"), "{path}");
    }
    target.alive().await;
}

#[tokio::test]
async fn a_door_has_no_other_way_around() {
    let target = Target::new(&[]);
    assert_eq!(
        send(&target, "GET", "/api/v1/analytics", "").await.status,
        401
    );
    for path in [
        "//api/v1/analytics",
        "/api//v1/analytics",
        "/api/v1//analytics",
        "/api/v1/./analytics",
        "/api/v1/analytics/",
        "/api/v1/analytics;jsessionid=1",
        "/api/v1/analytics%2f",
        "/API/v1/analytics",
        "/healthz/../api/v1/analytics",
        "/healthz%2f..%2fapi%2fv1%2fanalytics",
        "/api/v1/%61nalytics%00",
        "http://x/api/v1/analytics/.",
    ] {
        let answer = send(&target, "GET", path, "").await;
        assert!(
            [400, 401, 404].contains(&answer.status),
            "{path}: {answer:?}"
        );
    }
    // What names the same path is guarded the same.
    for path in [
        "/api/v1/%61nalytics",
        "http://y/api/v1/analytics",
        "/api/v1/analytics?x#y",
    ] {
        let answer = send(&target, "GET", path, "").await;
        assert!(
            [400, 401, 404].contains(&answer.status),
            "{path}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_verb_is_what_the_request_says() {
    let target = Target::new(&[]);
    let before = target.http.get("/api/projects").await.text;
    for header in [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
    ] {
        for verb in ["GET", "DELETE", "PUT", "PATCH"] {
            let http = target.http.with(header, verb);
            let answer = http.post(EVENTS, &json!({"event_name": "x"})).await;
            assert_eq!(answer.expect(200)["success"], true, "{header}: {verb}");
        }
        let http = target.http.with(header, "POST");
        let answer = http.get("/api/projects").await;
        assert_eq!(
            (answer.status, answer.text),
            (200, before.clone()),
            "{header}"
        );
    }
    for verb in ["get", "Get", "PROPFIND", "BREW", "TRACE", "DELETE"] {
        let headers = format!("Authorization: Bearer {}\r\n", target.organization.key);
        let answer = send(&target, verb, "/api/projects", &headers).await;
        assert_eq!(answer.status, 405, "{verb}");
        assert!(answer.head.contains("allow: "), "{}", answer.head);
        // Nothing that was sent is said back.
        assert!(!answer.body.contains(&target.organization.key));
    }
    for (verb, path) in [
        ("CONNECT", "example.com:443"),
        ("OPTIONS", "*"),
        ("GET", "*"),
    ] {
        let answer = send(&target, verb, path, "").await;
        assert!(
            [400, 404, 405].contains(&answer.status),
            "{verb} {path}: {answer:?}"
        );
    }
    target.alive().await;
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_is_asked() {
    let target = Target::new(&[]);
    let mut client = Attacker::connect(target.url()).await;
    let headers = "Expect: 100-continue\r\nContent-Length: 18";
    client
        .send(post(&target.organization.key, headers, ""))
        .await;
    assert_eq!(client.answer().await.status, 100);
    client.send(r#"{"event_name":"x"}"#).await;
    assert_eq!(client.answer().await.status, 200);
    // Who is refused is not asked for more.
    let mut client = Attacker::connect(target.url()).await;
    client.send(post("no such key", headers, "")).await;
    assert_eq!(client.answer().await.status, 401);
}
