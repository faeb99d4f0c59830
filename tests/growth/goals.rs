//! Goals over HTTP: the contract's examples and errors, what the server counts, and
//! that reaching one is told once.

use std::time::Duration;

use apex::api::apex::growth::v1 as growth;
use apex::api::apex::growth::v1::goal_service_client::GoalServiceClient;
use serde_json::{Value, json};

use super::receiver::Receiver;
use crate::support::{Http, Server, grpc};

fn client() -> (Server, Http) {
    let server = Server::start();
    let own = server.organization("Acme");
    let http = server.http().bearer(&own.key);
    (server, http)
}

async fn create(http: &Http, body: Value) -> Value {
    http.post("/api/goals", &body).await.expect(200)
}

#[tokio::test]
async fn the_examples_of_the_contract() {
    let (_server, http) = client();
    let body = json!({"metric": "monthly_signups", "target": 800, "deadline": "2030-06-30"});
    let made = http.post("/api/goals", &body).await;
    let goal = made.expect(200);
    let (id, at) = (
        goal["id"].as_str().unwrap(),
        goal["createdAt"].as_str().unwrap(),
    );
    assert!(id.starts_with("goal_"), "{id}");
    let shown = format!(
        r#"{{"id":"{id}","metric":"monthly_signups","target":800,"current":0,"deadline":"2030-06-30","status":"on_track","createdAt":"{at}"}}"#
    );
    assert_eq!(made.text, shown);
    assert_eq!(http.get("/api/goals").await.text, format!("[{shown}]"));
    let more = json!({
        "metric": "revenue_mrr", "target": 1e6, "deadline": "2030-12-31",
        "description": "Monthly recurring revenue", "unit": "dollars",
    });
    let more = create(&http, more).await;
    assert_eq!(more["description"], "Monthly recurring revenue");
    assert_eq!(more["unit"], "dollars");
    let change = json!({"id": id, "target": 900, "deadline": "2030-07-31", "status": "at_risk"});
    let changed = http.patch("/api/goals", &change).await.expect(200);
    assert_eq!(changed["target"], 900);
    assert_eq!(changed["deadline"], "2030-07-31");
    assert_eq!(changed["status"], "at_risk");
    // What was set by hand holds until it is cleared.
    assert_eq!(http.get("/api/goals").await.json()[0]["status"], "at_risk");
    let clear = json!({"id": id, "status": null});
    let cleared = http.patch("/api/goals", &clear).await.expect(200);
    assert_eq!(cleared["status"], "on_track");
    let gone = http
        .delete(&format!("/api/goals?id={id}"))
        .await
        .expect(200);
    assert_eq!(gone, json!({"success": true}));
    let own = http.with("content-type", "application/json");
    let body = json!({"id": more["id"]}).to_string().into_bytes();
    own.send(reqwest::Method::DELETE, "/api/goals", Some(body))
        .await
        .expect(200);
    assert_eq!(http.get("/api/goals").await.text, "[]");
    let again = http
        .delete(&format!("/api/goals?id={id}"))
        .await
        .expect(404);
    assert_eq!(
        again,
        json!({"error": "Goal not found", "code": "NOT_FOUND", "status": 404})
    );
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let (server, http) = client();
    let day = "2030-06-30";
    for (body, words) in [
        (json!({"target": 1, "deadline": day}), "metric is required"),
        (
            json!({"metric": "x", "deadline": day}),
            "target is required",
        ),
        (json!({"metric": "x", "target": 1}), "deadline is required"),
        (
            json!({"metric": "x", "target": 0, "deadline": day}),
            "target must be positive",
        ),
        (
            json!({"metric": "x", "target": -5, "deadline": day}),
            "target must be positive",
        ),
        (
            json!({"metric": "x", "target": 1, "deadline": "soon"}),
            "deadline must be an ISO 8601 date such as 2030-06-30",
        ),
    ] {
        let answer = http.post("/api/goals", &body).await.expect(400);
        let expected = json!({"error": words, "code": "VALIDATION_ERROR", "status": 400});
        assert_eq!(answer, expected, "{body}");
    }
    for target in ["1e308", "1e999", "NaN", "\"NaN\"", "\"much\"", "1e16"] {
        let body = format!(r#"{{"metric": "x", "target": {target}, "deadline": "{day}"}}"#);
        let own = http.with("content-type", "application/json");
        let answer = own
            .send(reqwest::Method::POST, "/api/goals", Some(body.into_bytes()))
            .await;
        assert_eq!(answer.expect(400)["status"], 400, "{target}");
    }
    let made = create(&http, json!({"metric": "x", "target": 1, "deadline": day})).await;
    for change in [
        json!({"id": made["id"], "status": "nearly"}),
        json!({"id": made["id"], "target": 0}),
        json!({"id": made["id"], "target": null}),
        json!({"id": made["id"], "deadline": null}),
    ] {
        let answer = http.patch("/api/goals", &change).await.expect(400);
        assert_eq!(answer["code"], "VALIDATION_ERROR", "{change}");
    }
    assert_eq!(
        http.patch("/api/goals", &json!({"target": 1})).await.status,
        400
    );
    let unknown = json!({"id": "goal_0", "target": 1});
    assert_eq!(http.patch("/api/goals", &unknown).await.status, 404);
    assert_eq!(http.delete("/api/goals").await.status, 400);
    assert_eq!(server.http().get("/api/goals").await.status, 401);
}

#[tokio::test]
async fn what_the_server_counts() {
    let (server, http) = client();
    for (name, visitor) in [
        ("signup", "a"),
        ("signup", "b"),
        ("pageview", "a"),
        ("paid", "a"),
    ] {
        let event = json!({
            "event_name": name, "visitor_id": visitor,
            "metadata": {"url": "https://shop.example/thanks"},
        });
        http.post("/api/v1/events", &event).await.expect(200);
    }
    let purchase = json!({"price": 1250, "currency": "EUR", "quantity": 2, "visitor_id": "a"});
    http.post("/api/v1/events/purchase", &purchase)
        .await
        .expect(200);
    let link = json!({"visitorId": "a", "leadId": "crm_1"});
    http.post("/api/identity", &link).await.expect(200);
    let conversion = json!({"name": "Paid", "type": "custom_event", "eventName": "paid"});
    let conversion = http
        .post("/api/conversion-goals", &conversion)
        .await
        .expect(200);
    let visit = json!({"name": "Thanks", "type": "page_visit", "urlPattern": "/thanks"});
    http.post("/api/conversion-goals", &visit).await.expect(200);
    let own = format!("conversion:{}", conversion["id"].as_str().unwrap());
    for (metric, current) in [
        ("monthly_signups", 2.0),
        ("weekly_visitors", 2.0),
        ("daily_page_views", 1.0),
        ("event:paid", 1.0),
        ("leads", 1.0),
        ("conversions", 2.0),
        (own.as_str(), 1.0),
        ("revenue_mrr", 0.0),
    ] {
        let goal = json!({"metric": metric, "target": 100, "deadline": "2030-06-30"});
        assert_eq!(create(&http, goal).await["current"], current, "{metric}");
    }
    let revenue =
        json!({"metric": "revenue", "target": 100, "deadline": "2030-06-30", "unit": "EUR"});
    assert_eq!(create(&http, revenue).await["current"], 25);
    let set =
        json!({"metric": "revenue_mrr", "target": 100, "deadline": "2030-06-30", "current": 7.5});
    assert_eq!(create(&http, set).await["current"], 7.5);
    drop(server);
}

#[tokio::test]
async fn reaching_a_goal_is_told_once() {
    let server = Server::with(&[("APEX_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8")]);
    let own = server.organization("Acme");
    let http = server.http().bearer(&own.key);
    let receiver = Receiver::start().await;
    let hook = json!({"url": receiver.url, "events": ["goal.reached"]});
    http.post("/api/webhooks", &hook).await.expect(200);
    // By what is set, at once.
    let goal = json!({"metric": "nps", "target": 50, "deadline": "2030-06-30"});
    let goal = create(&http, goal).await;
    let set = json!({"id": goal["id"], "current": 50});
    let reached = http.patch("/api/goals", &set).await.expect(200);
    assert_eq!(reached["status"], "completed");
    let told = receiver.wait(1).await.remove(0).json();
    assert_eq!(told["type"], "goal.reached");
    assert_eq!(told["data"]["goalId"], goal["id"]);
    assert_eq!(told["data"]["metric"], "nps");
    assert_eq!(told["data"]["target"], 50.0);
    assert_eq!(told["data"]["current"], 50.0);
    for current in [60, 40, 70] {
        let set = json!({"id": goal["id"], "current": current});
        let still = http.patch("/api/goals", &set).await.expect(200);
        assert_eq!(still["status"], "completed");
    }
    // By what is counted, a little later. A status that was set does not matter.
    let counted = json!({"metric": "event:signup", "target": 2, "deadline": "2030-06-30"});
    let counted = create(&http, counted).await;
    let status = json!({"id": counted["id"], "status": "behind"});
    http.patch("/api/goals", &status).await.expect(200);
    for visitor in ["a", "b", "c"] {
        let event = json!({"event_name": "signup", "visitor_id": visitor});
        http.post("/api/v1/events", &event).await.expect(200);
    }
    let told = receiver.wait(2).await.remove(1).json();
    assert_eq!(told["data"]["goalId"], counted["id"]);
    let goals = http.get("/api/goals").await.expect(200);
    assert_eq!(goals[1]["status"], "behind");
    // A higher target is another one to reach.
    let higher = json!({"id": goal["id"], "target": 90});
    assert_eq!(
        http.patch("/api/goals", &higher).await.expect(200)["status"],
        "on_track"
    );
    let set = json!({"id": goal["id"], "current": 95});
    http.patch("/api/goals", &set).await.expect(200);
    receiver.wait(3).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(receiver.received().len(), 3);
}

#[tokio::test]
async fn conversion_goals_are_defined() {
    let (server, http) = client();
    let form = json!({"name": "Form", "type": "form_submit", "isPrimary": true, "value": 12.5});
    let form = http.post("/api/conversion-goals", &form).await.expect(200);
    assert!(form["id"].as_str().unwrap().starts_with("cg_"));
    assert_eq!(form["isPrimary"], true);
    assert_eq!(form["value"], 12.5);
    let click = json!({
        "name": "Click", "type": "click", "selector": ".buy", "isPrimary": true,
        "eventName": "of another type",
    });
    let click = http.post("/api/conversion-goals", &click).await.expect(200);
    assert_eq!(click["selector"], ".buy");
    assert_eq!(click.get("eventName"), None);
    let all = http.get("/api/conversion-goals").await.expect(200);
    let primary: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["isPrimary"])
        .collect();
    assert_eq!(primary, [&json!(false), &json!(true)]);
    for (body, words) in [
        (
            json!({"type": "click", "selector": "a"}),
            "name is required",
        ),
        (
            json!({"name": "x"}),
            "type must be one of form_submit, page_visit, click, custom_event",
        ),
        (
            json!({"name": "x", "type": "click"}),
            "selector is required",
        ),
        (
            json!({"name": "x", "type": "page_visit"}),
            "urlPattern is required",
        ),
        (
            json!({"name": "x", "type": "custom_event"}),
            "eventName is required",
        ),
    ] {
        let answer = http.post("/api/conversion-goals", &body).await.expect(400);
        let expected = json!({"error": words, "code": "VALIDATION_ERROR", "status": 400});
        assert_eq!(answer, expected, "{body}");
    }
    let change = json!({"id": click["id"], "name": "Bought", "selector": ".pay", "value": null});
    let changed = http
        .patch("/api/conversion-goals", &change)
        .await
        .expect(200);
    assert_eq!(changed["name"], "Bought");
    assert_eq!(changed["selector"], ".pay");
    let none = json!({"id": click["id"], "selector": ""});
    assert_eq!(http.patch("/api/conversion-goals", &none).await.status, 400);
    let path = format!("/api/conversion-goals?id={}", form["id"].as_str().unwrap());
    http.delete(&path).await.expect(200);
    assert_eq!(http.delete(&path).await.status, 404);
    drop(server);
}

#[tokio::test]
async fn grpc_does_the_same() {
    let (server, _) = client();
    let key = server.organization("Other").key;
    let http = server.http().bearer(&key);
    let mut client = GoalServiceClient::new(grpc::with_key(&server.url, &key).await);
    let create = growth::CreateGoalRequest {
        metric: "nps".to_owned(),
        target: Some(50.0),
        deadline: "2030-06-30".to_owned(),
        ..Default::default()
    };
    let made = client
        .create_goal(create.clone())
        .await
        .unwrap()
        .into_inner();
    let made = made.goal.unwrap();
    assert_eq!(made.status(), growth::GoalStatus::OnTrack);
    assert_eq!(
        http.get("/api/goals").await.json()[0]["id"],
        made.id.as_str()
    );
    for target in [
        None,
        Some(f64::NAN),
        Some(f64::INFINITY),
        Some(-1.0),
        Some(1e308),
    ] {
        let wrong = growth::CreateGoalRequest {
            target,
            ..create.clone()
        };
        let status = client.create_goal(wrong).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{target:?}");
        assert_eq!(grpc::reason(&status), "VALIDATION_ERROR");
    }
    let gone = growth::DeleteGoalRequest {
        id: "goal_0".to_owned(),
    };
    let status = client.delete_goal(gone).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
}
