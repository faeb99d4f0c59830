//! Secrets are shown once, by the answer that makes them.

use std::collections::BTreeSet;

use apex::policy::Auth;
use serde_json::json;

use crate::security::catalogue::{fields, served};
use crate::security::rest;
use crate::security::wire::Way;
use crate::security::world::World;

/// Members of answers that sound like secrets, and why they may be there.
const SOUNDS_SECRET: [(&str, &str, &str); 41] = [
    (
        "apex.paas.v1.CreateTokenResponse",
        "token",
        "once, in the answer that makes it",
    ),
    (
        "apex.paas.v1.CreateFirstTokenResponse",
        "token",
        "once, in the answer that makes it",
    ),
    (
        "apex.paas.v1.ListTokensResponse",
        "tokens",
        "a list of what is said of tokens",
    ),
    (
        "apex.paas.v1.Invitation",
        "token",
        "once, in the answer that makes it",
    ),
    (
        "apex.paas.v1.Database",
        "password",
        "to who may change the database, by the answers that make and read it",
    ),
    (
        "apex.paas.v1.EnvGroup.VariablesEntry",
        "key",
        "the name of a variable",
    ),
    (
        "apex.paas.v1.Source",
        "secret",
        "once, in the answer that makes it",
    ),
    (
        "apex.growth.v1.Webhook",
        "secret",
        "once, in the answer that makes it",
    ),
    (
        "apex.crm.v1.Webhook",
        "secret",
        "once, in the answer that makes it",
    ),
    (
        "apex.account.v1.Project",
        "key",
        "public: pages show it to everyone",
    ),
    (
        "apex.account.v1.ApiKey",
        "key",
        "once, in the answer that makes it",
    ),
    (
        "apex.account.v1.Member",
        "password",
        "once, when it was generated",
    ),
    (
        "apex.account.v1.ProvisionOrganizationResponse",
        "password",
        "once, when it was generated",
    ),
    (
        "apex.account.v1.ProvisionOrganizationResponse",
        "api_key",
        "once, when it was made",
    ),
    (
        "apex.account.v1.SetPasswordResponse",
        "password",
        "once, when it was generated",
    ),
    (
        "apex.account.v1.ListApiKeysResponse",
        "api_keys",
        "a list of what is said of keys",
    ),
    (
        "apex.account.v1.CreateApiKeyResponse",
        "api_key",
        "what is said of a key",
    ),
    (
        "apex.account.v1.UpdateApiKeyResponse",
        "api_key",
        "what is said of a key",
    ),
    (
        "apex.crm.v1.OwnApiKey",
        "key",
        "once, in the answer that makes it",
    ),
    ("apex.crm.v1.OwnApiKey", "key_id", "what a key is called"),
    (
        "apex.crm.v1.GetOwnApiKeyResponse",
        "own_api_key",
        "what is said of a key",
    ),
    (
        "apex.crm.v1.CreateOwnApiKeyResponse",
        "own_api_key",
        "what is said of a key",
    ),
    (
        "apex.crm.v1.UpdateOwnApiKeyResponse",
        "own_api_key",
        "what is said of a key",
    ),
    (
        "apex.crm.v1.DeleteOwnApiKeyResponse",
        "own_api_key",
        "what is said of a key",
    ),
    (
        "apex.crm.v1.AuditLogEntry",
        "api_key_id",
        "which key did it",
    ),
    (
        "apex.crm.v1.ActivityType",
        "icon_key",
        "the name of a picture",
    ),
    (
        "apex.crm.v1.ConversationMessage",
        "key",
        "the name of a message",
    ),
    (
        "apex.crm.v1.ConversationMessage",
        "s3_key",
        "where a file is",
    ),
    ("apex.crm.v1.ConversationFile", "key", "the name of a file"),
    ("apex.crm.v1.ConversationFile", "s3_key", "where a file is"),
    (
        "apex.crm.v1.UploadConversationFileResponse",
        "s3_key",
        "where a file is",
    ),
    (
        "apex.memory.v1.SignupResponse",
        "api_key",
        "once, when it was made",
    ),
    (
        "apex.memory.v1.RotateKeyResponse",
        "api_key",
        "once, when it was made",
    ),
    (
        "apex.memory.v1.QueryResponse",
        "tokens_used",
        "how long a text is",
    ),
    (
        "apex.memory.v1.QueryResponse",
        "token_budget",
        "how long a text may be",
    ),
    (
        "apex.memory.v1.GetContextResponse",
        "tokens_used",
        "how long a text is",
    ),
    (
        "apex.memory.v1.GetContextResponse",
        "token_budget",
        "how long a text may be",
    ),
    ("apex.growth.v1.Flag", "key", "the name of a flag"),
    ("apex.growth.v1.TopRow", "key", "what is counted"),
    (
        "apex.growth.v1.ServerEventsMetadata",
        "idempotency_key",
        "what the caller sent",
    ),
    (
        "apex.growth.v1.ServerEventsMetadata",
        "project_key",
        "the id of a project",
    ),
];

#[test]
fn nothing_in_an_answer_sounds_like_a_secret_without_a_reason() {
    let words = [
        "password",
        "secret",
        "hash",
        "salt",
        "token",
        "key",
        "credential",
        "private",
    ];
    let mut found = BTreeSet::new();
    for spec in served() {
        for (_, field) in fields(spec.output) {
            let is_group = field.full_name() == "apex.metrics.v1.Group.key";
            if !is_group && words.iter().any(|word| field.name().contains(word)) {
                let parent = field.parent_message().full_name().to_owned();
                found.insert((parent, field.name().to_owned()));
            }
        }
    }
    let known = SOUNDS_SECRET.iter();
    let known = known.map(|(message, field, _)| ((*message).to_owned(), (*field).to_owned()));
    assert_eq!(found, known.collect());
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    let world = World::start().await;
    let owner = &world.owner;
    let http = owner.http.with("idempotency-key", "one");
    let body = json!({"name": "Robot"});
    let made = http.post("/api/api-keys", &body).await.expect(200);
    let mut secrets = vec![made["key"].as_str().unwrap().to_owned()];
    // A repeat cannot show it again, and makes no other.
    let repeat = http.post("/api/api-keys", &body).await;
    assert_eq!(repeat.expect(409)["code"], "IDEMPOTENCY_KEY_REUSED");
    assert!(!repeat.text.contains(&secrets[0]));
    let members = format!("/api/organizations/{}/members", owner.organization.id);
    let added = owner
        .post(&members, json!({"email": "new@example.com"}))
        .await;
    secrets.push(added["password"].as_str().unwrap().to_owned());
    secrets.push(owner.organization.key.clone());
    let hook = json!({"url": "https://93.184.215.14/hook", "events": ["lead.created"]});
    let hook = http.post("/api/webhooks", &hook).await.expect(200);
    secrets.push(hook["secret"].as_str().unwrap().to_owned());
    let rotate = json!({"id": hook["id"]});
    let rotated = owner.post("/api/webhooks/rotate-secret", rotate).await;
    secrets.push(rotated["secret"].as_str().unwrap().to_owned());
    let events = ["contacts.created"];
    let own = json!({"url": "https://93.184.215.14/hook", "events": events});
    let hook = http.post("/webhooks", &own).await.expect(201);
    secrets.push(hook["secret"].as_str().unwrap().to_owned());
    let rotating = owner.http.with("x-service-method", "rotateSecret");
    let rotate = json!({"id": hook["id"]});
    let rotated = rotating.post("/webhooks", &rotate).await.expect(200);
    secrets.push(rotated["secret"].as_str().unwrap().to_owned());
    let mut shown = String::new();
    for spec in served().filter(|spec| spec.auth != Auth::Operator) {
        for binding in spec.bindings.iter().filter(|binding| binding.verb == "GET") {
            let path = rest::variables(spec).into_iter();
            let path = path.filter(|name| !name.contains('_'));
            let request = path.map(|name| (name, owner.organization.id.into()));
            let request = serde_json::Value::Object(request.collect());
            for caller in [&owner.key, &owner.session] {
                shown += &caller.call(spec, Way::Rest(binding), &request).await.text;
            }
        }
    }
    assert!(shown.contains("new@example.com"));
    for secret in &secrets {
        assert!(!shown.contains(secret), "{secret} is shown again");
        let body = &secret[secret.len() - 20..];
        assert!(!shown.contains(body), "{secret} is shown in part");
    }
    let kept = world.server.kept_bytes();
    let kept = String::from_utf8_lossy(&kept);
    for secret in &secrets {
        assert!(!kept.contains(secret), "a secret is kept in clear");
    }
    for hash in ["$argon2id", "token_hash", "password_hash"] {
        assert!(!shown.contains(hash), "{hash} is shown");
    }
}
