//! What a change must not do quietly: widen a key, pass over a name it does not
//! know, take null for a value, or word one fault in two ways.

use apex::api::apex::account::v1 as pb;
use pb::api_key_service_client::ApiKeyServiceClient;
use pb::organization_service_client::OrganizationServiceClient;
use prost_types::FieldMask;
use serde_json::{Value, json};
use tonic::Code;

use super::keys::{owner, path};
use super::{key, refused};
use crate::support::grpc;

fn mask(path: &str) -> Option<FieldMask> {
    Some(FieldMask {
        paths: vec![path.to_owned()],
    })
}

#[track_caller]
fn invalid(status: &tonic::Status, says: &str) {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert_eq!(grpc::reason(status), "VALIDATION_ERROR");
    assert_eq!(status.message(), says);
}

#[tokio::test]
async fn no_scopes_are_not_all_scopes() {
    let (server, own, http) = owner().await;
    let narrow = json!(["metrics.write"]);
    let (_, made) = key(&http, &server, json!({"name": "k", "scopes": narrow})).await;
    let empty = "scopes must not be empty";
    let listed = async || {
        let keys = http.get("/api/api-keys").await.expect(200);
        let shown = |key: &Value| [key["name"].clone(), key["scopes"].clone()];
        keys.as_array()
            .unwrap()
            .iter()
            .map(shown)
            .collect::<Vec<_>>()
    };
    let before = listed().await;
    for scopes in [json!([]), Value::Null] {
        for answer in [
            http.patch(&path(&made), &json!({"scopes": scopes})).await,
            http.post("/api/api-keys", &json!({"name": "n", "scopes": scopes}))
                .await,
        ] {
            refused(&answer, 400, "VALIDATION_ERROR", empty);
        }
    }
    let body = json!({"updateMask": "scopes", "name": "renamed"});
    let answer = http.patch(&path(&made), &body).await;
    refused(&answer, 400, "VALIDATION_ERROR", empty);
    let calls = grpc::with_key(&server.url, &own.key).await;
    let mut client = ApiKeyServiceClient::new(calls);
    let request = pb::UpdateApiKeyRequest {
        id: made["id"].as_str().unwrap().to_owned(),
        update_mask: mask("scopes"),
        ..Default::default()
    };
    invalid(&client.update_api_key(request).await.unwrap_err(), empty);
    assert_eq!(listed().await, before);
    // Left out they are everything, of a new key. A message cannot say otherwise.
    let (_, made) = key(&http, &server, json!({"name": "all"})).await;
    assert_eq!(made["scopes"], json!(["*"]));
    let request = pb::CreateApiKeyRequest {
        name: "all".to_owned(),
        ..Default::default()
    };
    let made = client.create_api_key(request).await.unwrap().into_inner();
    assert_eq!(made.api_key.unwrap().scopes, ["*"]);
}

#[tokio::test]
async fn a_mask_names_members() {
    let (server, own, http) = owner().await;
    let keys = http.get("/api/api-keys").await.expect(200);
    let organization = format!("/api/organizations/{}", own.id);
    let project = format!("/api/projects/{}", own.project);
    let words = |name: &str| format!("updateMask names `{name}`, which is no member to change");
    for path in [&organization, &project, &path(&keys[0])] {
        for (named, wrong) in [
            ("nope", "nope"),
            ("name,createdAt", "createdAt"),
            ("id", "id"),
            ("updateMask", "updateMask"),
            ("name.first", "name.first"),
        ] {
            let body = json!({"name": "x", "updateMask": named});
            let answer = http.patch(path, &body).await;
            refused(&answer, 400, "VALIDATION_ERROR", &words(wrong));
        }
        // The id may be said again, and what is sent is changed.
        let id = path.rsplit('/').next().unwrap();
        let id = id.parse::<i64>().map_or(json!(id), |number| json!(number));
        let body = json!({"id": id, "name": "Renamed"});
        let changed = http.patch(path, &body).await.expect(200);
        assert_eq!(changed["name"], "Renamed");
    }
    let calls = grpc::with_key(&server.url, &own.key).await;
    let request = pb::UpdateOrganizationRequest {
        id: own.id,
        name: "x".to_owned(),
        update_mask: mask("nope"),
        ..Default::default()
    };
    let mut client = OrganizationServiceClient::new(calls);
    let status = client.update_organization(request).await.unwrap_err();
    invalid(&status, &words("nope"));
    let organization = http.get(&organization).await.expect(200);
    assert_eq!(organization["name"], "Renamed");
}

#[tokio::test]
async fn null_is_no_value() {
    let (server, own, http) = owner().await;
    let organization = format!("/api/organizations/{}", own.id);
    let project = format!("/api/projects/{}", own.project);
    let before = [
        http.get(&organization).await.text,
        http.get("/api/projects").await.text,
    ];
    for (path, body, says) in [
        (&organization, json!({"name": null}), "name is required"),
        (
            &organization,
            json!({"plan": null}),
            "plan must be one of trial, starter, scale",
        ),
        (&project, json!({"name": null}), "name is required"),
        (
            &project,
            json!({"timezone": null}),
            "timezone must be an IANA name such as Europe/Berlin",
        ),
        (
            &project,
            json!({"consentMode": null}),
            "consentMode must be one of off, required",
        ),
    ] {
        let answer = http.patch(path, &body).await;
        refused(&answer, 400, "VALIDATION_ERROR", says);
    }
    let mut client = grpc::projects(&server.url, &own.key).await;
    let request = pb::UpdateProjectRequest {
        id: own.project.clone(),
        update_mask: mask("consent_mode"),
        ..Default::default()
    };
    let status = client.update_project(request).await.unwrap_err();
    invalid(&status, "consentMode must be one of off, required");
    let after = [
        http.get(&organization).await.text,
        http.get("/api/projects").await.text,
    ];
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_number_nobody_knows_is_refused_as_a_word_is() {
    let (_server, own, http) = owner().await;
    let organization = format!("/api/organizations/{}", own.id);
    let project = format!("/api/projects/{}", own.project);
    let member = format!("{organization}/members/1");
    for (path, field, says) in [
        (&organization, "plan", "one of trial, starter, scale"),
        (&member, "role", "one of viewer, member, admin, owner"),
        (&project, "consentMode", "one of off, required"),
    ] {
        let message = format!("{field} must be {says}");
        for wrong in [json!(99), json!(-1), json!("king")] {
            let mut body = json!({});
            body[field] = wrong;
            let answer = http.patch(path, &body).await;
            refused(&answer, 400, "VALIDATION_ERROR", &message);
        }
    }
}
