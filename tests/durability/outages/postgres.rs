//! PostgreSQL behind a proxy.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{RECOVERY, Writers, address, becomes, is_well};
use crate::support::proxy::{Cut, Mode, Proxy};
use crate::support::seed::Random;
use crate::support::skip::elsewhere;
use crate::support::{Server, database};

/// Longer than a new connection is waited for.
const OUTAGE: Duration = Duration::from_secs(6);

/// A server whose database is behind a proxy.
struct Site {
    server: Server,
    proxy: Proxy,
    random: Random,
    deadline: Duration,
}

impl Site {
    /// Starts it, where tests run on PostgreSQL.
    async fn start(test: &str, deadline: Duration) -> Option<Self> {
        if !database::is_postgres() {
            elsewhere(test, "SQLite is no service");
            return None;
        }
        let timeout = format!("{}s", deadline.as_secs());
        let mut server = Server::stopped(&[
            ("APEX_RATE_LIMIT_ENABLED", "false"),
            ("APEX_TRANSPORT_CALL_TIMEOUT", &timeout),
            ("APEX_TRANSPORT_DRAIN_TIMEOUT", "2s"),
        ]);
        server.apex(&["migrate", "up"]);
        let url = server.database_url();
        let target = address(&url);
        let proxy = Proxy::start(target).await;
        let through = url.replace(&target.to_string(), &proxy.address.to_string());
        server.set("APEX_DATABASE_URL", &through);
        server.run();
        Some(Self {
            server,
            proxy,
            random: Random::new(test),
            deadline,
        })
    }

    /// Has the database be away in some way, while clients write.
    async fn outage(mut self, mode: Mode) {
        let writers = Writers::start(&self.server, &mut self.random).await;
        let http = self.server.http();
        let begun = Instant::now();
        self.proxy.set(mode);
        becomes(&http, OUTAGE, unreachable).await;
        while begun.elapsed() < OUTAGE {
            let asked = Instant::now();
            http.get("/healthz").await.expect(200);
            assert!(asked.elapsed() < Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let (status, body) = super::readiness(&http).await;
        assert!(unreachable(status, &body), "{status} {body}");
        let told = http.get("/api/v1/health").await.expect(503);
        assert_eq!(told["status"], "degraded");
        assert_eq!(told["checks"]["storage"], "failed");
        self.proxy.set(Mode::Forward);
        let over = Instant::now();
        becomes(&http, RECOVERY, is_well).await;
        http.get("/api/v1/health").await.expect(200);
        writers.go_on(30).await;
        println!("recovered within {:?}", over.elapsed());
        assert!(over.elapsed() < RECOVERY);
        writers.compare(self.deadline, &mut self.random).await;
    }
}

fn unreachable(status: u16, body: &Value) -> bool {
    status == 503 && body["failing"] == json!({"database": "unreachable"})
}

const SHORT: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away() {
    if let Some(site) = Site::start("a_database_that_is_away", SHORT).await {
        site.outage(Mode::Away).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs() {
    if let Some(site) = Site::start("a_database_that_hangs", SHORT).await {
        site.outage(Mode::Hang).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_slow() {
    let deadline = Duration::from_secs(10);
    let Some(mut site) = Site::start("a_database_that_is_slow", deadline).await else {
        return;
    };
    let writers = Writers::start(&site.server, &mut site.random).await;
    site.proxy.set(Mode::Slow(Duration::from_millis(200)));
    // Slow is not away.
    writers.go_on(5).await;
    becomes(&site.server.http(), RECOVERY, is_well).await;
    writers.go_on(5).await;
    site.proxy.set(Mode::Forward);
    writers.go_on(30).await;
    writers.compare(deadline, &mut site.random).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_drops_connections_in_the_middle() {
    let test = "a_database_that_drops_connections_in_the_middle";
    let Some(mut site) = Site::start(test, SHORT).await else {
        return;
    };
    let writers = Writers::start(&site.server, &mut site.random).await;
    let http = site.server.http();
    for _ in 0..5 {
        for cut in [
            Cut::After("BEGIN"),
            Cut::Before("COMMIT"),
            Cut::After("COMMIT"),
        ] {
            site.proxy.cut(cut);
            let begun = Instant::now();
            while !site.proxy.has_cut() {
                assert!(begun.elapsed() < RECOVERY, "{cut:?} never came");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            writers.go_on(5).await;
            becomes(&http, RECOVERY, is_well).await;
        }
    }
    assert!(writers.fleet.unknown() > 0, "nobody noticed");
    writers.compare(site.deadline, &mut site.random).await;
}

/// As when a machine loses power: nobody says that the connection is over, and what
/// it had locked is locked.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_fall_silent_in_the_middle() {
    let test = "connections_that_fall_silent_in_the_middle";
    let Some(mut site) = Site::start(test, SHORT).await else {
        return;
    };
    let writers = Writers::start(&site.server, &mut site.random).await;
    let http = site.server.http();
    for mark in ["COMMIT", "BEGIN"] {
        site.proxy.cut(Cut::Silence(mark));
        while !site.proxy.has_cut() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Longer than it takes to notice.
        tokio::time::sleep(Duration::from_secs(1)).await;
        writers.go_on(60).await;
        becomes(&http, RECOVERY, is_well).await;
    }
    writers.compare(site.deadline, &mut site.random).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_ends_though_its_database_hangs() {
    let test = "a_server_ends_though_its_database_hangs";
    let Some(mut site) = Site::start(test, SHORT).await else {
        return;
    };
    let http = site
        .server
        .http()
        .bearer(&site.server.organization("Acme").key);
    http.get("/api/me").await.expect(200);
    site.proxy.set(Mode::Hang);
    let begun = Instant::now();
    site.server.terminate();
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_a_database_says_so() {
    let test = "a_start_without_a_database_says_so";
    let Some(mut site) = Site::start(test, SHORT).await else {
        return;
    };
    site.server.terminate();
    for mode in [Mode::Away, Mode::Hang] {
        site.proxy.set(mode);
        let begun = Instant::now();
        let done = site.server.try_apex(&["serve"]);
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(done.status.code(), Some(1));
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(told.contains("cannot connect to PostgreSQL"), "{told}");
    }
}
