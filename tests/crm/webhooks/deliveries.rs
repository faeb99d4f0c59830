//! What webhooks are told, when, and what becomes of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::crm::{make, with};
use crate::growth::receiver::{Reaction, Received, Receiver};
use crate::support::{Http, Organization, Server};

const SETTINGS: [(&str, &str); 4] = [
    ("APEX_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8"),
    ("APEX_WEBHOOKS_TIMEOUT", "1s"),
    ("APEX_WEBHOOKS_FIRST_RETRY", "200ms"),
    ("APEX_WEBHOOKS_GIVE_UP", "2s"),
];

struct World {
    server: Server,
    http: Http,
    own: Organization,
    receiver: Receiver,
    hook: Value,
}

impl World {
    async fn start(hook: Value) -> Self {
        let (server, http, own) = with(&SETTINGS);
        let receiver = Receiver::start().await;
        let mut hook = hook;
        hook["url"] = json!(receiver.url);
        let hook = make(&http, "/webhooks", hook).await;
        Self {
            server,
            http,
            own,
            receiver,
            hook,
        }
    }

    async fn log(&self) -> Vec<Value> {
        let path = format!(
            "/webhook-deliveries?webhook_id={}&$sort[id]=-1",
            self.hook["id"]
        );
        let page = self.http.get(&path).await.expect(200);
        page["data"].as_array().unwrap().clone()
    }

    /// Waits until the newest delivery has this status.
    async fn settled(&self, status: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            let log = self.log().await;
            if log.first().is_some_and(|newest| newest["status"] == status) {
                return log[0].clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it is not {status}: {:?}", self.log().await);
    }
}

fn types(received: &[Received]) -> Vec<Value> {
    let all = received.iter();
    all.map(|one| one.json()["type"].clone()).collect()
}

#[tokio::test]
async fn changes_are_told_with_who_made_them() {
    let events = json!(["contacts.created", "contacts.removed", "contacts.updated"]);
    let world = World::start(json!({"events": events})).await;
    let asked = world.http.with("x-request-id", "req-echo-1");
    let made = make(&asked, "/contacts", json!({"first_name": "Ada"})).await;
    let received = world.receiver.wait(1).await.remove(0);
    let body = received.json();
    let members: Vec<_> = body.as_object().unwrap().keys().collect();
    let expected = [
        "id",
        "type",
        "created_at",
        "organization_id",
        "entity",
        "entity_id",
        "origin",
        "data",
        "changes",
    ];
    assert_eq!(members, expected);
    assert_eq!(body["id"], received.headers["webhook-id"].as_str());
    assert_eq!(body["type"], "contacts.created");
    assert_eq!(body["organization_id"], world.own.id);
    assert_eq!(
        (&body["entity"], &body["entity_id"]),
        (&json!("contacts"), &made["id"])
    );
    let shown = world
        .http
        .get(&format!("/contacts/{}", made["id"]))
        .await
        .expect(200);
    assert_eq!(body["data"], shown);
    let changed = &body["changes"]["first_name"];
    assert_eq!(*changed, json!({"before": null, "after": "Ada"}));
    assert_eq!(body["created_at"], made["created_at"]);
    assert_eq!(body["origin"]["user_id"], made["created_by_user_id"]);
    assert!(
        body["origin"]["api_key_id"]
            .as_str()
            .unwrap()
            .starts_with("key_")
    );
    assert!(body["origin"]["request_id"].is_string());
    crate::growth::receiver::verify(&received, world.hook["secret"].as_str().unwrap());
    let one = format!("/contacts/{}", made["id"]);
    // What changes nothing is no change.
    world
        .http
        .patch(&one, &json!({"first_name": "Ada"}))
        .await
        .expect(200);
    world
        .http
        .patch(&one, &json!({"last_name": "Byron"}))
        .await
        .expect(200);
    world.http.delete(&one).await.expect(200);
    let received = world.receiver.wait(3).await;
    let mut told = types(&received);
    told.sort_by_key(ToString::to_string);
    assert_eq!(json!(told), events);
    let update = received
        .iter()
        .find(|one| one.json()["type"] == "contacts.updated");
    let update = update.unwrap().json();
    assert_eq!(
        update["changes"],
        json!({"last_name": {"before": null, "after": "Byron"}})
    );
    let removal = received
        .iter()
        .find(|one| one.json()["type"] == "contacts.removed");
    let removal = removal.unwrap().json();
    assert!(removal["data"]["deleted_at"].is_string());
    assert_eq!(removal["changes"]["deleted_at"]["before"], Value::Null);
}

#[tokio::test]
async fn own_changes_need_not_be_told() {
    let hook = json!({"events": ["contacts.created"], "skip_own": true});
    let world = World::start(hook).await;
    make(&world.http, "/contacts", json!({"first_name": "Own"})).await;
    let other = world.server.http().bearer(&world.own.key);
    let key = other
        .post("/api/api-keys", &json!({"name": "Other"}))
        .await
        .expect(200);
    let other = world
        .server
        .http()
        .with("x-api-key", key["key"].as_str().unwrap());
    make(&other, "/contacts", json!({"first_name": "Other"})).await;
    let received = world.receiver.wait(1).await;
    assert_eq!(received[0].json()["data"]["first_name"], "Other");
    assert_eq!(world.log().await.len(), 1);
}

/// What is not committed is not told, and another organization hears nothing.
#[tokio::test]
async fn nothing_else_is_told() {
    let world = World::start(json!({"events": ["contacts.created"]})).await;
    let stranger = world.server.organization("Other");
    let stranger = world.server.http().with("x-api-key", &stranger.key);
    make(&stranger, "/contacts", json!({"first_name": "Eve"})).await;
    let half = json!([{"first_name": "Ada"}, {"email": "no address"}]);
    world.http.post("/contacts", &half).await.expect(400);
    make(&world.http, "/companies", json!({"name": "Acme"})).await;
    make(&world.http, "/contacts", json!({"first_name": "Bob"})).await;
    let received = world.receiver.wait(1).await;
    assert_eq!(received[0].json()["data"]["first_name"], "Bob");
    assert_eq!(world.log().await.len(), 1);
}

#[tokio::test]
async fn what_fails_is_tried_again_given_up_and_replayed() {
    let world = World::start(json!({"events": ["tags.created"]})).await;
    world.receiver.plan([Reaction::Answer(500, "")]);
    make(&world.http, "/tags", json!({"name": "VIP"})).await;
    let delivered = world.settled("delivered").await;
    assert_eq!(
        (&delivered["attempts"], &delivered["response_status"]),
        (&json!(2), &json!(204))
    );
    let one = format!("/webhook-deliveries/{}", delivered["id"]);
    assert_eq!(world.http.get(&one).await.expect(200), delivered);
    let replayed = world
        .http
        .patch(&one, &json!({"status": "pending"}))
        .await
        .expect(200);
    assert_eq!(replayed["status"], "pending");
    let received = world.receiver.wait(3).await;
    assert_eq!(
        received[0].headers["webhook-id"],
        received[2].headers["webhook-id"]
    );
    assert_eq!(received[0].body, received[2].body);
    world.settled("delivered").await;
    let wrong = world
        .http
        .patch(&one, &json!({"status": "failed"}))
        .await
        .expect(400);
    assert_eq!(wrong["errors"][0]["path"], "status");
    // Nothing is delivered any more: it is disabled by itself.
    world.receiver.plan(vec![Reaction::Answer(503, ""); 40]);
    make(&world.http, "/tags", json!({"name": "Late"})).await;
    let failed = world.settled("failed").await;
    assert_eq!(failed["response_status"], 503);
    let hook = format!("/webhooks/{}", world.hook["id"]);
    assert_eq!(
        world.http.get(&hook).await.expect(200)["status"],
        "disabled"
    );
    // What is out for one that is removed is withdrawn with it.
    world.http.delete(&hook).await.expect(200);
    assert_eq!(world.log().await.len(), 0);
}

#[tokio::test]
async fn disabling_gives_up_what_is_out() {
    let world = World::start(json!({"events": ["tags.created"]})).await;
    world.receiver.plan(vec![Reaction::Answer(500, ""); 40]);
    make(&world.http, "/tags", json!({"name": "VIP"})).await;
    world.receiver.wait(1).await;
    let hook = format!("/webhooks/{}", world.hook["id"]);
    world
        .http
        .patch(&hook, &json!({"status": "disabled"}))
        .await
        .expect(200);
    let given_up = world.settled("failed").await;
    assert_eq!(given_up["error"], "the webhook was disabled");
}
