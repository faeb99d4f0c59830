//! What webhooks are told of experiments.

use serde_json::json;

use crate::growth::experiments::Site;
use crate::growth::experiments::results::{event, viewed};
use crate::growth::receiver::Receiver;

async fn told() -> (Site, Receiver) {
    let site = Site::with(&[("APEX_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8")]);
    let receiver = Receiver::start().await;
    let events = ["experiment.started", "experiment.completed"];
    let hook = json!({"url": receiver.url, "events": events});
    site.http.post("/api/webhooks", &hook).await.expect(200);
    (site, receiver)
}

#[tokio::test]
async fn that_one_runs_and_that_it_is_over_is_told() {
    let (site, receiver) = told().await;
    let id = site.run(json!({})).await;
    let started = receiver.wait(1).await.remove(0).json();
    assert_eq!(started["type"], "experiment.started");
    assert_eq!(started["projectKey"], site.own.project_key.as_str());
    let running = site.http.get("/api/experiments").await.expect(200)[0].clone();
    let data = json!({
        "id": id, "name": "Plans page CTA", "targetUrl": "/plans", "status": "running",
        "startedAt": running["startedAt"], "decidedAt": null, "completedAt": null,
    });
    assert_eq!(started["data"], data);
    site.change(&id, json!({"status": "paused"})).await;
    site.change(&id, json!({"status": "running"})).await;
    assert_eq!(
        receiver.wait(2).await[1].json()["type"],
        "experiment.started"
    );
    let ended = site.change(&id, json!({"status": "completed"})).await;
    let completed = receiver.wait(3).await[2].json();
    assert_eq!(completed["type"], "experiment.completed");
    assert_eq!(completed["data"]["status"], "completed");
    assert_eq!(completed["data"]["completedAt"], ended["completedAt"]);
    assert_eq!(completed["data"].get("winner"), None);
}

#[tokio::test]
async fn that_a_result_is_beyond_doubt_is_told_once() {
    let (site, receiver) = told().await;
    let goal = json!({"type": "custom_event", "eventName": "signup"});
    let id = site.run(json!({"goal": goal})).await;
    receiver.wait(1).await;
    let mut events = Vec::new();
    for number in 0..300 {
        let visitor = format!("v_{number}");
        let (variant, every) = [("control", 10), ("variant_b", 2)][number % 2];
        events.push(viewed(&id, &visitor, variant));
        if number / 2 % every == 0 {
            events.push(event("signup", &visitor, 1, &json!({})));
        }
    }
    site.send(&events).await;
    let decided = receiver.wait(2).await[1].json();
    assert_eq!(decided["type"], "experiment.completed");
    assert_eq!(decided["data"]["id"], json!(id));
    assert_eq!(decided["data"]["winner"], "variant_b");
    assert_eq!(decided["data"]["status"], "running");
    let running = site.http.get("/api/experiments").await.expect(200)[0].clone();
    assert_eq!(running["status"], "running");
    assert_eq!(decided["data"]["decidedAt"], running["decidedAt"]);
    // It runs on, and is looked at no more: what comes next is that it was stopped.
    site.change(&id, json!({"status": "completed"})).await;
    let stopped = receiver.wait(3).await[2].json();
    assert_eq!(stopped["data"]["status"], "completed");
    assert_eq!(stopped["data"]["decidedAt"], running["decidedAt"]);
}
