//! `apex organization`, `key`, `project` and `user`: beside a running server and
//! on a data directory nobody serves, and what their exit codes say.

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use super::{names, session, sign_in, with_session};
use crate::support::Server;
use crate::support::database::is_postgres;
use crate::support::server::PASSWORD;

/// A server's data directory that nobody serves and nothing was ever in.
fn nobody() -> Server {
    let server = Server::stopped(&[]);
    if is_postgres() {
        server.apex(&["migrate", "up"]);
    }
    server
}

#[track_caller]
fn fails(server: &Server, arguments: &[&str], code: i32, says: &str) {
    failed(&server.try_apex(arguments), code, says);
}

#[track_caller]
fn failed(done: &Output, code: i32, says: &str) {
    let errors = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(code), "{errors}");
    assert!(errors.contains(says), "{errors}");
    assert!(done.stdout.is_empty(), "results only go to standard output");
}

/// Runs a command that reads a password.
fn with_password(server: &Server, arguments: &[&str], password: &str) -> Output {
    let mut command = server.command();
    command.args(arguments).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(password.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

const CREATE: [&str; 4] = ["organization", "create", "--name", "Acme"];

fn is_id(value: &Value, prefix: &str) -> bool {
    value.as_str().is_some_and(|id| id.starts_with(prefix))
}

#[tokio::test]
async fn an_organization_on_a_new_data_directory() {
    let mut server = nobody();
    let create = [&CREATE[..], &["--email", "Ada@Example.com"]].concat();
    let made = server.apex_json(&create);
    let keys = ["organization_id", "owner", "project", "api_key"];
    assert_eq!(names(&made), keys);
    assert_eq!(names(&made["owner"]), ["id", "email", "password"]);
    assert_eq!(names(&made["project"]), ["id", "key"]);
    assert_eq!(made["organization_id"], 101);
    assert_eq!(made["owner"]["id"], 1);
    assert_eq!(made["owner"]["email"], "ada@example.com");
    assert!(is_id(&made["project"]["id"], "prj_"));
    assert!(is_id(&made["project"]["key"], "pk_live_"));
    assert!(is_id(&made["api_key"], "apex_key_"));
    // The server that is started on it afterwards knows all of it.
    server.run();
    let by_key = server.http().bearer(made["api_key"].as_str().unwrap());
    let me = by_key.get("/api/me").await.expect(200);
    assert_eq!(me["project"]["key"], made["project"]["key"]);
    assert_eq!(me["organization"]["plan"], "scale");
    let password = made["owner"]["password"].as_str().unwrap();
    let answer = sign_in(&server.http(), "ada@example.com", password).await;
    assert_eq!(answer.status, 200);
    assert!(
        !server.log().contains("one-time token")
            || server.log().matches("one-time token").count() == 1
    );
}

#[tokio::test]
async fn an_organization_beside_a_running_server() {
    let server = Server::start();
    let create = [
        &CREATE[..],
        &[
            "--email",
            "ada@example.com",
            "--plan",
            "trial",
            "--password-stdin",
            "--json",
        ],
    ]
    .concat();
    let done = with_password(&server, &create, &format!("{PASSWORD}\r\n"));
    assert_eq!(done.status.code(), Some(0));
    let made: Value = serde_json::from_slice(&done.stdout).unwrap();
    // The password only when it was generated.
    assert_eq!(names(&made["owner"]), ["id", "email"]);
    let http = session(&server, "ada@example.com").await;
    let me = http.get("/api/me").await.expect(200);
    assert_eq!(me["organization"]["plan"], "trial");
    // A second organization of the same owner; nothing of the owner's changes.
    let create = [
        "organization",
        "create",
        "--name",
        "Two",
        "--email",
        "ADA@example.com",
    ];
    let second = server.apex_json(&create);
    assert_eq!(
        second["owner"],
        json!({"id": 1, "email": "ada@example.com"})
    );
    assert_eq!(second["organization_id"], 102);
    assert_eq!(
        sign_in(&server.http(), "ada@example.com", PASSWORD)
            .await
            .status,
        200
    );
    let listed = server.apex_json(&["organization", "list"]);
    let expected = json!([
        {"id": 101, "name": "Acme", "plan": "trial"},
        {"id": 102, "name": "Two", "plan": "scale"},
    ]);
    assert_eq!(listed, expected);
    let table = server.apex(&["organization", "list"]);
    assert_eq!(
        table,
        "ID   NAME  PLAN\n101  Acme  trial\n102  Two   scale\n"
    );
    let text = server.apex(&[
        "organization",
        "create",
        "--name",
        "Three",
        "--email",
        "eve@example.com",
    ]);
    let words: Vec<_> = text
        .lines()
        .map(|line| line.split("  ").next().unwrap())
        .collect();
    let expected = [
        "organization",
        "owner",
        "password",
        "project",
        "project key",
        "API key",
    ];
    assert_eq!(words, expected, "{text}");
    assert_eq!(text.matches("(shown once)").count(), 2);
}

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

#[test]
fn exit_codes() {
    let server = Server::start();
    server.organization("Acme");
    server.organization("Other");
    // 1: it could not be done.
    let create = |email| ["organization", "create", "--name", "x", "--email", email];
    fails(&server, &create("nobody"), 1, "email is not valid");
    let key = [
        "key",
        "create",
        "--organization",
        "101",
        "--name",
        "k",
        "--scopes",
    ];
    fails(
        &server,
        &[&key[..], &["nothing.read"]].concat(),
        1,
        "is no scope",
    );
    for command in [
        &["key", "list"][..],
        &["key", "create", "--name", "k"],
        &["key", "revoke", "key_x"],
        &["project", "list"],
        &["project", "create", "--name", "x"],
        &["user", "add", "--email", "x@example.com"],
    ] {
        let unknown = [command, &["--organization", "999"]].concat();
        fails(&server, &unknown, 1, "Organization not found");
        // 2: it was asked for wrongly.
        fails(
            &server,
            command,
            2,
            "name one of them with --organization: 101 (Acme), 102 (Other)",
        );
    }
    let stdin = [&create("x@example.com")[..], &["--password-stdin"]].concat();
    failed(
        &with_password(&server, &stdin, "short\n"),
        1,
        "password must have 8 to 1024 bytes",
    );
    failed(
        &with_password(&server, &stdin, "\n"),
        2,
        "standard input holds no password",
    );
    let plan = [&create("x@example.com")[..], &["--plan", "free"]].concat();
    fails(&server, &plan, 2, "trial, starter, scale");
    fails(
        &server,
        &["organization", "create", "--name", "x"],
        2,
        "--email",
    );
    fails(&server, &["key", "create"], 2, "--name");
    fails(
        &server,
        &["key", "create", "--name", "k", "--expires-at", "soon"],
        2,
        "--expires-at",
    );
    fails(
        &server,
        &["user", "add", "--email", "x@example.com", "--role", "king"],
        2,
        "viewer, member, admin, owner",
    );
    // 78: the configuration is wrong.
    let mut command = server.command();
    command.args(["key", "list"]).env("APEX_SIGNUP", "ajar");
    failed(&command.output().unwrap(), 78, "signup");
    fails(
        &server,
        &["--config", "/nothing.toml", "key", "list"],
        78,
        "/nothing.toml",
    );
    // Nothing of all this made anything.
    let users = server.apex_json(&["user", "list"]);
    assert_eq!(users.as_array().unwrap().len(), 2);
}
