//! What counts as a conversion of an experiment: its own goal, a conversion goal of the
//! project, or what counts in the project.

use serde_json::{Value, json};

use super::Site;
use super::results::{event, viewed};

impl Site {
    /// Defines a conversion goal; answers its id.
    async fn define(&self, goal: Value) -> Value {
        let made = self.http.post("/api/conversion-goals", &goal).await;
        made.expect(200)["id"].clone()
    }

    /// Conversions of control and of the other variant.
    async fn converted(&self, id: &str, more: &str) -> [Value; 2] {
        let shown = self.results(id, more).await;
        [0, 1].map(|at| shown["variants"][at]["conversions"].clone())
    }
}

/// A visit of a page of the shop.
fn visit(visitor: &str, path: &str) -> Value {
    let mut event = event("pageview", visitor, 1, &json!({}));
    event["url"] = json!(format!("https://shop.example{path}"));
    event
}

/// Ten visitors, five of each variant, who do different things.
fn events(id: &str, click: &Value) -> Vec<Value> {
    let visitor = |number: i32| format!("v_{number}");
    let mut events: Vec<_> = (0..10)
        .map(|n| viewed(id, &visitor(n), ["control", "variant_b"][n as usize % 2]))
        .collect();
    events.extend([0, 1, 3].map(|n| event("signup", &visitor(n), 1, &json!({}))));
    events.extend([2, 4].map(|n| event("purchase", &visitor(n), 1, &json!({"value": 5}))));
    events.extend([5, 6].map(|n| visit(&visitor(n), "/orders/7/thanks?x=1")));
    events.push(visit(&visitor(7), "/orders/7"));
    events.push(event(
        "goal_conversion",
        "v_7",
        1,
        &json!({"goalId": click}),
    ));
    events.push(event(
        "goal_conversion",
        "v_8",
        1,
        &json!({"experimentId": id}),
    ));
    events.push(event(
        "goal_conversion",
        "v_9",
        1,
        &json!({"goal": "other"}),
    ));
    events
}

#[tokio::test]
async fn an_experiment_follows_what_the_project_defines() {
    let site = Site::start();
    let plain = site.run(json!({})).await;
    let click = json!({"name": "Buy", "type": "click", "selector": ".buy"});
    let click = site.define(click).await;
    site.send(&events(&plain, &click)).await;
    let asked = async |goal: &Value| {
        let more = format!("&goal={}", goal.as_str().unwrap());
        site.converted(&plain, &more).await
    };
    // With a goal defined, that one, and what says it is of the experiment.
    assert_eq!(site.converted(&plain, "").await, [json!(1), json!(1)]);
    assert_eq!(asked(&click).await, [json!(0), json!(1)]);
    let signup = json!({"name": "Signed up", "type": "custom_event", "eventName": "signup"});
    let signup = site.define(signup).await;
    let thanks = json!({"name": "Thanks", "type": "page_visit",
        "urlPattern": "https://shop.example/orders/*/thanks"});
    let thanks = site.define(thanks).await;
    assert_eq!(site.converted(&plain, "").await, [json!(3), json!(4)]);
    assert_eq!(asked(&signup).await, [json!(1), json!(2)]);
    assert_eq!(asked(&thanks).await, [json!(1), json!(1)]);
    assert_eq!(asked(&json!("other")).await, [json!(0), json!(1)]);
    // Without any, the usual ones.
    for goal in [click, signup, thanks] {
        let path = format!("/api/conversion-goals?id={}", goal.as_str().unwrap());
        site.http.delete(&path).await.expect(200);
    }
    assert_eq!(site.converted(&plain, "").await, [json!(3), json!(2)]);
}

#[tokio::test]
async fn an_experiment_names_a_conversion_goal() {
    let site = Site::start();
    let goal =
        json!({"name": "Signed up", "type": "custom_event", "eventName": "signup", "value": 9.5});
    let goal = site.define(goal).await;
    let id = site.run(json!({"goal": {"conversionGoalId": goal}})).await;
    let shown = json!({
        "type": "custom_event", "eventName": "signup", "value": 9.5, "conversionGoalId": goal,
    });
    let page = site.server.http();
    let active = page.get(&site.active()).await.expect(200);
    assert_eq!(active[0]["goal"], shown);
    site.send(&events(&id, &goal)).await;
    // Both who signed up, and whose page says that the goal, or the experiment's, was met.
    assert_eq!(site.converted(&id, "").await, [json!(2), json!(3)]);
    // It stays what it was, whatever becomes of the definition.
    let change = json!({"id": goal, "eventName": "other"});
    site.http
        .patch("/api/conversion-goals", &change)
        .await
        .expect(200);
    let path = format!("/api/conversion-goals?id={}", goal.as_str().unwrap());
    site.http.delete(&path).await.expect(200);
    let same = site
        .change(&id, json!({"name": "New", "goal": shown}))
        .await;
    assert_eq!(same["goal"], shown);
    assert_eq!(site.converted(&id, "").await, [json!(2), json!(3)]);
    let unknown = json!({"goal": {"conversionGoalId": "cg_0"}});
    let unknown = site.try_change(&id, unknown).await.expect(404);
    let expected =
        json!({"error": "Conversion goal not found", "code": "NOT_FOUND", "status": 404});
    assert_eq!(unknown, expected);
}
