//! What requests of the growth product name, made before schemathesis asks.

use serde_json::{Value, json};

use crate::clients::setup::Setup;
use crate::support::Http;

/// An address that is nobody's here.
const HOOK: &str = "https://93.184.215.14/hook";
/// How many of each kind: what takes one away is called more than once.
const MANY: usize = 12;

/// Makes some of a kind; answers their ids.
async fn made(owner: &Http, path: &str, new: &Value) -> Vec<Value> {
    let mut ids = Vec::new();
    for _ in 0..MANY {
        let one = owner.post(path, new).await.expect(200);
        ids.push(one["id"].clone());
    }
    ids
}

/// Links new visitors to new leads; answers both.
async fn linked(owner: &Http, name: &str) -> (Vec<Value>, Vec<Value>) {
    let (mut visitors, mut leads) = (Vec::new(), Vec::new());
    for number in 0..MANY {
        let (visitor, lead) = (
            format!("v_{name}_{number}"),
            format!("lead_{name}_{number}"),
        );
        let link = json!({"visitorId": visitor, "leadId": lead});
        owner.post("/api/identity", &link).await.expect(200);
        visitors.push(json!(visitor));
        leads.push(json!(lead));
    }
    (visitors, leads)
}

/// Something a webhook was told, which was given up.
async fn delivery(owner: &Http) -> Value {
    let hook = json!({"url": HOOK, "events": ["goal.reached"]});
    let hook = owner.post("/api/webhooks", &hook).await.expect(200);
    let goal = json!({"metric": "nps", "target": 1, "deadline": "2099-06-30", "current": 1});
    owner.post("/api/goals", &goal).await.expect(200);
    let off = json!({"id": hook["id"], "status": "disabled"});
    owner.patch("/api/webhooks", &off).await.expect(200);
    let path = format!(
        "/api/webhooks/deliveries?id={}",
        hook["id"].as_str().unwrap()
    );
    owner.get(&path).await.expect(200)[0]["id"].clone()
}

/// Names, by what the configuration calls them.
pub async fn names(setup: &Setup) -> Vec<(&'static str, Vec<Value>)> {
    let owner = setup.server.http().bearer(&setup.organization.key);
    let delivery = delivery(&owner).await;
    let variants = json!([{"name": "Control"}, {"name": "Green"}]);
    let experiment = json!({"name": "Plans", "targetUrl": "/plans", "variants": variants});
    let experiments = "/api/experiments";
    let running = owner.post(experiments, &experiment).await.expect(200)["id"].clone();
    let run = json!({"id": running, "status": "running"});
    owner.patch(experiments, &run).await.expect(200);
    let goal = json!({"metric": "nps", "target": 50, "deadline": "2099-06-30"});
    let conversion = json!({"name": "Paid", "type": "custom_event", "eventName": "paid"});
    let hook = json!({"url": HOOK, "events": ["lead.created"]});
    let (conversions, webhooks) = ("/api/conversion-goals", "/api/webhooks");
    let (visitors, leads) = linked(&owner, "stays").await;
    let (visitors_to_go, leads_to_go) = linked(&owner, "goes").await;
    let (_, parts) = linked(&owner, "part").await;
    let mut merges = Vec::new();
    for (lead, part) in leads.iter().zip(&parts) {
        let merge = json!({"id": lead, "from": part});
        let merge = owner.post("/api/leads/merge", &merge).await.expect(200);
        merges.push(merge["id"].clone());
    }
    vec![
        ("experiments", made(&owner, experiments, &experiment).await),
        (
            "experiments_to_go",
            made(&owner, experiments, &experiment).await,
        ),
        ("running", vec![running]),
        ("goals", made(&owner, "/api/goals", &goal).await),
        ("goals_to_go", made(&owner, "/api/goals", &goal).await),
        ("conversions", made(&owner, conversions, &conversion).await),
        (
            "conversions_to_go",
            made(&owner, conversions, &conversion).await,
        ),
        ("visitors", visitors),
        ("visitors_to_go", visitors_to_go),
        ("leads", leads),
        ("leads_to_go", leads_to_go),
        ("merges", merges),
        ("webhooks", made(&owner, webhooks, &hook).await),
        ("webhooks_to_go", made(&owner, webhooks, &hook).await),
        ("deliveries", vec![delivery]),
    ]
}
