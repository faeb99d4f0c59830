//! Undoing a migration destroys what is in its tables: nobody does it by mistake,
//! and the embedded database is kept.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use super::schema;
use crate::durability::files::column;
use crate::support::database::is_postgres;
use crate::support::skip::{program, skip};
use crate::support::{Organization, Server};

/// A database with an account in it that nobody serves.
fn stopped() -> (Server, Organization) {
    let mut server = Server::start();
    let organization = server.organization("Acme");
    server.terminate();
    (server, organization)
}

/// The copies beside the database.
fn copies(server: &Server) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(&server.data).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_copy = |path: &PathBuf| path.to_string_lossy().contains(".before-");
    paths.filter(is_copy).collect()
}

fn down(server: &Server, more: &[&str]) -> (Option<i32>, String) {
    let done = server.try_apex(&[&["migrate", "down", "--product"], more].concat());
    (done.status.code(), errors(&done))
}

fn errors(done: &Output) -> String {
    let errors = String::from_utf8_lossy(&done.stderr);
    let own = errors.lines().filter(|line| line.starts_with("apex: "));
    own.collect::<Vec<_>>().join("\n")
}

async fn members(server: &Server) -> Vec<String> {
    let connection = super::connect(&server.database_url()).await;
    let found = column(&connection, "SELECT email FROM account_user").await;
    connection.close().await.unwrap();
    found
}

#[tokio::test]
async fn nothing_is_undone_that_nobody_agreed_to() {
    let (server, organization) = stopped();
    let before = schema(&server.database_url()).await;
    let (code, told) = down(&server, &["account", "--steps", "4"]);
    assert_eq!(code, Some(2));
    let begins = "apex: undoing m0001_account, m0002_passwords, m0003_project_keys, m0004_grants \
                  of account destroys all that is in column disabled_at of api_key, \
                  table role_grant, column password_by of account_user, table request_count, ";
    assert!(told.starts_with(begins), "{told}");
    let ends = "table organization; go on with --yes";
    assert!(told.ends_with(ends), "{told}");
    for (more, says) in [
        (
            &["events", "--steps", "3"][..],
            "of events destroys all that is in table event_strip, table event_word; go on with --yes",
        ),
        (
            &["account", "--steps", "9", "--yes"],
            "--steps is 9, and 4 of the migrations of account are applied",
        ),
        (&["nothing", "--yes"], "there is no product `nothing`"),
    ] {
        let (code, told) = down(&server, more);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.ends_with(says), "{told}");
    }
    assert_eq!(down(&server, &["core", "--steps", "0", "--yes"]).0, Some(2));
    assert_eq!(schema(&server.database_url()).await, before);
    assert_eq!(members(&server).await, [organization.email]);
    assert_eq!(copies(&server), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn what_is_undone_is_kept() {
    let (mut server, organization) = stopped();
    let down = ["migrate", "down", "--product", "account", "--steps", "4"];
    let done = server.try_apex(&[&down[..], &["--yes", "--json"]].concat());
    assert_eq!(done.status.code(), Some(0));
    let steps: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let applied = steps.as_array().unwrap().iter();
    let applied = applied.filter(|step| step["product"] == "account" && step["applied"] == true);
    assert_eq!(applied.count(), 0);
    let errors = String::from_utf8_lossy(&done.stderr).into_owned();
    let copies = copies(&server);
    if is_postgres() {
        assert!(copies.is_empty(), "{copies:?}");
        return;
    }
    assert_eq!(copies.len(), 1);
    let kept = format!("the database before is kept as {}", copies[0].display());
    assert!(errors.lines().any(|line| line == kept), "{errors}");
    // It is put back whole.
    server.apex(&["restore", copies[0].to_str().unwrap()]);
    server.run();
    let me = server.http().bearer(&organization.key).get("/api/me").await;
    assert_eq!(me.status, 200);
}

#[tokio::test]
async fn on_a_terminal_it_asks() {
    let test = "on_a_terminal_it_asks";
    let Some(script) = program("script") else {
        return skip(test, "no script of util-linux");
    };
    let (server, _) = stopped();
    let before = schema(&server.database_url()).await;
    let own = server.command();
    let answered = |answer: &str| {
        let down = "migrate down --product core";
        let line = format!("{} {down}", own.get_program().display());
        let mut command = Command::new(&script);
        command.env_clear().args(["-qec", &line, "/dev/null"]);
        command.envs(
            own.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, answer.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        let shown = String::from_utf8_lossy(&done.stdout).into_owned();
        let asked = "undoing m0002_outbox of core destroys all that is in table outbox. \
                     Go on? Type yes:";
        assert!(shown.contains(asked), "{shown}");
        (done.status.code(), shown)
    };
    let (code, shown) = answered("no\n");
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("apex: nothing was undone"), "{shown}");
    assert_eq!(schema(&server.database_url()).await, before);
    let (code, shown) = answered("yes\n");
    assert_eq!(code, Some(0), "{shown}");
    assert_ne!(schema(&server.database_url()).await, before);
}
