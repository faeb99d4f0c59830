//! Which project is meant when none is named: the oldest there is, so that a second
//! one stops nobody who began with the first.

use apex::api::apex::metrics::v1 as pb;
use serde_json::{Value, json};

use super::{key, refused, session};
use crate::support::{Http, Server, grpc};

async fn send(http: &Http) {
    let event = json!({"event_name": "x"});
    http.post("/api/v1/events", &event).await.expect(200);
}

async fn events(http: &Http, project: &str) -> Value {
    let path = format!("/api/v1/analytics?metrics=events&project={project}");
    http.get(&path).await.expect(200)["data"]["events"].clone()
}

#[tokio::test]
async fn a_second_project_changes_nothing_for_the_first() {
    let server = Server::start();
    let own = server.organization("Acme");
    let foreign = server.organization("Foreign");
    let http = session(&server, &own.email).await;
    let by_key = server.http().bearer(&own.key);
    send(&by_key).await;
    let second = http.post("/api/projects", &json!({"name": "Two"})).await;
    let second = second.expect(200)["id"].as_str().unwrap().to_owned();
    let (bound, _) = key(&http, &server, json!({"name": "k", "projectId": second})).await;
    // Over every protocol, to send and to ask.
    send(&by_key).await;
    let mut client = grpc::metrics(&server.url, &own.key).await;
    let request = pb::SendEventRequest {
        event_name: "x".to_owned(),
        ..Default::default()
    };
    client.send_event(request).await.unwrap();
    send(&bound).await;
    send(&by_key.with("x-project", &second)).await;
    let path = "/api/v1/analytics?metrics=events";
    for asking in [&by_key, &http] {
        assert_eq!(asking.get(path).await.expect(200)["data"]["events"], 3);
        assert_eq!(events(asking, &own.project).await, 3);
        assert_eq!(events(asking, &second).await, 2);
    }
    // Another organization's is not there, and nothing was sent to it.
    let theirs = by_key.with("x-project", &foreign.project);
    for answer in [
        theirs.get("/api/me").await,
        by_key
            .with("x-project", &foreign.project_key)
            .get("/api/me")
            .await,
    ] {
        refused(&answer, 404, "NOT_FOUND", "Project not found");
    }
    let event = json!({"event_name": "x"});
    assert_eq!(theirs.post("/api/v1/events", &event).await.status, 404);
    let foreign_key = server.http().bearer(&foreign.key);
    assert_eq!(events(&foreign_key, &foreign.project).await, 0);
    // Of those that are left, the oldest.
    let path = format!("/api/projects/{}", own.project);
    http.delete(&path).await.expect(200);
    let me = by_key.get("/api/me").await.expect(200);
    assert_eq!(me["project"]["id"], second);
    send(&by_key).await;
    assert_eq!(events(&by_key, &second).await, 3);
    http.delete(&format!("/api/projects/{second}"))
        .await
        .expect(200);
    let answer = by_key.post("/api/v1/events", &event).await;
    let none = "The organization has no project";
    assert_eq!(answer.expect(400)["error"]["message"], none);
    assert_eq!(
        by_key.get("/api/me").await.expect(200)["project"],
        Value::Null
    );
}
