//! `apex key`.

use serde_json::{Value, json};

use super::{fails, nobody};
use crate::account::names;
use crate::support::Server;

/// Makes a key and lists it; answers what was said of it. The same with a server
/// and without.
fn make_a_key(server: &Server) -> Value {
    let create = ["key", "create", "--name", "k"];
    fails(server, &create, 1, "there is no organization yet");
    let own = server.organization("Acme");
    let text = server.apex(&create);
    assert!(text.contains("(shown once)"), "{text}");
    let created = [
        &create[..3],
        &[
            "Reports",
            "--scopes",
            "metrics.read,account.read",
            "--project",
        ],
        &[&own.project, "--expires-at", "2999-01-01T00:00:00Z"],
    ];
    let made = server.apex_json(&created.concat());
    let mut members = vec!["id", "name", "prefix", "scopes", "project_id", "user_id"];
    members.extend(["created_at", "expires_at", "last_used_at"]);
    assert_eq!(names(&made), [&members[..], &["key"]].concat());
    assert_eq!(made["scopes"], json!(["metrics.read", "account.read"]));
    assert_eq!(made["project_id"], own.project);
    assert_eq!(made["expires_at"], "2999-01-01T00:00:00Z");
    let listed = server.apex_json(&["key", "list"]);
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!(listed[0]["name"], "Default");
    assert_eq!(listed[0]["scopes"], json!(["*"]));
    assert_eq!(names(&listed[2]), members);
    let table = server.apex(&["key", "list"]);
    let heading = table.lines().next().unwrap();
    let heading: Vec<_> = heading
        .split("  ")
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(heading, ["ID", "PREFIX", "NAME", "SCOPES", "LAST USED"]);
    assert!(!table.contains(made["key"].as_str().unwrap()));
    made
}

#[tokio::test]
async fn keys_beside_a_running_server() {
    let server = Server::start();
    let made = make_a_key(&server);
    let key = server.http().bearer(made["key"].as_str().unwrap());
    assert_eq!(key.get("/api/me").await.status, 200);
    let id = made["id"].as_str().unwrap();
    let revoked = server.apex_json(&["key", "revoke", id]);
    assert_eq!(revoked, json!({"id": id, "revoked": true}));
    assert_eq!(key.get("/api/me").await.status, 401);
    fails(&server, &["key", "revoke", id], 1, "API key not found");
}

#[tokio::test]
async fn keys_on_a_new_data_directory() {
    let mut server = nobody();
    let made = make_a_key(&server);
    let key = made["key"].as_str().unwrap();
    server.run();
    let me = server.http().bearer(key).get("/api/me").await;
    assert_eq!(me.status, 200);
    assert_eq!(server.terminate(), Some(0));
    let id = made["id"].as_str().unwrap();
    let text = server.apex(&["key", "revoke", id]);
    assert_eq!(text, format!("revoked {id}\n"));
    server.run();
    let me = server.http().bearer(key).get("/api/me").await;
    assert_eq!(me.status, 401);
}

/// Ids are unique: with several organizations too, one is enough.
#[tokio::test]
async fn an_id_alone_among_organizations() {
    let server = Server::start();
    let organizations = ["Acme", "Other"].map(|name| server.organization(name));
    for (own, other) in [(0, 1), (1, 0)] {
        let made = server.key(&organizations[own], "account.read");
        let key = server.http().bearer(made["key"].as_str().unwrap());
        assert_eq!(key.get("/api/me").await.status, 200);
        let id = made["id"].as_str().unwrap();
        // In another organization it is not there.
        let elsewhere = organizations[other].id.to_string();
        let wrong = ["key", "revoke", id, "--organization", &elsewhere];
        fails(&server, &wrong, 1, "API key not found");
        assert_eq!(key.get("/api/me").await.status, 200);
        let text = server.apex(&["key", "revoke", id]);
        assert_eq!(text, format!("revoked {id}\n"));
        assert_eq!(key.get("/api/me").await.status, 401);
        fails(&server, &["key", "revoke", id], 1, "API key not found");
    }
    let [first, second] = &organizations;
    let rotated = server.apex_json(&["project", "rotate-key", &second.project]);
    assert_eq!(rotated["id"], second.project.as_str());
    assert_ne!(rotated["key"], second.project_key.as_str());
    let wrong = [
        "project",
        "delete",
        &second.project,
        "--organization",
        &first.id.to_string(),
    ];
    fails(&server, &wrong, 1, "Project not found");
    server.apex(&["project", "delete", &second.project]);
    let left = server.apex_json(&["project", "list", "--organization", &first.id.to_string()]);
    assert_eq!(left[0]["id"], first.project.as_str());
}
