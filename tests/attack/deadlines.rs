//! Deadlines of callers: kept, refused when they are none, and passed on to the
//! database, which does not go on with what nobody waits for.

use std::process::{Command, Stdio};
use std::time::Duration;

use apex::api::apex::metrics::v1 as pb;
use reqwest::Method;
use serde_json::json;
use tonic::Code;

use super::{EVENTS, Target, cpu};
use crate::support::attacker::until;
use crate::support::skip::{elsewhere, program, skip};
use crate::support::{Server, database, web};

const ANALYTICS: &str = "/api/v1/analytics";

#[tokio::test]
async fn deadlines_of_rest() {
    let target = Target::new(&[]);
    let late = json!({"error": {
        "code": "DEADLINE_EXCEEDED", "message": "The deadline has passed",
    }});
    for wait in ["0", "0.0", "0.000000001"] {
        let http = target.http.with("x-server-timeout", wait);
        assert_eq!(http.get(ANALYTICS).await.expect(504), late, "{wait}");
    }
    for wait in ["", "x", "-1", "NaN", "inf", "1e400", "1s", "1,5", "\u{e9}"] {
        let http = target.http.with("x-server-timeout", wait);
        let answer = http.get(ANALYTICS).await.expect(400);
        let message = "X-Server-Timeout must be seconds";
        assert_eq!(answer["error"]["message"], message, "{wait}");
    }
    // As long as the server allows is long enough.
    for wait in ["30", "1e9", "99999999999999999"] {
        let http = target.http.with("x-server-timeout", wait);
        http.get(ANALYTICS).await.expect(200);
    }
    target.alive().await;
}

#[tokio::test]
async fn deadlines_of_grpc() {
    let target = Target::new(&[]);
    // A client of tonic's would keep the deadline itself.
    let ask = async |timeout: &str| {
        let http = target.http.with("grpc-timeout", timeout);
        let method = "apex.metrics.v1.MetricsService/GetAnalytics";
        let request = pb::GetAnalyticsRequest::default();
        web::call::<pb::GetAnalyticsResponse>(&http, method, &request).await
    };
    for timeout in ["0m", "1n", "0H"] {
        let status = ask(timeout).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{timeout}");
    }
    for timeout in [
        "",
        "m",
        "-1m",
        "1",
        "1x",
        "123456789S",
        "1.5S",
        "1 S",
        "0x1S",
        "1MM",
        "\u{e9}",
    ] {
        let status = ask(timeout).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{timeout}: {status}");
    }
    for timeout in ["30S", "99999999H", "99999999M"] {
        ask(timeout).await.unwrap();
    }
    target.alive().await;
}

/// Copies the only event many times, so that looking through them takes long.
fn multiply(server: &Server, times: u32) {
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {times}) \
         INSERT INTO event (seq, project, time, received, name, audience, visitor) \
         SELECT own.seq + n.i, own.project, own.time, own.received, own.name, own.audience, \
         own.visitor FROM n, event own WHERE own.seq = (SELECT MIN(seq) FROM event); \
         UPDATE event_log SET value = (SELECT MAX(seq) FROM event);"
    );
    let file = server.data.join("apex.db");
    let done = Command::new("sqlite3").arg(file).arg(sql).output().unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[tokio::test]
async fn sqlite_stops_what_nobody_waits_for() {
    const NAME: &str = "attack::deadlines::sqlite_stops_what_nobody_waits_for";
    if database::is_postgres() {
        return elsewhere(NAME, "it is about SQLite");
    }
    if program("sqlite3").is_none() {
        return skip(NAME, "sqlite3 is not installed");
    }
    let mut target = Target::new(&[]);
    target.event().await.expect(200);
    assert_eq!(target.server.terminate(), Some(0));
    multiply(&target.server, 1_000_000);
    target.server.run();
    target.http = target.server.http().bearer(&target.organization.key);
    // No rollup is by both, so that every event is looked at.
    let slow = format!("{ANALYTICS}?path=/nowhere&utm_source=nobody");
    let pid = target.server.pid();
    let begun = cpu(pid);
    let answer = target.http.get(&slow).await.expect(200);
    assert_eq!(answer["data"]["events"], 0);
    let full = cpu(pid) - begun;

    let begun = cpu(pid);
    let hurried = target.http.with("x-server-timeout", "0.02");
    for _ in 0..8 {
        let answer = hurried.get(&slow).await;
        assert_eq!(answer.expect(504)["error"]["code"], "DEADLINE_EXCEEDED");
    }
    // A caller that goes away is no other than one that is late.
    for _ in 0..8 {
        let gone = target.server.http().bearer(&target.organization.key);
        let asked = gone.get(&slow);
        let waited = tokio::time::timeout(Duration::from_millis(20), asked).await;
        assert!(waited.is_err());
    }
    // Every reader is free again, or this would wait for sixteen statements.
    target.http.get(&slow).await.expect(200);
    let spent = cpu(pid) - begun;
    println!("one question took {full} ticks, sixteen that were cut short and one took {spent}");
    assert!(spent < 6 * full + 100, "{spent} of {full} each");
    target.alive().await;
}

/// Runs a statement on the server's database.
fn psql(url: &str, statement: &str) -> String {
    let done = Command::new("psql")
        .args([url, "-qAt", "-c", statement])
        .output();
    String::from_utf8(done.unwrap().stdout)
        .unwrap()
        .trim()
        .to_owned()
}

#[tokio::test]
async fn postgres_stops_what_nobody_waits_for() {
    const NAME: &str = "attack::deadlines::postgres_stops_what_nobody_waits_for";
    if !database::is_postgres() {
        return elsewhere(NAME, "it is about PostgreSQL");
    }
    let target = Target::new(&[]);
    target.event().await.expect(200);
    let url = target.server.database_url();
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    // Somebody holds the table as long as this process has input.
    let mut holder = Command::new("psql")
        .args([&url, "-qAt"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = holder.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, b"BEGIN; LOCK TABLE event;\n").unwrap();
    until("the lock", || async {
        let held = "SELECT COUNT(*) FROM pg_locks JOIN pg_class ON relation = pg_class.oid \
                    WHERE relname = 'event' AND mode = 'AccessExclusiveLock' AND granted";
        psql(&url, held) == "1"
    })
    .await;
    let hurried = target.http.with("x-server-timeout", "0.5");
    for _ in 0..20 {
        // More than there are connections: each is given back.
        hurried.get(ANALYTICS).await.expect(504);
    }
    let body = json!({"event_name": "x"}).to_string().into_bytes();
    let http = hurried.with("content-type", "application/json");
    let answer = http.send(Method::POST, EVENTS, Some(body)).await;
    assert_eq!(answer.status, 504, "{}", answer.text);
    // Two may wait on: the event, which may be stored yet, and the log's own upkeep.
    until("stopping", || async {
        psql(&url, waiting).parse::<usize>().unwrap() <= 2
    })
    .await;
    drop(input);
    holder.wait().unwrap();
    until("going on", || async {
        target.http.get(ANALYTICS).await.status == 200
    })
    .await;
    target.alive().await;
}
