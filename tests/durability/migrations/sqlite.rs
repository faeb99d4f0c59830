//! The embedded database is killed at chosen writes to its files, which strace
//! counts, and at random moments.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{schema, serves, undisturbed};
use crate::support::seed::{Random, setting};
use crate::support::skip::{elsewhere, program, skip};
use crate::support::{Server, database};

/// `apex migrate up` under strace, with these options of its own.
fn traced(server: &Server, options: &[&str]) -> Command {
    let plain = server.command();
    let own = plain
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let mut command = Command::new("strace");
    command
        .env_clear()
        .envs(own)
        .args(["-f", "-qq", "-e", "trace=pwrite64,fsync,fdatasync"]);
    command
        .args(options)
        .arg(plain.get_program())
        .args(["migrate", "up"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// How many calls of a kind the busiest thread makes when nothing happens to it.
fn calls(name: &str) -> usize {
    let server = Server::stopped(&[]);
    let log = server.data.with_extension("strace");
    let done = traced(&server, &["-o", log.to_str().unwrap()])
        .status()
        .unwrap();
    assert!(done.success());
    let mut threads: BTreeMap<String, usize> = BTreeMap::new();
    for line in fs::read_to_string(log).unwrap().lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        if call.trim_start().starts_with(name) {
            *threads.entry(thread.to_owned()).or_default() += 1;
        }
    }
    threads.into_values().max().unwrap_or(0)
}

#[tokio::test]
async fn a_migration_killed_at_any_write_is_completed() {
    let test = "a_migration_killed_at_any_write_is_completed";
    if database::is_postgres() {
        return elsewhere(test, "it is about files");
    }
    if program("strace").is_none() {
        return skip(test, "strace is not installed");
    }
    let expected = undisturbed().await;
    // How a file is synced depends on how SQLite was built.
    let sync = ["fsync", "fdatasync"]
        .into_iter()
        .max_by_key(|name| calls(name))
        .unwrap();
    for (call, points) in [("pwrite64", setting("POINTS", 12)), (sync, 4)] {
        let last = calls(call) as u64;
        assert!(last > 2, "{last} calls of {call}");
        let steps = points.min(last);
        let mut killed = 0;
        for step in 0..steps {
            let point = 1 + step * (last - 1) / (steps - 1).max(1);
            let mut server = Server::stopped(&[]);
            let inject = format!("inject={call}:signal=SIGKILL:when={point}");
            let done = traced(&server, &["-o", "/dev/null", "-e", &inject])
                .status()
                .unwrap();
            killed += u64::from(!done.success());
            serves(&mut server, &expected).await;
        }
        println!("{call}: killed at {killed} of {last} calls");
        assert!(killed + 1 >= steps, "killed {killed} times of {steps}");
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
