//! Projects and their public keys, and how a call chooses among several.

use serde_json::{Value, json};

use super::{key, refused, session};
use crate::support::{Http, Organization, Server, grpc};

const NOT_THERE: &str = "Project not found";

async fn owner() -> (Server, Organization, Http) {
    let server = Server::start();
    let own = server.organization("Acme");
    let http = session(&server, &own.email).await;
    (server, own, http)
}

/// Makes a project; answers its id and public key.
async fn project(http: &Http, name: &str) -> (String, String) {
    let made = http
        .post("/api/projects", &json!({"name": name}))
        .await
        .expect(200);
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

#[tokio::test]
async fn what_is_not_valid_is_named() {
    let (_server, own, http) = owner().await;
    let path = format!("/api/projects/{}", own.project);
    let origins = vec!["https://a.example"; 101];
    for (body, message) in [
        (json!({"name": ""}), "name is required"),
        (
            json!({"name": "x".repeat(201)}),
            "name must have at most 200 bytes",
        ),
        (
            json!({"name": "x", "timezone": "Mars/Olympus"}),
            "timezone must be an IANA name such as Europe/Berlin",
        ),
        (
            json!({"name": "x", "allowedOrigins": ["example.com"]}),
            "allowedOrigins[0] is no origin such as https://example.com",
        ),
        (
            json!({"name": "x", "allowedOrigins": ["https://example.com/"]}),
            "allowedOrigins[0] is no origin such as https://example.com",
        ),
        (json!({"name": "x", "allowedOrigins": origins}), ""),
        (json!({"name": "x", "consentMode": "perhaps"}), ""),
        (json!({"name": "x", "key": "pk_live_chosen"}), ""),
        (json!({"name": "x", "organizationId": 102}), ""),
    ] {
        for answer in [
            http.post("/api/projects", &body).await,
            http.patch(&path, &body).await,
        ] {
            let json = answer.expect(400);
            assert_eq!(json["code"], "VALIDATION_ERROR");
            if !message.is_empty() {
                assert_eq!(json["error"], message);
            }
        }
    }
    let listed = http.get("/api/projects").await.expect(200);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["name"], "Default");
}

#[tokio::test]
async fn a_change_changes_what_was_sent() {
    let (_server, own, http) = owner().await;
    let path = format!("/api/projects/{}", own.project);
    let mut expected = http.get("/api/projects").await.expect(200)[0].clone();
    for (name, value) in [
        ("name", json!("Shop")),
        ("timezone", json!("America/New_York")),
        ("allowedOrigins", json!(["https://shop.example.com"])),
        ("consentMode", json!("required")),
        ("allowedOrigins", json!([])),
    ] {
        let mut body = json!({});
        body[name] = value.clone();
        expected[name] = value;
        assert_eq!(http.patch(&path, &body).await.expect(200), expected);
        assert_eq!(
            http.get("/api/projects").await.expect(200),
            json!([expected])
        );
    }
    assert_eq!(http.patch(&path, &json!({})).await.expect(200), expected);
}

#[tokio::test]
async fn rotation_refuses_the_old_key() {
    let (server, own, http) = owner().await;
    project(&http, "Second").await;
    let by_key = server.http().bearer(&own.key);
    let chosen = async |name: &str| {
        let answer = by_key.with("x-project", name).get("/api/me").await;
        (answer.status, answer.json()["project"]["id"].clone())
    };
    let first = (200, json!(own.project));
    assert_eq!(chosen(&own.project_key).await, first);
    let path = format!("/api/projects/{}/rotate-key", own.project);
    let rotated = http.post(&path, &json!({})).await.expect(200);
    let new = rotated["key"].as_str().unwrap();
    assert!(new.starts_with("pk_live_") && new != own.project_key);
    assert_eq!(chosen(new).await, first);
    assert_eq!(chosen(&own.project_key).await, (404, Value::Null));
    assert_eq!(chosen(&own.project).await, first);
    // Of several rotations at once one key is current afterwards.
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (http, path) = (http.clone(), path.clone());
        tasks.spawn(async move { http.post(&path, &json!({})).await.expect(200) });
    }
    let mut current = Vec::new();
    for answer in tasks.join_all().await {
        let key = answer["key"].as_str().unwrap().to_owned();
        if chosen(&key).await == first {
            current.push(key);
        }
    }
    let listed = http.get("/api/projects").await.expect(200);
    assert_eq!(current, [listed[0]["key"].as_str().unwrap()]);
}

#[tokio::test]
async fn a_project_that_is_deleted_is_gone() {
    let (server, own, http) = owner().await;
    let (id, public) = project(&http, "Shop").await;
    let (bound, made) = key(&http, &server, json!({"name": "k", "projectId": id})).await;
    assert_eq!(bound.get("/api/me").await.expect(200)["project"]["id"], id);
    let path = format!("/api/projects/{id}");
    http.delete(&path).await.expect(200);
    refused(
        &bound.get("/api/me").await,
        401,
        "UNAUTHORIZED",
        "Invalid API key",
    );
    for answer in [
        http.delete(&path).await,
        http.patch(&path, &json!({"name": "x"})).await,
        http.post(&format!("{path}/rotate-key"), &json!({})).await,
        http.with("x-project", &id).get("/api/me").await,
        http.with("x-project", &public).get("/api/me").await,
        http.post("/api/api-keys", &json!({"name": "k", "projectId": id}))
            .await,
    ] {
        refused(&answer, 404, "NOT_FOUND", NOT_THERE);
    }
    // Its keys went with it; they do not look like keys for every project.
    let keys = http.get("/api/api-keys").await.expect(200);
    let gone = made["id"].as_str().unwrap();
    assert!(keys.as_array().unwrap().iter().all(|key| key["id"] != gone));
    let me = http.get("/api/me").await.expect(200);
    assert_eq!(me["project"]["id"], own.project);
}

#[tokio::test]
async fn a_call_chooses_among_several() {
    let (server, own, http) = owner().await;
    let foreign = server.organization("Foreign");
    let (second, public) = project(&http, "Second").await;
    let by_key = server.http().bearer(&own.key);
    for http in [&http, &by_key] {
        // With several, none is meant until one is named.
        let me = http.get("/api/me").await.expect(200);
        assert_eq!(me["project"], Value::Null);
        for header in ["x-project", "x-apex-project"] {
            for (name, id) in [
                (&own.project, &own.project),
                (&own.project_key, &own.project),
                (&second, &second),
                (&public, &second),
            ] {
                let me = http.with(header, name).get("/api/me").await.expect(200);
                assert_eq!(me["project"]["id"], id.as_str());
            }
            for other in [&foreign.project, &foreign.project_key, "prj_x", ""] {
                let answer = http.with(header, other).get("/api/me").await;
                refused(&answer, 404, "NOT_FOUND", NOT_THERE);
            }
        }
    }
    // By path, another's project is not there either.
    let path = format!("/api/projects/{}", foreign.project);
    for answer in [
        http.patch(&path, &json!({"name": "x"})).await,
        http.delete(&path).await,
        http.post(&format!("{path}/rotate-key"), &json!({})).await,
    ] {
        refused(&answer, 404, "NOT_FOUND", NOT_THERE);
    }
    let untouched = server.http().bearer(&foreign.key);
    let listed = untouched.get("/api/projects").await.expect(200);
    assert_eq!(listed[0]["key"], foreign.project_key);
}

#[tokio::test]
async fn over_grpc() {
    use apex::api::apex::account::v1 as pb;
    let (server, own, http) = owner().await;
    let foreign = server.organization("Foreign");
    let mut client = grpc::projects(&server.url, &own.key).await;
    let request = pb::CreateProjectRequest {
        name: "Shop".to_owned(),
        ..Default::default()
    };
    let made = client.create_project(request).await.unwrap().into_inner();
    let made = made.project.unwrap();
    assert_eq!(made.consent_mode(), pb::ConsentMode::Off);
    let listed = http.get("/api/projects").await.expect(200);
    assert_eq!(listed[1]["id"], made.id);
    assert_eq!(listed[1]["key"], made.key);
    let wrong = pb::CreateProjectRequest {
        name: "x".to_owned(),
        timezone: "Mars".to_owned(),
        ..Default::default()
    };
    let status = client.create_project(wrong).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert_eq!(grpc::reason(&status), "VALIDATION_ERROR");
    let request = pb::RotateProjectKeyRequest {
        id: foreign.project,
    };
    let status = client.rotate_project_key(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    let request = pb::DeleteProjectRequest { id: made.id };
    let answer = client.delete_project(request).await.unwrap().into_inner();
    assert!(answer.success);
}
