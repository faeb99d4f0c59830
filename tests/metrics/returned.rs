//! What is exported and imported again: where it came from all of it is known, and
//! elsewhere it is taken in once, and is what it was.

use apex::api::apex::metrics::v1 as pb;
use serde_json::{Value, json};

use crate::support::{Http, Organization, Server, grpc};

const AT: &str = "2024-01-15T10:30:00.123456Z";

fn exported(server: &Server, project: &str) -> String {
    server.apex(&["events", "export", "--project", project])
}

/// Imports lines from a file of their own; answers how many were stored, known
/// already, and refused.
fn import(server: &Server, project: &str, lines: &str) -> [i64; 3] {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lines.ndjson");
    std::fs::write(&file, lines).unwrap();
    let file = file.to_str().unwrap();
    let done = server.apex_json(&["events", "import", file, "--project", project]);
    ["imported", "duplicates", "refused"].map(|name| done[name].as_i64().unwrap())
}

/// Everything that is counted.
async fn totals(server: &Server, key: &str) -> Value {
    let path = "/api/v1/analytics?start_date=2024-01-01&end_date=2024-01-31&group_by=path";
    let metrics = "metrics=page_views,events,unique_visitors,cookieless_visitors,revenue";
    let answer = server
        .http()
        .bearer(key)
        .get(&format!("{path}&{metrics}"))
        .await;
    let answer = answer.expect(200);
    json!([answer["data"], answer["groups"]])
}

/// Sends events with ids of all kinds and without one; answers how many.
async fn send(http: &Http) -> i64 {
    let url = "https://shop.example.com/a?utm_source=s";
    let long = "x".repeat(255);
    let events = [
        json!({"event_name": "page_view", "metadata": {"url": url}}),
        json!({"event_name": "page_view", "metadata": {"url": url}, "visitor_id": "v"}),
        json!({"event_name": "a", "event_id": "E1", "visitor_id": "v"}),
        json!({"event_name": "a", "event_id": "evt_E2", "visitor_id": "v"}),
        json!({"event_name": "a", "event_id": "evt_", "visitor_id": "v"}),
        json!({"event_name": "a", "event_id": long, "visitor_id": "w"}),
        json!({"event_name": "a", "metadata": {"event_id": "M1"}}),
        json!({"event_name": "a", "event_id": "E3", "metadata": {"event_id": "M2"}}),
        json!({"price": 250, "currency": "EUR", "quantity": 3, "product_name": "p"}),
        json!({"price": 250, "currency": "JPY", "event_id": "P1", "metadata": {"url": url}}),
        json!({"event_name": "revenue:purchased", "metadata": {"price": "199", "quantity": 2}}),
        json!({"event_name": "revenue:purchased", "metadata": {"note": "nothing was paid"}}),
    ];
    let mut count = 0;
    for mut event in events {
        event["timestamp"] = json!(AT);
        let batch = json!({ "events": [event] });
        let told = http.post("/api/v1/events/batch", &batch).await.expect(200);
        assert_eq!(told["received"], 1, "{told}");
        count += 1;
    }
    // Properties are kept as they were sent, over several lines.
    let text =
        format!("{{\"event_name\":\"a\",\"timestamp\":\"{AT}\",\"metadata\":{{\n\"k\":\r\n1}}}}");
    let http = http.with("content-type", "application/json");
    let sent = http.send(reqwest::Method::POST, "/api/v1/events", Some(text.into()));
    sent.await.expect(200);
    count + 1
}

/// What an export says, without what is of the place where it is stored.
fn moved(lines: &str) -> Vec<Value> {
    let event = |line: &str| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        let own = event.as_object_mut().unwrap();
        assert!(own.remove("log_position").unwrap().as_i64().unwrap() > 0);
        assert!(own.remove("received_at").is_some());
        event
    };
    lines.lines().map(event).collect()
}

#[tokio::test]
async fn what_comes_back_is_known() {
    let mut server = Server::start();
    let Organization { key, project, .. } = server.organization("Acme");
    let http = server.http().bearer(&key);
    let count = send(&http).await;
    let before = totals(&server, &key).await;
    let lines = exported(&server, &project);
    assert_eq!(import(&server, &project, &lines), [0, count, 0]);
    // Nor is it a matter of the file, or of what the server remembers.
    let mut other: Vec<&str> = lines.lines().collect();
    other.reverse();
    other.extend(lines.lines());
    let twice = other.join("\n");
    assert_eq!(import(&server, &project, &twice), [0, 2 * count, 0]);
    server.terminate();
    assert_eq!(
        import(&server, &project, &format!("\n{}", lines.repeat(2))),
        [0, 2 * count, 0]
    );
    server.run();
    assert_eq!(totals(&server, &key).await, before);
    assert_eq!(exported(&server, &project), lines);
    // An id is exported as it was sent: who repeats the event repeats it.
    let http = server.http().bearer(&key);
    let given = |event: &Value| {
        let id = event["event_id"].as_str().unwrap();
        let own = id.strip_prefix("evt_").map(str::parse::<uuid::Uuid>);
        !matches!(own, Some(Ok(_)))
    };
    let batch: Vec<Value> = moved(&lines).into_iter().filter(given).collect();
    assert_eq!(batch.len(), 7);
    let batch = json!({ "events": batch });
    let told = http.post("/api/v1/events/batch", &batch).await.expect(200);
    assert_eq!(
        (&told["received"], &told["duplicates"]),
        (&json!(0), &json!(7)),
        "{told}"
    );
}

#[tokio::test]
async fn elsewhere_it_is_taken_in_once_and_is_the_same() {
    let server = Server::start();
    let first = server.organization("First");
    let count = send(&server.http().bearer(&first.key)).await;
    let (lines, before) = (
        exported(&server, &first.project),
        totals(&server, &first.key).await,
    );
    assert_eq!(before[0]["events"], count - 2, "{before}");

    // Another project of the same installation, whose positions are others.
    let second = server.organization("Second");
    assert_eq!(import(&server, &second.project, &lines), [count, 0, 0]);
    assert_eq!(
        import(&server, &second.project, &format!("\n{}", lines.repeat(2))),
        [0, 2 * count, 0]
    );
    assert_eq!(totals(&server, &second.key).await, before);
    let again = exported(&server, &second.project);
    assert_eq!(moved(&again), moved(&lines));
    assert_eq!(import(&server, &second.project, &again), [0, count, 0]);

    // Another installation, where other events are at those positions.
    let elsewhere = Server::start();
    let third = elsewhere.organization("Third");
    let other = json!({"event_name": "b", "event_id": "E1", "timestamp": AT});
    let fourth = elsewhere.organization("Fourth");
    let http = elsewhere.http().bearer(&fourth.key);
    http.post("/api/v1/events", &other).await.expect(200);
    assert_eq!(import(&elsewhere, &third.project, &again), [count, 0, 0]);
    assert_eq!(import(&elsewhere, &third.project, &lines), [0, count, 0]);
    assert_eq!(totals(&elsewhere, &third.key).await, before);
    assert_eq!(moved(&exported(&elsewhere, &third.project)), moved(&lines));
}

/// Positions count the events of everybody.
#[tokio::test]
async fn positions_are_the_operators() {
    let server = Server::start();
    let [own, other] = ["Own", "Other"].map(|name| server.organization(name));
    let http = server.http().bearer(&own.key);
    http.post(
        "/api/v1/events",
        &json!({"event_name": "a", "timestamp": AT}),
    )
    .await
    .expect(200);
    let request = pb::ExportEventsRequest::default();
    let pages = grpc::metrics(&server.url, &own.key)
        .await
        .export_events(request)
        .await;
    let page = pages.unwrap().into_inner().message().await.unwrap();
    let told = page.unwrap().events;
    assert_eq!(told[0].log_position, None);
    let line: Value = serde_json::from_str(&exported(&server, &own.project)).unwrap();
    assert_eq!(line["log_position"], 1);
    // Nobody else has an event known by its position, in its own project or another's.
    for (key, received) in [(&own.key, 1), (&other.key, 1)] {
        let http = server.http().bearer(key);
        let batch = json!({ "events": [line] });
        let told = http.post("/api/v1/events/batch", &batch).await.expect(200);
        assert_eq!(told["received"], received, "{told}");
    }
}
