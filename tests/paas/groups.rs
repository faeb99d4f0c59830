//! Environment groups: what changes, who it reaches, and that values are kept sealed.

use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};

use super::{Platform, example};
use crate::support::Server;

async fn group(http: &crate::support::Http, name: &str, variables: Value) -> String {
    let body = json!({"name": name, "variables": variables});
    let made = http.post("/api/env-groups", &body).await.expect(200);
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn later_groups_win_and_changes_reach_services() {
    let platform = Platform::start();
    let http = &platform.http;
    let own = platform.running(example()).await;
    let id = own["id"].as_str().unwrap();
    let first = group(http, "first", json!({"A": "1", "B": "1"})).await;
    let second = group(http, "second", json!({"B": "2", "C": "2"})).await;
    for group in [&first, &second] {
        let path = format!("/api/services/{id}/attach-group/{group}");
        http.post(&path, &json!({})).await.expect(200);
    }
    let env = |wanted: Value| {
        let platform = &platform;
        async move {
            let deadline = std::time::Instant::now() + super::PATIENCE;
            loop {
                let running = platform.engine.running();
                if running.len() == 2 && running.iter().all(|own| own["Env"] == wanted) {
                    return;
                }
                assert!(std::time::Instant::now() < deadline, "{running:?}");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    };
    env(json!(["A=1", "B=2", "C=2", "NODE_ENV=production"])).await;
    let path = format!("/api/env-groups/{second}");
    let change = json!({"variables": {"B": "3"}, "remove": ["C"]});
    let changed = http.patch(&path, &change).await.expect(200);
    assert_eq!(changed["redeploying"], json!([id]));
    assert_eq!(changed["envGroup"]["variables"], json!({"B": "********"}));
    env(json!(["A=1", "B=3", "NODE_ENV=production"])).await;
    // A new name changes nothing that runs.
    let renamed = http
        .patch(&path, &json!({"name": "third"}))
        .await
        .expect(200);
    assert_eq!(renamed["redeploying"], json!([]));
    let path = format!("/api/services/{id}/attach-group/{second}");
    assert_eq!(http.delete(&path).await.expect(200)["redeploying"], true);
    env(json!(["A=1", "B=1", "NODE_ENV=production"])).await;
    assert_eq!(http.delete(&path).await.status, 404);
    let gone = http
        .delete(&format!("/api/env-groups/{first}"))
        .await
        .expect(200);
    assert_eq!(gone["redeploying"], json!([id]));
    env(json!(["NODE_ENV=production"])).await;
}

#[tokio::test]
async fn names_are_checked_and_taken_once() {
    let server = Server::start();
    let http = server.http().bearer(&server.organization("Acme").key);
    group(&http, "own", json!({})).await;
    for (body, words) in [
        (
            json!({"name": "own"}),
            "name is taken by another environment group",
        ),
        (
            json!({"name": "a\nb"}),
            "name must be text without control characters",
        ),
        (json!({"name": "x", "variables": {"1A": "v"}}), "variables"),
        (
            json!({"name": "x", "variables": {"A": "v\0"}}),
            "variables.A",
        ),
    ] {
        let told = http.post("/api/env-groups", &body).await.expect(400);
        assert!(told["error"].as_str().unwrap().contains(words), "{told}");
    }
}

/// Values are in no file of the server's, and one record's are of no use in another's place.
#[tokio::test]
async fn values_are_sealed_for_their_place() {
    let platform = Platform::start();
    let http = &platform.http;
    let canary = "canary-5f1c0a9e";
    let first = group(http, "first", json!({"SECRET": canary})).await;
    let second = group(http, "second", json!({"SECRET": "another"})).await;
    let body = json!({"name": "own", "image": "nginx", "env": {"OWN": canary}});
    let own = platform.running(body).await;
    let path = format!(
        "/api/services/{}/attach-group/{first}",
        own["id"].as_str().unwrap()
    );
    http.post(&path, &json!({})).await.expect(200);
    let kept = platform.server.kept_bytes();
    assert!(!String::from_utf8_lossy(&kept).contains(canary));
    assert!(!platform.server.log().contains(canary));
    for path in [
        "/api/services",
        "/api/env-groups",
        "/api/env-groups?project=x",
    ] {
        assert!(!http.get(path).await.text.contains(canary), "{path}");
    }
    let connection = Database::connect(platform.server.database_url())
        .await
        .unwrap();
    let swap = format!(
        "UPDATE paas_env_group SET variables = \
         (SELECT variables FROM paas_env_group WHERE id = '{first}') WHERE id = '{second}'"
    );
    connection.execute_unprepared(&swap).await.unwrap();
    let change = json!({"variables": {"MORE": "x"}});
    let told = http
        .patch(&format!("/api/env-groups/{second}"), &change)
        .await;
    assert_eq!(told.expect(500)["error"], "Internal server error");
}

/// A new key seals what is written from then on; the one before still opens the rest.
#[tokio::test]
async fn keys_are_rotated() {
    let (old, new) = ("the first key ".repeat(3), "the second key ".repeat(3));
    let mut platform = Platform::with(&[("APEX_SECRET_KEY", &old)]);
    let http = platform.http.clone();
    let own = platform.running(example()).await;
    let id = own["id"].as_str().unwrap().to_owned();
    let group = group(&http, "own", json!({"API_KEY": "secret123"})).await;
    let attach = format!("/api/services/{id}/attach-group/{group}");
    http.post(&attach, &json!({})).await.expect(200);
    platform
        .becomes(&own["id"], |now| {
            now["currentDeploymentId"] != own["currentDeploymentId"]
        })
        .await;
    platform.server.terminate();
    platform.server.set("APEX_SECRET_KEY", &new);
    // Without the key before nothing could be opened, and it does not even begin.
    let refused = platform.server.try_apex(&["serve"]);
    assert_eq!(refused.status.code(), Some(78));
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(told.contains("were sealed with another key"), "{told}");
    platform.server.set("APEX_SECRET_KEY_PREVIOUS", &old);
    platform.server.run();
    let key = own_key(&platform.server);
    platform.http = platform.server.http().bearer(&key);
    let http = &platform.http;
    let before = http.get(&format!("/api/services/{id}")).await.expect(200);
    let change = json!({"variables": {"MORE": "x"}});
    let path = format!("/api/env-groups/{group}");
    http.patch(&path, &change).await.expect(200);
    let now = platform
        .becomes(&own["id"], |now| {
            now["currentDeploymentId"] != before["currentDeploymentId"]
        })
        .await;
    let said = platform.visit(&now).await;
    let wanted = json!(["API_KEY=secret123", "MORE=x", "NODE_ENV=production"]);
    assert_eq!(said["env"], wanted);
}

fn own_key(server: &Server) -> String {
    let id = server.apex_json(&["key", "create", "--organization", "101", "--name", "t"]);
    id["key"].as_str().unwrap().to_owned()
}
