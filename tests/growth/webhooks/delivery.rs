//! What webhooks are told, and how often.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::growth::receiver::{Reaction, Receiver, verify};
use crate::support::{Http, Organization, Server, database};

const SETTINGS: [(&str, &str); 4] = [
    ("APEX_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8"),
    ("APEX_WEBHOOKS_TIMEOUT", "1s"),
    ("APEX_WEBHOOKS_FIRST_RETRY", "200ms"),
    ("APEX_WEBHOOKS_GIVE_UP", "2s"),
];

pub(super) struct World {
    pub(super) server: Server,
    pub(super) own: Organization,
    pub(super) http: Http,
    pub(super) receiver: Receiver,
    pub(super) hook: Value,
}

impl World {
    pub(super) async fn start(settings: &[(&str, &str)]) -> Self {
        let server = Server::with(&[&SETTINGS, settings].concat());
        let own = server.organization("Acme");
        let http = server.http().bearer(&own.key);
        let receiver = Receiver::start().await;
        let all = ["lead.created", "lead.updated", "goal.reached"];
        let body = json!({"url": receiver.url, "events": all});
        let hook = http.post("/api/webhooks", &body).await.expect(200);
        Self {
            server,
            own,
            http,
            receiver,
            hook,
        }
    }

    pub(super) async fn stitch(&self, visitor: &str, email: &str) -> Value {
        let body = json!({
            "visitorId": visitor, "email": email, "projectKey": self.own.project_key,
        });
        self.server
            .http()
            .post("/api/identity/stitch", &body)
            .await
            .expect(200)
    }

    async fn log(&self) -> Vec<Value> {
        let id = self.hook["id"].as_str().unwrap();
        let path = format!("/api/webhooks/deliveries?id={id}");
        let log = self.http.get(&path).await.expect(200);
        log.as_array().unwrap().clone()
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
        panic!(
            "it is not {status}: {:?} {}",
            self.log().await,
            self.server.log()
        );
    }
}

#[tokio::test]
async fn a_new_lead_is_told_signed() {
    let world = World::start(&[]).await;
    let lead = world.stitch("v", "ada@example.com").await;
    let received = world.receiver.wait(1).await.remove(0);
    assert_eq!(received.path, "/hook");
    assert_eq!(received.headers["content-type"], "application/json");
    verify(&received, world.hook["secret"].as_str().unwrap());
    let body = received.json();
    let members: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["id", "type", "createdAt", "projectKey", "data"]);
    assert_eq!(body["id"], received.headers["webhook-id"].as_str());
    assert_eq!(body["type"], "lead.created");
    assert_eq!(body["projectKey"], world.own.project_key.as_str());
    assert_eq!(body["data"]["leadId"], lead["leadId"]);
    assert_eq!(body["data"]["email"], "ada@example.com");
    assert_eq!(body["data"]["visitorId"], "v");
    let logged = world.settled("delivered").await;
    assert_eq!(logged["attempts"], 1);
    assert_eq!(logged["responseStatus"], 204);
    assert_eq!(logged["messageId"], body["id"]);
    assert_eq!(logged["body"], body);
    // The same again tells nothing; another device does.
    world.stitch("v", "ada@example.com").await;
    world.stitch("phone", "ada@example.com").await;
    let received = world.receiver.wait(2).await;
    assert_eq!(received[1].json()["type"], "lead.updated");
    world.settled("delivered").await;
    assert_eq!(world.receiver.received().len(), 2);
}

#[tokio::test]
async fn what_fails_is_tried_again() {
    let world = World::start(&[("APEX_WEBHOOKS_GIVE_UP", "60s")]).await;
    world.receiver.plan([
        Reaction::Answer(500, ""),
        Reaction::Hang,
        Reaction::Answer(301, "location: http://127.0.0.1:1/\r\n"),
        Reaction::Answer(200, ""),
    ]);
    world.stitch("v", "ada@example.com").await;
    let received = world.receiver.wait(4).await;
    let logged = world.settled("delivered").await;
    assert_eq!(logged["attempts"], 4);
    assert_eq!(logged["responseStatus"], 200);
    assert_eq!(logged.get("error"), None);
    // The same message each time, signed anew.
    for one in &received {
        assert_eq!(one.headers["webhook-id"], received[0].headers["webhook-id"]);
        assert_eq!(one.body, received[0].body);
        verify(one, world.hook["secret"].as_str().unwrap());
    }
    assert_eq!(world.receiver.received().len(), 4);
}

#[tokio::test]
async fn what_fails_for_long_is_given_up_and_replayed() {
    let patient = [
        ("APEX_WEBHOOKS_TIMEOUT", "10s"),
        ("APEX_WEBHOOKS_GIVE_UP", "4s"),
    ];
    let world = World::start(&patient).await;
    world.receiver.plan(vec![Reaction::Answer(503, ""); 100]);
    world.stitch("v", "ada@example.com").await;
    let logged = world.settled("failed").await;
    assert_eq!(logged["responseStatus"], 503);
    assert_eq!(logged["error"], "the answer was no success");
    assert!(logged["attempts"].as_i64().unwrap() > 1);
    let listed = world.http.get("/api/webhooks").await.expect(200);
    assert_eq!(listed[0]["status"], "disabled");
    // Nothing is told while it is disabled.
    world.stitch("w", "bob@example.com").await;
    assert_eq!(world.log().await.len(), 1);
    let active = json!({"id": world.hook["id"], "status": "active"});
    world.http.patch("/api/webhooks", &active).await.expect(200);
    let tried = world.receiver.received().len();
    world.receiver.plan([]);
    // The receiver still has failures planned; another one has not.
    let well = Receiver::start().await;
    let moved = json!({"id": world.hook["id"], "url": well.url});
    world.http.patch("/api/webhooks", &moved).await.expect(200);
    let replay = json!({"id": logged["id"]});
    let replayed = world
        .http
        .post("/api/webhooks/replay", &replay)
        .await
        .expect(200);
    assert_eq!(replayed["status"], "pending");
    let received = well.wait(1).await;
    assert_eq!(
        received[0].headers["webhook-id"],
        logged["messageId"].as_str().unwrap()
    );
    let settled = world.settled("delivered").await;
    assert_eq!(settled["id"], logged["id"]);
    assert_eq!(world.receiver.received().len(), tried);
    let unknown = json!({"id": "whd_0"});
    let unknown = world.http.post("/api/webhooks/replay", &unknown).await;
    assert_eq!(unknown.expect(404)["error"], "Delivery not found");
}

#[tokio::test]
async fn a_delivery_that_is_being_tried_is_not_replayed() {
    let world = World::start(&[("APEX_WEBHOOKS_FIRST_RETRY", "1h")]).await;
    world.receiver.plan(vec![Reaction::Answer(500, ""); 9]);
    world.stitch("v", "ada@example.com").await;
    world.receiver.wait(1).await;
    let pending = world.log().await.remove(0);
    let replay = json!({"id": pending["id"]});
    let answer = world.http.post("/api/webhooks/replay", &replay).await;
    assert_eq!(answer.status, 409, "{}", answer.text);
}

#[tokio::test]
async fn one_that_hangs_keeps_nobody_waiting() {
    let world = World::start(&[("APEX_WEBHOOKS_TIMEOUT", "20s")]).await;
    world.receiver.plan(vec![Reaction::Hang; 40]);
    let well = Receiver::start().await;
    let body = json!({"url": well.url, "events": ["lead.created"]});
    world.http.post("/api/webhooks", &body).await.expect(200);
    for number in 0..40 {
        world
            .stitch(&format!("v{number}"), &format!("{number}@x.example"))
            .await;
    }
    let started = Instant::now();
    well.wait(40).await;
    assert!(started.elapsed() < Duration::from_secs(20), "they waited");
}

#[tokio::test]
async fn both_secrets_sign_after_a_rotation() {
    let world = World::start(&[]).await;
    let rotate = json!({"id": world.hook["id"]});
    let rotated = world
        .http
        .post("/api/webhooks/rotate-secret", &rotate)
        .await
        .expect(200);
    world.stitch("v", "ada@example.com").await;
    let received = world.receiver.wait(1).await.remove(0);
    assert_eq!(received.headers["webhook-signature"].split(' ').count(), 2);
    for secret in [&rotated["secret"], &world.hook["secret"]] {
        verify(&received, secret.as_str().unwrap());
    }
}

/// What was answered is committed with what is to be told: a server that is killed
/// tells it afterwards.
#[tokio::test]
async fn nothing_is_lost_by_a_kill() {
    let mut world = World::start(&[]).await;
    world.receiver.plan(vec![Reaction::Hang; 4]);
    for number in 0..10 {
        world
            .stitch(&format!("v{number}"), &format!("{number}@x.example"))
            .await;
    }
    world.server.kill();
    world.server.run();
    world.http = world.server.http().bearer(&world.own.key);
    let deadline = Instant::now() + Duration::from_secs(100);
    loop {
        let log = world.log().await;
        let told = log
            .iter()
            .filter(|one| one["status"] == "delivered")
            .count();
        if told == 10 {
            break;
        }
        assert!(Instant::now() < deadline, "{log:?}");
        // Reads are limited, too: 200 a minute.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // At least once each, and the ids tell repeats.
    let received = world.receiver.received();
    let mut ids: Vec<_> = received
        .iter()
        .map(|one| &one.headers["webhook-id"])
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 10);
}

/// What is not allowed any more is not called, whatever was registered.
#[tokio::test]
async fn an_address_is_checked_when_it_is_called() {
    let mut world = World::start(&[]).await;
    world.server.kill();
    world.server.set("APEX_WEBHOOKS_ALLOWED_NETWORKS", "");
    world.server.run();
    world.http = world.server.http().bearer(&world.own.key);
    world.stitch("v", "ada@example.com").await;
    let logged = world.settled("failed").await;
    assert_eq!(logged["error"], "the address must not be called");
    assert_eq!(logged.get("responseStatus"), None);
    assert!(world.receiver.received().is_empty());
}

/// A secret is of no use for another webhook than its own.
#[tokio::test]
async fn sealed_secrets_cannot_be_swapped() {
    let mut world = World::start(&[]).await;
    let second = Receiver::start().await;
    let body = json!({"url": second.url, "events": ["lead.created"]});
    world.http.post("/api/webhooks", &body).await.expect(200);
    world.server.terminate();
    let connection = sea_orm::Database::connect(world.server.database_url())
        .await
        .unwrap();
    use sea_orm::ConnectionTrait as _;
    for statement in [
        "UPDATE growth_webhook SET former_secret = (SELECT other.secret \
         FROM growth_webhook AS other WHERE other.number <> growth_webhook.number)",
        "UPDATE growth_webhook SET secret = former_secret, former_secret = NULL",
    ] {
        connection.execute_unprepared(statement).await.unwrap();
    }
    connection.close().await.unwrap();
    world.server.run();
    world.http = world.server.http().bearer(&world.own.key);
    world.stitch("v", "ada@example.com").await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while !world
        .server
        .log()
        .contains("a sealed record cannot be opened")
    {
        assert!(Instant::now() < deadline, "{}", world.server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(world.receiver.received().is_empty());
    assert!(second.received().is_empty());
}

/// Several nodes share what is to be told, and none of it is told twice.
#[tokio::test]
async fn nodes_do_not_tell_twice() {
    if !database::is_postgres() {
        return crate::support::skip::elsewhere("nodes_do_not_tell_twice", "nodes need PostgreSQL");
    }
    let world = World::start(&[]).await;
    let _second = world.server.beside();
    let _third = world.server.beside();
    for number in 0..60 {
        world
            .stitch(&format!("v{number}"), &format!("{number}@x.example"))
            .await;
    }
    world.receiver.wait(60).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.receiver.received().len(), 60);
}
