//! Secrets of the configuration: in the environment and in the file, right and
//! wrong. No command prints them, whatever it has to complain about.

use std::process::Output;

use serde_json::json;

use super::canaries::Canaries;
use crate::security::world::World;
use crate::support::Server;
use crate::support::database::is_postgres;

/// Everything a program printed.
fn printed(done: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&done.stdout) + &text(&done.stderr)
}

#[tokio::test]
async fn settings_in_use_are_shown_nowhere() {
    let mut canaries = Canaries::new();
    println!("seed: {}", canaries.seed());
    let names = [
        "APEX_SECRET_KEY",
        "APEX_SECRET_KEY_PREVIOUS",
        "APEX_METRICS_TOKEN",
        "APEX_EMBEDDING_API_KEY",
        "APEX_SOMETHING_OF_SOMEBODY_ELSE",
        "AWS_SECRET_ACCESS_KEY",
    ];
    let words = names.map(|name| canaries.word(name) + "-and-some-more-bytes");
    let mut settings: Vec<(&str, &str)> = vec![("APEX_LOG", "trace")];
    settings.extend(names.into_iter().zip(words.iter().map(String::as_str)));
    let world = World::with(&settings).await;
    let http = &world.owner.http;
    http.post("/api/projects", &json!({"name": "x"}))
        .await
        .expect(200);
    let keyed = http.with("idempotency-key", "x");
    keyed
        .post("/api/projects", &json!({"name": "y"}))
        .await
        .expect(200);
    let wrong = world.server.http().bearer(&words[2]);
    let told = [
        ("the log", world.server.log()),
        ("/metrics", wrong.get("/metrics").await.text),
        ("/docs", wrong.get("/docs").await.text),
        ("an answer", format!("{:?}", wrong.get("/api/me").await)),
        (
            "check-config",
            printed(&world.server.try_apex(&["check-config"])),
        ),
        (
            "check-config as JSON",
            printed(&world.server.try_apex(&["check-config", "--json"])),
        ),
        (
            "key list",
            printed(
                &world
                    .server
                    .try_apex(&["key", "list", "--organization", "101"]),
            ),
        ),
    ];
    let found = told
        .iter()
        .flat_map(|(what, text)| canaries.found(what, text));
    let found: Vec<String> = found.collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    // A process's environment is its own: nothing is handed on to what it keeps.
    let kept = world.server.kept_bytes();
    let kept = String::from_utf8_lossy(&kept);
    assert!(canaries.found("the data directory", &kept).is_empty());
}

#[test]
fn settings_that_are_wrong_are_not_quoted() {
    let mut canaries = Canaries::new();
    println!("seed: {}", canaries.seed());
    let server = Server::stopped(&[]);
    std::fs::create_dir_all(&server.data).unwrap();
    let secret = canaries.word("a setting");
    let forms = [
        ("APEX_SECRET_KEY", secret.clone()),
        ("APEX_SECRET_KEY_PREVIOUS", format!("{secret},{secret}")),
        (
            "APEX_DATABASE_URL",
            format!("mysql://user:{secret}@host/db"),
        ),
        ("APEX_DATABASE_URL", format!("user:{secret}@host/db")),
        (
            "APEX_DATABASE_URL",
            format!("postgres://user:{secret}@127.0.0.1:1/db"),
        ),
        (
            "APEX_DATABASE_URL",
            format!("postgres://user:{secret}@127.0.0.1:99999/db"),
        ),
        (
            "APEX_DATABASE_URL",
            format!("postgres://127.0.0.1:1/db?password={secret}"),
        ),
        (
            "APEX_DATABASE_URL",
            format!("postgres://user:{secret}@[/db"),
        ),
        ("APEX_REDIS_URL", format!("redis://:{secret}@127.0.0.1:1")),
        (
            "APEX_CLICKHOUSE_URL",
            format!("http://user:{secret}@127.0.0.1:1"),
        ),
    ];
    let mut found = Vec::new();
    for (name, value) in forms {
        for arguments in [&["serve"][..], &["migrate", "status"], &["check-config"]] {
            let mut command = server.command();
            command
                .args(arguments)
                .env("APEX_LOG", "trace")
                .env(name, &value);
            if name != "APEX_SECRET_KEY" {
                command.env("APEX_SECRET_KEY", "x".repeat(40));
            }
            // What is right after all would serve for ever.
            if arguments == ["serve"] && name == "APEX_REDIS_URL" {
                continue;
            }
            let done = command.output().unwrap();
            let served = done.status.success() && arguments == ["serve"];
            assert!(!served, "{name} {value} is right");
            found.extend(canaries.found(&format!("{name} in {arguments:?}"), &printed(&done)));
        }
    }
    let files = [
        format!("secret_key = \"{secret}\" junk"),
        format!("secret_key = \"{secret}"),
        format!("secret_key = {secret}"),
        format!("secret_key = [\"{secret}\"]"),
        format!("[secret_key]\nx = \"{secret}\""),
        format!("metrics_token = '{secret}'\nmetrics_token = '{secret}'"),
        format!("database_url = \"postgres://user:{secret}@host/db\"\nlisten = 1"),
        format!("secret_keyy = \"{secret}\""),
    ];
    for (at, text) in files.iter().enumerate() {
        let path = server.data.join(format!("{at}.toml"));
        std::fs::write(&path, text).unwrap();
        let mut command = server.command();
        command.arg("--config").arg(&path).arg("check-config");
        let done = command.output().unwrap();
        assert_eq!(done.status.code(), Some(78), "{text}: {}", printed(&done));
        found.extend(canaries.found(&format!("`{text}`"), &printed(&done)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A password in the URL of a database that answers.
#[test]
fn a_database_password_is_not_logged() {
    if !is_postgres() {
        return;
    }
    let mut canaries = Canaries::new();
    let server = Server::start();
    let word = canaries.word("the password");
    let url = server
        .database_url()
        .replace("postgres@", &format!("postgres:{word}@"));
    assert!(url.contains(&word), "{url}");
    let mut command = server.command();
    command
        .env("APEX_DATABASE_URL", url)
        .env("APEX_LOG", "trace");
    let done = command.args(["migrate", "status"]).output().unwrap();
    assert!(done.status.success(), "{}", printed(&done));
    assert!(canaries.found("its output", &printed(&done)).is_empty());
}
