//! What was sent as text is answered as text: markup in it is nothing a browser would show
//! as a page.

use serde_json::json;

use crate::support::Server;

const MARKUP: &str = "<img src=x onerror=alert(1)>";

#[tokio::test]
async fn markup_is_text() {
    let server = Server::start();
    let own = server.organization("Acme");
    let http = server.http().bearer(&own.key);
    let event = json!({
        "projectKey": own.project_key, "type": MARKUP, "visitorId": MARKUP,
        "url": format!("https://shop.example/{MARKUP}"),
        "referrer": format!("https://{MARKUP}/"), "data": {"note": MARKUP},
    });
    let page = server.http();
    page.post("/api/events", &event).await.expect(200);
    let stitch = json!({
        "projectKey": own.project_key, "visitorId": "v", "email": "ada@example.com",
        "traits": {"name": MARKUP},
    });
    page.post("/api/identity/stitch", &stitch).await.expect(200);
    let variants = json!([{"name": MARKUP}, {"name": "B"}]);
    let experiment = json!({"name": MARKUP, "targetUrl": "/", "variants": variants});
    http.post("/api/experiments", &experiment).await.expect(200);
    for path in [
        "/api/events",
        "/api/leads",
        "/api/experiments",
        "/api/analytics/top?list=types",
        // A failure that says again what was sent.
        "/api/experiments?status=<img src=x onerror=alert(1)>",
    ] {
        let answer = http.get(path).await;
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("application/json; charset=utf-8"), "{path}");
        answer.json();
        assert!(
            path.contains("status=") || answer.text.contains(MARKUP),
            "{path}"
        );
    }
}
