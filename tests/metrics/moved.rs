//! What is exported and imported again stays what it was.

use serde_json::{Value, json};

use crate::support::{Http, Server};

async fn visitors(http: &Http) -> Value {
    let path = "/api/v1/analytics?start_date=2024-01-01&end_date=2024-01-31";
    let metrics = "metrics=unique_visitors,cookieless_visitors";
    let answer = http.get(&format!("{path}&{metrics}")).await;
    answer.expect(200)["data"].clone()
}

#[tokio::test]
async fn visitors_without_an_id_stay_so() {
    let server = Server::start();
    let [first, second, third] = ["First", "Second", "Third"].map(|name| server.organization(name));
    let http = server.http().bearer(&first.key);
    let at = "2024-01-15T10:30:00Z";
    for event in [
        json!({"event_name": "a", "timestamp": at}),
        json!({"event_name": "b", "timestamp": at, "visitor_id": "known"}),
    ] {
        http.post("/api/v1/events", &event).await.expect(200);
    }
    let told = json!({"unique_visitors": 2, "cookieless_visitors": 1});
    assert_eq!(visitors(&http).await, told);
    let exported = server.apex(&["events", "export", "--project", &first.project]);
    let lines: Vec<Value> = exported
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["cookieless"], true);
    assert_eq!(lines[1].get("cookieless"), None);

    // The operator restores what it was.
    let file = server.data.join("exported.ndjson");
    std::fs::write(&file, &exported).unwrap();
    let file = file.to_str().unwrap();
    let done = server.apex_json(&["events", "import", file, "--project", &second.project]);
    assert_eq!(done["imported"], 2, "{done}");
    let http = server.http().bearer(&second.key);
    assert_eq!(visitors(&http).await, told);

    // Nobody else may say it of a visitor.
    let http = server.http().bearer(&third.key);
    let batch = json!({ "events": lines });
    http.post("/api/v1/events/batch", &batch).await.expect(200);
    let told = json!({"unique_visitors": 2, "cookieless_visitors": 0});
    assert_eq!(visitors(&http).await, told);
}
