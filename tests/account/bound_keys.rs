//! A key of one project sees, makes and changes that project's things and nothing
//! else of its organization.

use apex::api::apex::account::v1 as pb;
use pb::api_key_service_client::ApiKeyServiceClient;
use serde_json::{Value, json};
use tonic::Code;

use super::{key, refused, session};
use crate::support::{Http, Organization, Server, grpc};

struct Scene {
    server: Server,
    own: Organization,
    owner: Http,
    /// Id of another project of the organization.
    other: String,
    /// With the bound key.
    bound: Http,
    /// The bound key, a key of the other project, a key of no project.
    keys: [Value; 3],
}

async fn scene() -> Scene {
    let server = Server::start();
    let own = server.organization("Acme");
    let owner = session(&server, &own.email).await;
    let body = json!({"name": "Other"});
    let other = owner.post("/api/projects", &body).await.expect(200);
    let other = other["id"].as_str().unwrap().to_owned();
    let body = |project: Option<&str>| json!({"name": "k", "projectId": project});
    let (bound, mine) = key(&owner, &server, body(Some(&own.project))).await;
    let (_, theirs) = key(&owner, &server, body(Some(&other))).await;
    let (_, wide) = key(&owner, &server, body(None)).await;
    Scene {
        server,
        own,
        owner,
        other,
        bound,
        keys: [mine, theirs, wide],
    }
}

fn path(key: &Value) -> String {
    format!("/api/api-keys/{}", key["id"].as_str().unwrap())
}

fn ids(keys: &Value) -> Vec<&str> {
    let keys = keys.as_array().unwrap().iter();
    keys.map(|key| key["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn keys_of_other_projects_are_not_there() {
    let scene = scene().await;
    let [mine, theirs, wide] = &scene.keys;
    let listed = scene.bound.get("/api/api-keys").await.expect(200);
    assert_eq!(ids(&listed), [mine["id"].as_str().unwrap()]);
    for foreign in [theirs, wide] {
        for answer in [
            scene
                .bound
                .patch(&path(foreign), &json!({"name": "x"}))
                .await,
            scene
                .bound
                .patch(&path(foreign), &json!({"scopes": ["*"]}))
                .await,
            scene.bound.delete(&path(foreign)).await,
        ] {
            refused(&answer, 404, "NOT_FOUND", "API key not found");
        }
        let token = foreign["key"].as_str().unwrap();
        let still = scene.server.http().bearer(token);
        assert_eq!(still.get("/api/me").await.status, 200);
    }
    let all = scene.owner.get("/api/api-keys").await.expect(200);
    // The three, and the one the organization was made with.
    assert_eq!(all.as_array().unwrap().len(), 4);
    assert!(all.as_array().unwrap().iter().all(|key| key["name"] != "x"));

    // With its own it does what any key may.
    let renamed = scene
        .bound
        .patch(&path(mine), &json!({"name": "mine"}))
        .await;
    assert_eq!(renamed.expect(200)["projectId"], scene.own.project);
    scene.bound.delete(&path(mine)).await.expect(200);
    let over = scene.bound.get("/api/api-keys").await;
    refused(&over, 401, "UNAUTHORIZED", "Invalid API key");
}

#[tokio::test]
async fn it_makes_keys_of_its_own_project() {
    let scene = scene().await;
    let Scene { own, bound, .. } = &scene;
    for body in [
        json!({"name": "k"}),
        json!({"name": "k", "projectId": null}),
        json!({"name": "k", "projectId": own.project}),
    ] {
        let made = bound.post("/api/api-keys", &body).await.expect(200);
        assert_eq!(made["projectId"], own.project);
    }
    for project in [scene.other.as_str(), "prj_nothing"] {
        let body = json!({"name": "k", "projectId": project});
        let answer = bound.post("/api/api-keys", &body).await;
        refused(&answer, 404, "NOT_FOUND", "Project not found");
    }
    let listed = bound.get("/api/api-keys").await.expect(200);
    assert_eq!(listed.as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn it_knows_of_one_project() {
    let scene = scene().await;
    let Scene {
        own, bound, other, ..
    } = &scene;
    let me = bound.get("/api/me").await.expect(200);
    assert_eq!(me["project"]["id"], own.project);
    let projects = bound.get("/api/projects").await.expect(200);
    assert_eq!(ids(&projects), [own.project.as_str()]);
    let named = bound.with("x-project", other).get("/api/me").await;
    refused(&named, 404, "NOT_FOUND", "Project not found");
    let theirs = format!("/api/projects/{other}");
    for answer in [
        bound.patch(&theirs, &json!({"name": "x"})).await,
        bound.delete(&theirs).await,
        bound
            .post(&format!("{theirs}/rotate-key"), &json!({}))
            .await,
    ] {
        refused(&answer, 404, "NOT_FOUND", "Project not found");
    }
    let mine = format!("/api/projects/{}", own.project);
    let answer = bound.patch(&mine, &json!({"name": "Mine"})).await;
    assert_eq!(answer.expect(200)["name"], "Mine");
}

/// Otherwise it would make itself a user who may do everything.
#[tokio::test]
async fn it_does_not_manage_the_organization() {
    let scene = scene().await;
    let organization = format!("/api/organizations/{}", scene.own.id);
    let members = format!("{organization}/members");
    let body = json!({"name": "x", "email": "x@example.com", "role": "owner"});
    for answer in [
        scene
            .bound
            .post("/api/projects", &json!({"name": "x"}))
            .await,
        scene
            .bound
            .patch(&organization, &json!({"name": "x"}))
            .await,
        scene.bound.post(&members, &body).await,
        scene
            .bound
            .patch(&format!("{members}/1"), &json!({"role": "owner"}))
            .await,
        scene.bound.delete(&format!("{members}/1")).await,
    ] {
        refused(
            &answer,
            403,
            "FORBIDDEN",
            "The API key is for one project only",
        );
    }
    assert_eq!(
        scene.bound.get(&organization).await.expect(200)["name"],
        "Acme"
    );
    assert_eq!(scene.bound.get(&members).await.status, 200);
}

#[tokio::test]
async fn over_grpc() {
    let scene = scene().await;
    let [mine, theirs, _] = &scene.keys;
    let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
    let calls = grpc::with_key(&scene.server.url, &text(mine, "key")).await;
    let mut client = ApiKeyServiceClient::new(calls);
    let request = pb::ListApiKeysRequest::default();
    let listed = client.list_api_keys(request).await.unwrap().into_inner();
    assert_eq!(listed.api_keys.len(), 1);
    assert_eq!(listed.api_keys[0].id, text(mine, "id"));
    assert_eq!(listed.api_keys[0].key, None);
    let request = pb::DeleteApiKeyRequest {
        id: text(theirs, "id"),
    };
    let status = client.delete_api_key(request).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(grpc::reason(&status), "NOT_FOUND");
}
