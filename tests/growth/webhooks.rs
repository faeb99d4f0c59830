//! Webhooks over HTTP: the contract's examples, what may not be reached, and that what
//! happens is told, once, signed, and again while it fails.

mod delivery;
mod experiments;
mod verifying;

use apex::api::apex::growth::v1 as growth;
use apex::api::apex::growth::v1::webhook_service_client::WebhookServiceClient;
use serde_json::{Value, json};

use crate::support::{Http, Server, grpc};

/// A public address, which nothing is sent to while nothing happens.
const URL: &str = "https://93.184.215.14/h";

fn client() -> (Server, Http) {
    let server = Server::start();
    let own = server.organization("Acme");
    let http = server.http().bearer(&own.key);
    (server, http)
}

async fn create(http: &Http, body: Value) -> Value {
    http.post("/api/webhooks", &body).await.expect(200)
}

async fn delete(http: &Http, body: Value) -> (u16, Value) {
    let own = http.with("content-type", "application/json");
    let sent = own.send(
        reqwest::Method::DELETE,
        "/api/webhooks",
        Some(body.to_string().into_bytes()),
    );
    let answer = sent.await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn the_examples_of_the_contract() {
    let (_server, http) = client();
    let made = create(&http, json!({"url": URL, "events": ["lead.created"]})).await;
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("wh_"), "{id}");
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let listed = http.get("/api/webhooks").await;
    let at = made["createdAt"].as_str().unwrap();
    assert_eq!(
        listed.text,
        format!(
            r#"[{{"id":"{id}","url":"{URL}","events":["lead.created"],"status":"active","createdAt":"{at}"}}]"#
        )
    );
    let own = json!({"url": URL, "events": ["goal.reached"], "secret": "0123456789abcdef"});
    let own = create(&http, own).await;
    assert_eq!(own["secret"], "0123456789abcdef");
    assert!(
        !http
            .get("/api/webhooks")
            .await
            .text
            .contains("0123456789abcdef")
    );
    assert_eq!(
        delete(&http, json!({"id": id})).await,
        (200, json!({"success": true}))
    );
    let query = format!("/api/webhooks?id={}", own["id"].as_str().unwrap());
    assert_eq!(
        http.delete(&query).await.expect(200),
        json!({"success": true})
    );
    assert_eq!(http.get("/api/webhooks").await.text, "[]");
    let (status, gone) = delete(&http, json!({"id": id})).await;
    let expected = json!({"error": "Webhook not found", "code": "NOT_FOUND", "status": 404});
    assert_eq!((status, gone), (404, expected));
}

#[tokio::test]
async fn every_documented_event_may_be_asked_for() {
    let (_server, http) = client();
    let all = [
        "lead.created",
        "lead.updated",
        "experiment.started",
        "experiment.completed",
        "goal.reached",
        "connector.synced",
        "connector.error",
    ];
    let made = create(&http, json!({"url": URL, "events": all})).await;
    assert_eq!(made["events"], json!(all));
    let twice = json!({"url": URL, "events": ["lead.updated", "lead.updated", "lead.created"]});
    let twice = create(&http, twice).await;
    assert_eq!(twice["events"], json!(["lead.created", "lead.updated"]));
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let (server, http) = client();
    for (body, words) in [
        (json!({"events": ["lead.created"]}), "url is required"),
        (json!({"url": URL}), "events is required"),
        (json!({"url": URL, "events": []}), "events is required"),
        (
            json!({"url": URL, "events": ["lead.eaten"]}),
            "events[0] must be one of lead.created, lead.updated, experiment.started, \
             experiment.completed, goal.reached, connector.synced, connector.error",
        ),
        (
            json!({"url": "http://example.com/h", "events": ["lead.created"]}),
            "url must be an HTTPS address",
        ),
        (
            json!({"url": URL, "events": ["lead.created"], "secret": "short"}),
            "secret must have at least 16 bytes",
        ),
        (
            json!({"url": URL, "events": ["lead.created"], "secret": "whsec_c2hvcnQgb25lIGhlcmU="}),
            "secret must be whsec_ and 24 to 64 bytes as Base64",
        ),
    ] {
        let answer = http.post("/api/webhooks", &body).await.expect(400);
        let expected = json!({"error": words, "code": "VALIDATION_ERROR", "status": 400});
        assert_eq!(answer, expected, "{body}");
    }
    let answer = server.http().get("/api/webhooks").await.expect(401);
    assert_eq!(answer["code"], "UNAUTHORIZED");
    for _ in 0..50 {
        create(&http, json!({"url": URL, "events": ["lead.created"]})).await;
    }
    let more = json!({"url": URL, "events": ["lead.created"]});
    let answer = http.post("/api/webhooks", &more).await.expect(400);
    assert_eq!(answer["error"], "A project has at most 50 webhooks");
}

/// Addresses inside the server's own network, however they are spelt.
#[tokio::test]
async fn only_public_addresses_are_taken() {
    let (_server, http) = client();
    let own = create(&http, json!({"url": URL, "events": ["lead.created"]})).await;
    for url in [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://0.0.0.0/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://0x7f000001/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[fd00::1]/",
        "https://10.0.0.1/",
        "https://192.168.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://user:secret@example.com/",
        "https://93.184.215.14:22/",
        "https://93.184.215.14:6379/",
        "file:///etc/passwd",
        "gopher://93.184.215.14/",
        "ftp://93.184.215.14/",
    ] {
        let body = json!({"url": url, "events": ["lead.created"]});
        let answer = http.post("/api/webhooks", &body).await.expect(400);
        assert_eq!(answer["code"], "VALIDATION_ERROR", "{url}");
        assert!(
            answer["error"].as_str().unwrap().starts_with("url must"),
            "{answer}"
        );
        let change = json!({"id": own["id"], "url": url});
        let answer = http.patch("/api/webhooks", &change).await.expect(400);
        assert!(
            answer["error"].as_str().unwrap().starts_with("url must"),
            "{answer}"
        );
    }
    let all = http.get("/api/webhooks").await.expect(200);
    assert_eq!(all.as_array().unwrap().len(), 1);
    assert_eq!(all[0]["url"], URL);
}

#[tokio::test]
async fn webhooks_are_changed() {
    let (_server, http) = client();
    let made = create(&http, json!({"url": URL, "events": ["lead.created"]})).await;
    let change = json!({
        "id": made["id"], "url": "https://93.184.215.14/other", "events": ["goal.reached"],
        "status": "disabled",
    });
    let changed = http.patch("/api/webhooks", &change).await.expect(200);
    assert_eq!(changed["url"], "https://93.184.215.14/other");
    assert_eq!(changed["events"], json!(["goal.reached"]));
    assert_eq!(changed["status"], "disabled");
    assert_eq!(changed.get("secret"), None);
    let again = json!({"id": made["id"], "status": "active"});
    let active = http.patch("/api/webhooks", &again).await.expect(200);
    assert_eq!(active["status"], "active");
    assert_eq!(active["events"], json!(["goal.reached"]));
    for change in [
        json!({"id": made["id"], "status": "gone"}),
        json!({"id": made["id"], "events": []}),
        json!({"id": made["id"], "createdAt": "2026-01-01T00:00:00Z", "status": null}),
    ] {
        assert_eq!(
            http.patch("/api/webhooks", &change).await.status,
            400,
            "{change}"
        );
    }
    let rotate = json!({"id": made["id"]});
    let rotated = http
        .post("/api/webhooks/rotate-secret", &rotate)
        .await
        .expect(200);
    assert_ne!(rotated["secret"], made["secret"]);
}

#[tokio::test]
async fn grpc_does_the_same() {
    let (server, http) = client();
    let key = http_key(&server);
    let mut client = WebhookServiceClient::new(grpc::with_key(&server.url, &key).await);
    let create = |url: &str| growth::CreateWebhookRequest {
        url: url.to_owned(),
        events: vec![growth::WebhookEvent::LeadCreated.into()],
        secret: String::new(),
    };
    let made = client
        .create_webhook(create(URL))
        .await
        .unwrap()
        .into_inner();
    assert!(made.webhook.unwrap().secret.unwrap().starts_with("whsec_"));
    let status = client
        .create_webhook(create("https://127.0.0.1/"))
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert_eq!(status.message(), "url must be a public address");
    assert_eq!(grpc::reason(&status), "VALIDATION_ERROR");
    let mut wrong = create(URL);
    wrong.events = vec![99];
    let status = client.create_webhook(wrong).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    let gone = growth::DeleteWebhookRequest {
        id: "wh_0".to_owned(),
    };
    let status = client.delete_webhook(gone).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    drop(http);
}

fn http_key(server: &Server) -> String {
    server.organization("Other").key
}
