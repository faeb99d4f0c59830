//! A migration that is killed: the next start completes it, or refuses with one
//! clear line, and nothing is ever served on half a schema.

mod down;
mod postgres;
mod sqlite;

use std::process::Output;

use sea_orm::ConnectionTrait as _;
use serde_json::json;

use super::files::{column, connect};
use super::stored;
use crate::support::{Server, database};

const PRODUCTS: [&str; 3] = ["core", "account", "events"];

/// A database's tables, columns and indexes, and what is noted as applied.
async fn schema(url: &str) -> Vec<String> {
    let connection = connect(url).await;
    let queries = match url.starts_with("postgres") {
        false => vec!["SELECT name || ': ' || COALESCE(sql, '') FROM sqlite_master ORDER BY 1"],
        true => vec![
            "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable \
             FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1",
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
        ],
    };
    let mut found = Vec::new();
    for query in queries {
        found.extend(column(&connection, query).await);
    }
    for product in PRODUCTS {
        let query = format!("SELECT version FROM migration_{product} ORDER BY 1");
        let applied = column(&connection, &query).await.into_iter();
        found.extend(applied.map(|version| format!("{product} {version}")));
    }
    connection.close().await.unwrap();
    found
}

/// The schema nobody disturbed.
async fn undisturbed() -> Vec<String> {
    let mut server = Server::start();
    server.kill();
    schema(&server.database_url()).await
}

/// A server on what is left serves everything.
async fn serves(server: &mut Server, expected: &[String]) {
    server.run();
    let key = server.organization("Acme").key;
    let http = server.http().bearer(&key);
    let event = json!({"event_name": "a", "event_id": "a"});
    http.post("/api/v1/events", &event).await.expect(200);
    assert_eq!(stored::events(&server.url, &key).await.len(), 1);
    server.kill();
    assert_eq!(schema(&server.database_url()).await, expected);
}

/// One line that says why, and nothing else that counts.
#[track_caller]
fn refused(done: &Output, says: &str) {
    let errors = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1), "{errors}");
    assert!(done.stdout.is_empty(), "it says that it listens");
    let own: Vec<_> = errors
        .lines()
        .filter(|line| line.starts_with("apex: "))
        .collect();
    assert_eq!(own.len(), 1, "{errors}");
    assert_eq!(errors.lines().last(), Some(own[0]), "{errors}");
    assert!(own[0].contains(says), "{errors}");
}

/// Notes a migration as applied that this version does not know.
pub async fn add_later_migration(url: &str, product: &str) {
    let connection = connect(url).await;
    let sql =
        format!("INSERT INTO migration_{product} (version, applied_at) VALUES ('m9999_later', 1)");
    connection.execute_unprepared(&sql).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn an_older_program_refuses_a_newer_schema() {
    for product in PRODUCTS {
        let mut server = Server::start();
        server.organization("Acme");
        server.kill();
        let url = server.database_url();
        add_later_migration(&url, product).await;
        let before = schema(&url).await;
        let says = format!("the database schema of {product} is newer than this version of apex");
        for arguments in [
            &["serve"][..],
            &["migrate", "up"],
            &["migrate", "down", "--product", product],
            &["migrate", "status"],
            &[
                "organization",
                "create",
                "--name",
                "B",
                "--email",
                "b@example.com",
            ],
        ] {
            refused(&server.try_apex(arguments), &says);
        }
        assert_eq!(schema(&url).await, before);
    }
}

#[tokio::test]
async fn an_older_program_changes_nothing_before_it_refuses() {
    let mut server = Server::start();
    server.kill();
    let url = server.database_url();
    server.apex(&["migrate", "down", "--product", "core", "--yes"]);
    add_later_migration(&url, "events").await;
    let before = schema(&url).await;
    refused(
        &server.try_apex(&["migrate", "up"]),
        "of events is newer than this version",
    );
    assert_eq!(schema(&url).await, before);
}

#[tokio::test]
async fn a_schema_that_is_behind_is_completed_or_refused() {
    let expected = undisturbed().await;
    for product in PRODUCTS {
        let mut server = Server::start();
        server.kill();
        server.apex(&["migrate", "down", "--product", product, "--yes"]);
        if database::is_postgres() {
            let says = format!("of {product} is not applied; run `apex migrate up`");
            refused(&server.try_apex(&["serve"]), &says);
            server.apex(&["migrate", "up"]);
        }
        serves(&mut server, &expected).await;
    }
}
