//! `apex project` and `apex user`.

use serde_json::json;

use super::fails;
use crate::account::{names, sign_in, with_session};
use crate::support::Server;

#[tokio::test]
async fn projects() {
    let server = Server::start();
    let own = server.organization("Acme");
    let made = server.apex_json(&[
        "project",
        "create",
        "--name",
        "Shop",
        "--timezone",
        "Europe/Berlin",
    ]);
    assert_eq!(
        names(&made),
        ["id", "name", "key", "timezone", "allowed_origins"]
    );
    assert_eq!(made["timezone"], "Europe/Berlin");
    let listed = server.apex_json(&["project", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[0]["id"], own.project);
    assert_eq!(listed[1], made);
    let id = made["id"].as_str().unwrap();
    let rotated = server.apex_json(&["project", "rotate-key", id]);
    assert_ne!(rotated["key"], made["key"]);
    let by_key = server.http().bearer(&own.key);
    let seen = by_key.get("/api/projects").await.expect(200);
    assert_eq!(seen[1]["key"], rotated["key"]);
    let deleted = server.apex_json(&["project", "delete", id]);
    assert_eq!(deleted, json!({"id": id, "deleted": true}));
    fails(&server, &["project", "delete", id], 1, "Project not found");
    fails(
        &server,
        &["project", "create", "--name", "x", "--timezone", "Mars"],
        1,
        "timezone",
    );
    let table = server.apex(&["project", "list"]);
    assert_eq!(table.lines().count(), 2, "{table}");
}

#[tokio::test]
async fn users() {
    let server = Server::start();
    let own = server.organization("Acme");
    let add = [
        "user",
        "add",
        "--email",
        "Bob@example.com",
        "--role",
        "admin",
    ];
    let made = server.apex_json(&add);
    assert_eq!(names(&made), ["id", "email", "password"]);
    assert_eq!(made["email"], "bob@example.com");
    let password = made["password"].as_str().unwrap();
    let http = with_session(
        &server,
        &sign_in(&server.http(), "bob@example.com", password).await,
    );
    let me = http.get("/api/me").await.expect(200);
    assert_eq!(me["organization"]["role"], "admin");
    fails(&server, &add, 1, "a member already");
    let users = server.apex_json(&["user", "list"]);
    let expected = json!([
        {"id": 1, "email": own.email, "name": own.email, "disabled": false},
        {"id": 2, "email": "bob@example.com", "name": "bob@example.com", "disabled": false},
    ]);
    assert_eq!(users, expected);
    let set = server.apex_json(&["user", "set-password", "bob@example.com"]);
    assert_eq!(names(&set), ["email", "password"]);
    let password = set["password"].as_str().unwrap();
    assert_eq!(http.get("/api/me").await.status, 401);
    assert_eq!(
        sign_in(&server.http(), "bob@example.com", password)
            .await
            .status,
        200
    );
    let disabled = server.apex_json(&["user", "disable", "bob@example.com"]);
    assert_eq!(disabled["disabled"], true);
    assert_eq!(
        sign_in(&server.http(), "bob@example.com", password)
            .await
            .status,
        401
    );
    let enabled = server.apex_json(&["user", "enable", "BOB@example.com"]);
    assert_eq!(enabled, expected[1]);
    assert_eq!(
        sign_in(&server.http(), "bob@example.com", password)
            .await
            .status,
        200
    );
    for command in ["set-password", "disable", "enable"] {
        let unknown = ["user", command, "nobody@example.com"];
        fails(&server, &unknown, 1, "There is no user with this e-mail");
    }
}
