//! What nobody named: lists, totals and repeats hold nothing of another tenant.

use serde_json::json;

use super::World;
use crate::security::catalogue::{find, served, takes_keys, takes_sessions, writes};
use crate::security::wire::ways;

/// A word that stands in everything the owner has.
const WORD: &str = "zyzzyva";

async fn fill(world: &World) {
    let owner = &world.owner;
    let named = json!({"name": WORD, "allowedOrigins": [format!("https://{WORD}.example")]});
    let project = owner.post("/api/projects", named).await;
    owner.post("/api/api-keys", json!({"name": WORD})).await;
    owner
        .add_member(&format!("{WORD}@example.com"), "viewer")
        .await;
    let organization = format!("/api/organizations/{}", owner.organization.id);
    let named = json!({"name": WORD});
    owner.http.patch(&organization, &named).await.expect(200);
    let event = json!({
        "event_name": WORD, "visitor_id": WORD, "event_id": WORD,
        "metadata": {"url": format!("https://{WORD}.example/"), "referrer": WORD},
    });
    let events = owner
        .http
        .with("x-project", project["id"].as_str().unwrap());
    events.post("/api/v1/events", &event).await.expect(200);
}

#[tokio::test]
async fn whoever_reads_sees_ones_own() {
    let world = World::start().await;
    fill(&world).await;
    let mut shown = 0;
    for spec in served().filter(|spec| takes_keys(spec) || takes_sessions(spec)) {
        if writes(spec) {
            continue;
        }
        // The groups of analytics are names that tenants give.
        let requests = match spec.name {
            "GetAnalytics" => ["event_name", "url", "referrer"]
                .map(|by| json!({"group_by": by}))
                .to_vec(),
            _ => vec![json!({})],
        };
        for request in &requests {
            for way in ways(spec) {
                for (_, caller) in world.intruder.callers(spec) {
                    let outcome = caller.call(spec, way, request).await;
                    assert!(!outcome.text.contains(WORD), "{}: {outcome}", spec.path);
                }
                for (_, caller) in world.owner.callers(spec) {
                    let project = world.owner.get("/api/projects").await[1]["id"].clone();
                    let caller = caller.with("x-project", project.as_str().unwrap());
                    let outcome = caller.call(spec, way, request).await;
                    shown += i32::from(outcome.text.contains(WORD));
                }
            }
        }
    }
    // The owner sees it in nearly all of these, so there was something to see.
    assert!(shown > 30, "{shown}");
}

/// An answer that is kept for a repeat is kept for the one who made the request.
#[tokio::test]
async fn a_repeat_is_of_ones_own_request() {
    let world = World::start().await;
    let create = find("apex.account.v1.ProjectService/CreateProject");
    let request = json!({"name": "Same"});
    let mut ids = Vec::new();
    for tenant in [&world.owner, &world.intruder] {
        for way in ways(create) {
            let keyed = tenant.key.with("idempotency-key", "the same key");
            assert!(
                !keyed.call(create, way, &request).await.succeeded(),
                "no such key"
            );
            let keyed = tenant.key.with("idempotency-key", "the-same-key");
            let made = keyed.call(create, way, &request).await.json();
            let project = made.get("project").unwrap_or(&made);
            ids.push(project["id"].clone());
        }
    }
    let (own, others) = ids.split_at(ways(create).len());
    assert!(own.iter().all(|id| *id == own[0]), "{own:?}");
    assert!(others.iter().all(|id| *id == others[0]), "{others:?}");
    assert_ne!(own[0], others[0]);
}
