//! `apex organization`.

use serde_json::{Value, json};

use super::{nobody, with_password};
use crate::account::{names, session, sign_in};
use crate::support::Server;
use crate::support::server::PASSWORD;

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
    // Nor does it offer a set-up.
    assert!(!server.log().contains("one-time token"));
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
        json!({"id": 1, "email": "ada@example.com", "existed": true})
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
    assert!(!text.contains("existed"), "{text}");
    let text = server.apex(&[
        "organization",
        "create",
        "--name",
        "Four",
        "--email",
        "Eve@example.com",
    ]);
    let owner = text.lines().find(|line| line.starts_with("owner"));
    assert!(
        owner.is_some_and(|line| line.contains("eve@example.com (2)   (existed already")),
        "{text}"
    );
    assert_eq!(text.matches("(shown once)").count(), 1, "{text}");
}
