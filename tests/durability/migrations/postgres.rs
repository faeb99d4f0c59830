//! On PostgreSQL a lock of the test's own holds a migration at a chosen statement,
//! where it is killed.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait as _, DatabaseConnection, TransactionTrait as _};

use super::{refused, schema, serves, undisturbed};
use crate::durability::files::{column, connect};
use crate::support::seed::{Random, setting};
use crate::support::skip::elsewhere;
use crate::support::{Server, database};

/// What holds a migration, and where.
const POINTS: [(&str, &str); 5] = [
    (
        "before the first statement",
        "CREATE TABLE idempotency (x INT)",
    ),
    (
        "after the first product",
        "CREATE TABLE organization (x INT)",
    ),
    (
        "in the middle of a product",
        "CREATE TABLE event_visitor (x INT)",
    ),
    ("at its last statement", "CREATE TABLE event_rollup (x INT)"),
    (
        "at the row of its version",
        "LOCK TABLE migration_events IN SHARE MODE",
    ),
];

fn migrate(server: &Server) -> Child {
    let mut command = server.command();
    command.args(["migrate", "up"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Waits until a statement of the program waits for a lock.
async fn held(connection: &DatabaseConnection) {
    let sql = "SELECT pid::text FROM pg_stat_activity WHERE application_name = 'apex' \
               AND datname = current_database() AND wait_event_type = 'Lock'";
    let deadline = Instant::now() + Duration::from_secs(30);
    while column(connection, sql).await.is_empty() {
        assert!(Instant::now() < deadline, "nothing waits for the lock");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_migration_killed_at_any_statement_is_completed() {
    if !database::is_postgres() {
        return elsewhere(
            "a_migration_killed_at_any_statement",
            "it needs PostgreSQL's locks",
        );
    }
    let expected = undisturbed().await;
    for (place, statement) in POINTS {
        let mut server = Server::stopped(&[]);
        if statement.contains("migration_events") {
            // The table must be there to be locked.
            server.apex(&["migrate", "up"]);
            server.apex(&["migrate", "down", "--product", "events", "--yes"]);
        }
        let watch = connect(&server.database_url()).await;
        let lock = watch.begin().await.unwrap();
        lock.execute_unprepared(statement).await.unwrap();
        let aside = connect(&server.database_url()).await;
        let mut first = migrate(&server);
        held(&aside).await;
        // Nobody serves meanwhile.
        refused(&server.try_apex(&["serve"]), "run `apex migrate up`");
        first.kill().unwrap();
        first.wait().unwrap();
        // Somebody else tries at once, while the first one's statement may still
        // be waiting.
        let mut second = migrate(&server);
        lock.rollback().await.unwrap();
        assert!(second.wait().unwrap().success(), "{place}");
        watch.close().await.unwrap();
        aside.close().await.unwrap();
        assert_eq!(schema(&server.database_url()).await, expected, "{place}");
        serves(&mut server, &expected).await;
    }
}

#[tokio::test]
async fn migrations_killed_at_any_time_and_at_once_are_completed() {
    let test = "migrations_killed_at_any_time_and_at_once_are_completed";
    if !database::is_postgres() {
        return elsewhere(test, "a data directory has one owner");
    }
    let mut random = Random::new(test);
    let expected = undisturbed().await;
    for _ in 0..setting("ROUNDS", 3) * 2 {
        let mut server = Server::stopped(&[]);
        let mut killed = migrate(&server);
        let mut others = [migrate(&server), migrate(&server)];
        tokio::time::sleep(Duration::from_millis(random.below(150))).await;
        killed.kill().unwrap();
        killed.wait().unwrap();
        for other in &mut others {
            assert!(other.wait().unwrap().success());
        }
        serves(&mut server, &expected).await;
    }
}
