//! API keys: never more than their maker may do, and over when they say or when
//! somebody says so.

use std::time::Duration;

use apex::api::apex::account::v1 as pb;
use pb::api_key_service_client::ApiKeyServiceClient;
use serde_json::{Value, json};
use tonic::Code;

use super::{is_time, key, member, refused, session, until};
use crate::support::{Http, Organization, Server, grpc};

pub const INVALID: &str = "Invalid API key";

pub async fn owner() -> (Server, Organization, Http) {
    let server = Server::start();
    let own = server.organization("Acme");
    let http = session(&server, &own.email).await;
    (server, own, http)
}

pub fn path(key: &Value) -> String {
    format!("/api/api-keys/{}", key["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_key_grants_no_more_than_it_has() {
    let (server, _, http) = owner().await;
    let scopes = json!(["account.read", "account.write", "metrics.read"]);
    let (some, made) = key(&http, &server, json!({"name": "some", "scopes": scopes})).await;
    let create = async |scopes: Value| {
        some.post("/api/api-keys", &json!({"name": "k", "scopes": scopes}))
            .await
    };
    for beyond in ["*", "metrics.write"] {
        let message = format!("This API key cannot grant {beyond}");
        let answer = create(json!(["metrics.read", beyond])).await;
        refused(&answer, 403, "FORBIDDEN", &message);
        // Neither does it widen a key, itself least of all.
        let answer = some.patch(&path(&made), &json!({"scopes": [beyond]})).await;
        refused(&answer, 403, "FORBIDDEN", &message);
    }
    let answer = create(json!(["metrics.read"])).await.expect(200);
    assert_eq!(answer["scopes"], json!(["metrics.read"]));
    // By default, everything it may do itself, and no more.
    let made = some.post("/api/api-keys", &json!({"name": "k"})).await;
    assert_eq!(made.expect(200)["scopes"], scopes);
    let answer = create(json!([])).await;
    refused(&answer, 400, "VALIDATION_ERROR", "scopes must not be empty");
    let (all, _) = key(&http, &server, json!({"name": "all"})).await;
    let body = json!({"name": "k", "scopes": ["metrics.write"]});
    let made = all.post("/api/api-keys", &body).await;
    assert_eq!(made.expect(200)["scopes"], json!(["metrics.write"]));
    let made = all.post("/api/api-keys", &json!({"name": "k"})).await;
    assert_eq!(made.expect(200)["scopes"], json!(["*"]));
}

#[tokio::test]
async fn what_is_not_valid_is_named() {
    let (_server, own, http) = owner().await;
    let keys = http.get("/api/api-keys").await.expect(200);
    let one = path(&keys[0]);
    for (body, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": "  "}), "name"),
        (
            json!({"name": "k", "scopes": ["metrics"]}),
            "scopes[0] is no scope",
        ),
        (
            json!({"name": "k", "scopes": ["metrics.delete"]}),
            "scopes[0] is no scope",
        ),
        (
            json!({"name": "k", "scopes": ["nothing.read"]}),
            "scopes[0] is no scope",
        ),
        (
            json!({"name": "k", "scopes": ["metrics.read *"]}),
            "is no scope",
        ),
        (json!({"name": "k", "scopes": "*"}), "scopes"),
        (
            json!({"name": "k", "expiresAt": "2020-01-01T00:00:00Z"}),
            "expiresAt must be in the future",
        ),
        (json!({"name": "k", "expiresAt": "tomorrow"}), "expiresAt"),
        (json!({"name": "k", "userId": 2}), "userId"),
        (json!({"name": "k", "key": "apex_key_mine"}), "key"),
    ] {
        for answer in [
            http.post("/api/api-keys", &body).await,
            http.patch(&one, &body).await,
        ] {
            let json = answer.expect(400);
            assert_eq!(json["code"], "VALIDATION_ERROR");
            assert!(
                json["error"].as_str().unwrap().contains(field),
                "{body}: {json}"
            );
        }
    }
    let moved = json!({"projectId": own.project});
    assert_eq!(
        http.patch(&one, &moved).await.status,
        400,
        "a key stays where it is"
    );
    assert_eq!(http.get("/api/api-keys").await.expect(200), keys);
}

#[tokio::test]
async fn expiry() {
    let (server, _, http) = owner().await;
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3);
    let body = json!({"name": "k", "expiresAt": soon.to_string()});
    let (short, _) = key(&http, &server, body.clone()).await;
    let (kept, made) = key(&http, &server, body).await;
    assert_eq!(short.get("/api/me").await.status, 200);
    // Null takes the end away.
    let answer = http.patch(&path(&made), &json!({"expiresAt": null})).await;
    assert_eq!(answer.expect(200)["expiresAt"], Value::Null);
    let over = until(401, Duration::from_secs(8), async || {
        short.get("/api/me").await
    })
    .await;
    refused(&over, 401, "UNAUTHORIZED", INVALID);
    assert!(jiff::Timestamp::now() >= soon, "not before it says");
    assert_eq!(kept.get("/api/me").await.status, 200);
}

#[tokio::test]
async fn revocation() {
    let (server, own, http) = owner().await;
    let (revoked, made) = key(&http, &server, json!({"name": "k"})).await;
    assert_eq!(revoked.get("/api/me").await.status, 200);
    let token = made["key"].as_str().unwrap();
    let mut over_grpc = grpc::projects(&server.url, token).await;
    over_grpc
        .list_projects(pb::ListProjectsRequest {})
        .await
        .unwrap();
    let answer = http.delete(&path(&made)).await;
    assert_eq!(answer.expect(200), json!({"success": true}));
    let promised = Duration::from_secs(5);
    let over = until(401, promised, async || revoked.get("/api/me").await).await;
    refused(&over, 401, "UNAUTHORIZED", INVALID);
    let request = pb::ListProjectsRequest {};
    let status = over_grpc.list_projects(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(grpc::reason(&status), "UNAUTHORIZED");
    for answer in [
        http.delete(&path(&made)).await,
        http.patch(&path(&made), &json!({"name": "x"})).await,
    ] {
        refused(&answer, 404, "NOT_FOUND", "API key not found");
    }
    // Another organization's key is not there to be revoked.
    let foreign = server.organization("Foreign");
    let theirs = server.http().bearer(&foreign.key);
    let keys = theirs.get("/api/api-keys").await.expect(200);
    for answer in [
        http.delete(&path(&keys[0])).await,
        http.patch(&path(&keys[0]), &json!({"scopes": ["metrics.read"]}))
            .await,
    ] {
        refused(&answer, 404, "NOT_FOUND", "API key not found");
    }
    assert_eq!(theirs.get("/api/me").await.status, 200);
    assert_eq!(
        server.http().bearer(&own.key).get("/api/me").await.status,
        200
    );
}

#[tokio::test]
async fn last_used() {
    let (server, _, http) = owner().await;
    let (used, made) = key(&http, &server, json!({"name": "k"})).await;
    let last = async || {
        let keys = http.get("/api/api-keys").await.expect(200);
        let mut all = keys.as_array().unwrap().clone().into_iter();
        all.find(|key| key["id"] == made["id"]).unwrap()["lastUsedAt"].clone()
    };
    assert_eq!(last().await, Value::Null);
    used.get("/api/me").await.expect(200);
    let first = last().await;
    is_time(&first);
    // A change of the key does not forget it, nor does a restart.
    http.patch(&path(&made), &json!({"name": "l"}))
        .await
        .expect(200);
    assert_eq!(last().await, first);
    let mut server = server;
    assert_eq!(server.terminate(), Some(0));
    server.run();
    let keys = server.apex_json(&["key", "list"]);
    let found = keys
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["id"] == made["id"]);
    let again: jiff::Timestamp = found.unwrap()["last_used_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(again, first.as_str().unwrap().parse().unwrap());
}

#[tokio::test]
async fn a_key_that_reads() {
    let (server, own, http) = owner().await;
    let (reads, made) = key(
        &http,
        &server,
        json!({"name": "k", "scopes": ["account.read"]}),
    )
    .await;
    assert_eq!(reads.get("/api/api-keys").await.status, 200);
    let lacks = "The API key lacks the scope account.write";
    let organization = format!("/api/organizations/{}", own.id);
    let project = format!("/api/projects/{}", own.project);
    let body = json!({"name": "x", "email": "x@example.com", "role": "viewer"});
    for answer in [
        reads.patch(&organization, &body).await,
        reads.post(&format!("{organization}/members"), &body).await,
        reads
            .patch(&format!("{organization}/members/1"), &body)
            .await,
        reads.delete(&format!("{organization}/members/1")).await,
        reads.post("/api/projects", &body).await,
        reads.patch(&project, &body).await,
        reads.delete(&project).await,
        reads
            .post(&format!("{project}/rotate-key"), &json!({}))
            .await,
        reads.post("/api/api-keys", &body).await,
        reads.patch(&path(&made), &body).await,
        reads.delete(&path(&made)).await,
    ] {
        refused(&answer, 403, "FORBIDDEN", lacks);
    }
    // What writes does not read, and other products' scopes do neither.
    let (writes, _) = key(
        &http,
        &server,
        json!({"name": "k", "scopes": ["account.write"]}),
    )
    .await;
    let answer = writes.get("/api/projects").await;
    refused(
        &answer,
        403,
        "FORBIDDEN",
        "The API key lacks the scope account.read",
    );
    let token = made["key"].as_str().unwrap();
    let mut client = ApiKeyServiceClient::new(grpc::with_key(&server.url, token).await);
    client
        .list_api_keys(pb::ListApiKeysRequest::default())
        .await
        .unwrap();
    let request = pb::CreateApiKeyRequest {
        name: "k".to_owned(),
        ..Default::default()
    };
    let status = client.create_api_key(request).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(grpc::reason(&status), "FORBIDDEN");
}

/// An admin who was given an owner's narrow key may revoke it, but not widen what
/// it can do in the owner's name.
#[tokio::test]
async fn nobody_widens_a_greater_ones_key() {
    let (server, own, http) = owner().await;
    let body = json!({"name": "sends", "scopes": ["metrics.write"]});
    let (_, owners) = key(&http, &server, body).await;
    let (admin, _) = member(&http, &server, own.id, "admin").await;
    let (by_key, admins) = key(&admin, &server, json!({"name": "k"})).await;
    let wide = json!({"scopes": ["*"]});
    for http in [&admin, &by_key] {
        let answer = http.patch(&path(&owners), &wide).await;
        refused(&answer, 403, "FORBIDDEN", "Your role does not allow this");
        let longer = json!({"expiresAt": null});
        let answer = http.patch(&path(&owners), &longer).await;
        refused(&answer, 403, "FORBIDDEN", "Your role does not allow this");
        let answer = http.patch(&path(&owners), &json!({"name": "sender"})).await;
        assert_eq!(answer.expect(200)["scopes"], json!(["metrics.write"]));
        http.patch(&path(&admins), &wide).await.expect(200);
    }
    admin.delete(&path(&owners)).await.expect(200);
}
