//! Groups at their ends: none at all.

use serde_json::json;

use crate::support::Server;

/// Whatever is grouped by, a period without events has no groups.
#[tokio::test]
async fn a_period_without_events_has_no_groups() {
    let server = Server::start();
    let key = server.organization("Acme").key;
    let http = server.http().bearer(&key);
    let event = json!({"event_name": "a", "timestamp": "2024-03-01T00:00:00Z"});
    http.post("/api/v1/events", &event).await.expect(200);
    for group in ["event_name", "url", "path", "referrer", "utm_source"] {
        let path = "/api/v1/analytics?start_date=2024-01-01&end_date=2024-01-31";
        let answer = http.get(&format!("{path}&group_by={group}")).await;
        let json = answer.expect(200);
        assert_eq!(json["data"]["events"], 0, "{group}");
        assert!(json.get("groups").is_none(), "{group}: {json}");
    }
}
