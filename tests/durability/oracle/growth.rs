//! The same traffic as pages send it, in the order it arrives, with the server killed
//! twice on the way: what analytics answers is exact, in three time zones.

mod answers;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use super::data::{python, run};
use super::{folded, strike};
use crate::support::history::Address;
use crate::support::seed::{Random, setting};
use crate::support::skip::skip;
use crate::support::{Http, Server};
use answers::Answers;

/// Events when nothing else is asked for.
const EVENTS: u64 = 20_000;
/// When the server is killed, in percent of the deliveries.
const KILLS: [usize; 2] = [35, 70];
/// Deliveries sent together.
const BATCH: usize = 250;
/// Where days are asked about.
const ZONES: [&str; 2] = ["America/New_York", "Australia/Lord_Howe"];

/// Generated traffic of pages, and the right answers about it.
struct Traffic {
    lines: Vec<String>,
    stitches: Vec<String>,
    expected: Value,
}

/// Six weeks in which clocks change in all the places asked about; `None` where Python
/// or a package is missing.
fn generate(test: &str, project: &str) -> Option<Traffic> {
    let Some(python) = python() else {
        skip(
            test,
            "no python3 with numpy, duckdb, pandas: scripts/clients install",
        );
        return None;
    };
    let folder: TempDir = tempfile::tempdir().unwrap();
    let count = setting("EVENTS", EVENTS).to_string();
    let seed = setting("EVENTS_SEED", 7).to_string();
    let start = ["--n", &count, "--seed", &seed, "--start", "2026-03-02"];
    let start = [&start[..], &["--project", project, "--out", "."]].concat();
    run(&python, "make_events.py", &start, folder.path());
    let zones = ["--tz", ZONES[0], "--tz", ZONES[1]];
    let questions = [&[".", "--shape", "apex", "--verify"], &zones[..]].concat();
    run(&python, "expected.py", &questions, folder.path());
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let lines = |name: &str| read(name).lines().map(str::to_owned).collect();
    Some(Traffic {
        lines: lines("apex.ndjson"),
        stitches: lines("apex_stitch.ndjson"),
        expected: serde_json::from_str(&read("expected.json")).unwrap(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn analytics_is_exact_after_two_kills() {
    let test = "analytics_is_exact_after_two_kills";
    let mut random = Random::new(test);
    let mut server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let organization = server.organization("Acme");
    let Some(traffic) = generate(test, &organization.project_key) else {
        return;
    };
    let address = Address::of(&server);
    let done = Arc::<AtomicUsize>::default();
    let total = traffic.lines.len();
    let bodies: Vec<String> = traffic
        .lines
        .chunks(BATCH)
        .map(|lines| {
            let (key, events) = (&organization.project_key, lines.join(","));
            format!(r#"{{"projectKey":"{key}","events":[{events}]}}"#)
        })
        .collect();
    let sender = tokio::spawn(send(address.clone(), "/api/events", bodies, done.clone()));
    for percent in KILLS {
        while done.load(Ordering::Relaxed) * BATCH * 100 < total * percent {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        strike(&mut server, &address, &mut random).await;
    }
    sender.await.unwrap();
    send(
        address,
        "/api/identity/stitch",
        traffic.stitches.clone(),
        done,
    )
    .await;
    server.kill();
    server.run();
    let http = Http::new(&server.url).bearer(&organization.key);
    let answers = Answers::new(&http, &traffic.expected);
    // Much of it may not be folded yet; that makes no difference.
    answers.check().await;
    folded(&http).await;
    answers.check().await;
}

/// Sends bodies one after the other, each until it is acknowledged.
async fn send(address: Address, path: &str, bodies: Vec<String>, done: Arc<AtomicUsize>) {
    let mut url = String::new();
    let mut http = Http::new(&url);
    for body in bodies {
        loop {
            if url != address.url() {
                url = address.url();
                http = Http::new(&url).with("content-type", "application/json");
            }
            let sent = http.try_send(Method::POST, path, Some(body.clone().into_bytes()));
            match sent.await {
                Ok(answer) if answer.status < 500 => {
                    let told = answer.expect(200);
                    assert!(told.get("errors").is_none(), "{told}");
                    done.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}
