//! The embedded database is killed at chosen writes to its files, which strace
//! counts, and at random moments.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{schema, serves, undisturbed};
use crate::durability::traced::{self, Traced, spread};
use crate::support::seed::{Random, setting};
use crate::support::skip::elsewhere;
use crate::support::{Server, database};

#[tokio::test]
async fn a_migration_killed_at_any_write_is_completed() {
    let test = "a_migration_killed_at_any_write_is_completed";
    if database::is_postgres() {
        return elsewhere(test, "it is about files");
    }
    if !traced::is_possible(test) {
        return;
    }
    let expected = undisturbed().await;
    let command = &["migrate", "up"];
    // How a file is synced depends on how SQLite was built.
    let names = ["pwrite64", "fsync", "fdatasync"];
    let calls = Traced(&Server::stopped(&[]), command).calls(&names);
    assert!(calls.values().sum::<u64>() > 10, "{calls:?}");
    for (name, last) in calls {
        let points = spread(last, setting("POINTS", 10));
        let mut killed = 0;
        for point in &points {
            let mut server = Server::stopped(&[]);
            killed += usize::from(Traced(&server, command).kill_at(name, *point));
            serves(&mut server, &expected).await;
        }
        println!("{name}: killed at {killed} of {last} calls");
        // The last calls are made only if the process is in no hurry to end.
        assert!(2 * killed > points.len());
    }
}

#[tokio::test]
async fn a_first_start_killed_at_any_time_is_completed() {
    let test = "a_first_start_killed_at_any_time_is_completed";
    if database::is_postgres() {
        return elsewhere(test, "`serve` does not migrate PostgreSQL");
    }
    let mut random = Random::new(test);
    let mut first = Server::stopped(&[]);
    let began = Instant::now();
    first.run();
    let whole = began.elapsed();
    first.kill();
    let expected = schema(&first.database_url()).await;
    let rounds = setting("ROUNDS", 3) * 5;
    for round in 0..rounds {
        let mut server = Server::stopped(&[]);
        let mut command = server.command();
        command
            .arg("serve")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let jitter = Duration::from_micros(random.below(3000));
        tokio::time::sleep(whole * (round as u32 + 1) / rounds as u32 + jitter).await;
        child.kill().unwrap();
        child.wait().unwrap();
        serves(&mut server, &expected).await;
    }
}
