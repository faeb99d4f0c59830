//! Webhooks of the CRM: they are told of changes, by whom, once, signed, and not of
//! their own if they like.

mod deliveries;

use apex::api::apex::crm::v1 as crm;
use apex::api::apex::crm::v1::record_webhook_service_client::RecordWebhookServiceClient;
use serde_json::json;
use tonic::Code;

use super::{client, make, put};
use crate::support::grpc;

/// A public address, which nothing is sent to while nothing happens.
const URL: &str = "https://93.184.215.14/h";

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
