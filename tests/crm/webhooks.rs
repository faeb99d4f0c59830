//! Webhooks of the CRM: they are told of changes, by whom, once, signed, and not of
//! their own if they like.

use std::time::{Duration, Instant};

use apex::api::apex::crm::v1 as crm;
use apex::api::apex::crm::v1::record_webhook_service_client::RecordWebhookServiceClient;
use serde_json::{Value, json};
use tonic::Code;

use super::{client, make, put, with};
use crate::growth::receiver::{Reaction, Received, Receiver};
use crate::support::{Http, Organization, Server, grpc};

/// A public address, which nothing is sent to while nothing happens.
const URL: &str = "https://93.184.215.14/h";

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
async fn webhooks_are_records_like_others() {
    let (_server, http, own) = client();
    let new = json!({"url": URL, "events": ["contacts.created", "deals.updated"]});
    let made = make(&http, "/webhooks", new).await;
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(made["status"], "active");
    assert_eq!(made["skip_own"], false);
    assert_eq!(made["organization_id"], own.id);
    let one = format!("/webhooks/{}", made["id"]);
    let read = http.get(&one).await;
    assert_eq!(
        read.json()["events"],
        json!(["contacts.created", "deals.updated"])
    );
    assert_eq!(read.json().get("secret"), None);
    let page = http.get("/webhooks?status=active").await.expect(200);
    assert_eq!(
        (&page["total"], &page["data"][0]["id"]),
        (&json!(1), &made["id"])
    );
    let change = json!({"events": ["notes.removed", "notes.removed"], "skip_own": true});
    let changed = http.patch(&one, &change).await.expect(200);
    assert_eq!(changed["events"], json!(["notes.removed"]));
    assert_eq!(
        (&changed["skip_own"], &changed["url"]),
        (&json!(true), &json!(URL))
    );
    let tag = read.header("etag").unwrap().to_owned();
    let late = http
        .with("if-match", &tag)
        .patch(&one, &json!({"status": "disabled"}))
        .await;
    assert_eq!(late.expect(409)["name"], "Conflict");
    let replaced = put(
        &http,
        &one,
        &json!({"url": URL, "events": ["tags.created"]}),
    )
    .await;
    assert_eq!(replaced.expect(200)["skip_own"], false);
    let rotate = http.with("x-service-method", "rotateSecret");
    let rotated = rotate
        .post("/webhooks", &json!({"id": made["id"]}))
        .await
        .expect(200);
    assert_ne!(rotated["secret"], made["secret"]);
    assert!(rotated["secret"].as_str().unwrap().starts_with("whsec_"));
    let chosen = json!({"url": URL, "events": ["tags.created"], "secret": "0123456789abcdef"});
    let many = make(&http, "/webhooks", json!([chosen, chosen])).await;
    assert_eq!(many[1]["secret"], "0123456789abcdef");
    let gone = http.delete(&one).await.expect(200);
    assert!(gone["deleted_at"].is_string());
    assert_eq!(http.get(&one).await.status, 404);
}

#[tokio::test]
async fn what_is_wrong_is_told_by_name() {
    let (_server, http, _) = client();
    for (body, path) in [
        (json!({"events": ["contacts.created"]}), "url"),
        (json!({"url": URL}), "events"),
        (json!({"url": URL, "events": []}), "events"),
        (
            json!({"url": URL, "events": ["contacts.eaten"]}),
            "events[0]",
        ),
        (
            json!({"url": URL, "events": ["contacts.created", "x"]}),
            "events[1]",
        ),
        (
            json!({"url": "http://example.com/", "events": ["tags.created"]}),
            "url",
        ),
        (
            json!({"url": "https://127.0.0.1/", "events": ["tags.created"]}),
            "url",
        ),
        (
            json!({"url": "https://localhost/", "events": ["tags.created"]}),
            "url",
        ),
        (
            json!({"url": "https://169.254.169.254/", "events": ["tags.created"]}),
            "url",
        ),
        (
            json!({"url": URL, "events": ["tags.created"], "status": "off"}),
            "status",
        ),
        (
            json!({"url": URL, "events": ["tags.created"], "secret": "short"}),
            "secret",
        ),
    ] {
        let answer = http.post("/webhooks", &body).await.expect(400);
        assert_eq!(answer["name"], "BadRequest", "{answer}");
        assert_eq!(answer["errors"][0]["path"], path, "{answer}");
    }
    let good = json!({"url": URL, "events": ["tags.created"]});
    let bad = json!({"url": "https://10.0.0.1/", "events": ["tags.created"]});
    let answer = http
        .post("/webhooks", &json!([good, bad]))
        .await
        .expect(400);
    assert_eq!(answer["errors"][0]["path"], "[1].url", "{answer}");
    let made = make(&http, "/webhooks", good.clone()).await;
    let one = format!("/webhooks/{}", made["id"]);
    for change in [
        json!({"url": "https://10.0.0.1/"}),
        json!({"secret": "0123456789abcdef"}),
    ] {
        http.patch(&one, &change).await.expect(400);
    }
    assert_eq!(http.get(&one).await.expect(200)["url"], URL);
    make(&http, "/webhooks", json!(vec![good.clone(); 49])).await;
    let answer = http.post("/webhooks", &good).await.expect(400);
    assert_eq!(answer["message"], "An organization has at most 50 webhooks");
    assert_eq!(http.get("/webhooks").await.expect(200)["total"], 50);
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

#[tokio::test]
async fn grpc_does_the_same() {
    let (server, _, own) = client();
    let channel = grpc::with_key(&server.url, &own.key).await;
    let mut client = RecordWebhookServiceClient::new(channel);
    let new = |url: &str, event: &str| crm::CreateRecordWebhooksRequest {
        webhooks: vec![crm::Webhook {
            url: Some(url.to_owned()),
            events: vec![event.to_owned()],
            ..Default::default()
        }],
    };
    let made = client
        .create_record_webhooks(new(URL, "contacts.created"))
        .await
        .unwrap();
    let made = made.into_inner().webhooks.remove(0);
    assert!(made.secret.unwrap().starts_with("whsec_"));
    let rotate = crm::RotateRecordWebhookSecretRequest {
        id: made.id,
        secret: None,
    };
    let rotated = client
        .rotate_record_webhook_secret(rotate)
        .await
        .unwrap()
        .into_inner();
    assert!(rotated.webhook.unwrap().secret.is_some());
    for (url, event) in [
        ("https://127.0.0.1/", "contacts.created"),
        (URL, "contacts.eaten"),
    ] {
        let status = client
            .create_record_webhooks(new(url, event))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(grpc::reason(&status), "BAD_REQUEST");
    }
    let gone = crm::DeleteRecordWebhookRequest {
        id: 999,
        ..Default::default()
    };
    let status = client.delete_record_webhook(gone).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}
