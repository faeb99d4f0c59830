//! Services Apex depends on that are away, hang, are slow or drop connections: every
//! call ends in time, readiness says what is missing, and when it is over all goes on
//! by itself.

mod postgres;
mod redis;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;

use super::crash::clients::{Client, Protocol};
use super::crash::{Fleet, recount, resend};
use crate::support::history::Outcome;
use crate::support::seed::Random;
use crate::support::{Http, Server};

const CLIENTS: usize = 6;
/// All is as before so long after a fault at the most.
const RECOVERY: Duration = Duration::from_secs(10);
/// What a deadline may be overrun by, on a machine that is busy.
const GRACE: Duration = Duration::from_secs(2);

/// Where the service of a URL such as postgres://user@host:port listens.
fn address(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once("://").unwrap();
    let (host, _) = rest.split_once('/').unwrap_or((rest, ""));
    let (_, host) = host.rsplit_once('@').unwrap_or(("", host));
    host.parse().unwrap()
}

/// Clients that write over all protocols, whatever happens, until they are stopped.
struct Writers {
    fleet: Fleet,
    over: Arc<AtomicBool>,
    tasks: JoinSet<Duration>,
}

impl Writers {
    async fn start(server: &Server, random: &mut Random) -> Self {
        let fleet = Fleet::new(server);
        let over = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for number in 0..CLIENTS {
            let protocol = Protocol::ALL[number % Protocol::ALL.len()];
            let client = Client::connect(&fleet, protocol).await;
            let (fleet, over, random) = (fleet.clone(), over.clone(), random.split());
            tasks.spawn(write(fleet, client, random, over));
        }
        let writers = Self { fleet, over, tasks };
        writers.go_on(30).await;
        writers
    }

    /// So many more events are acknowledged, and some records.
    async fn go_on(&self, count: usize) {
        let [events, records] = self.fleet.known();
        let wanted = [events + count, records + count / 20];
        let begun = Instant::now();
        let few = |known: [usize; 2]| known[0] < wanted[0] || known[1] < wanted[1];
        while few(self.fleet.known()) {
            let known = self.fleet.known();
            assert!(begun.elapsed() < RECOVERY, "{known:?} and not {wanted:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops them, asks again for what nobody knows, and compares what there is with
    /// what they were told. No call took longer than its deadline.
    async fn compare(mut self, deadline: Duration, random: &mut Random) {
        self.over.store(true, Ordering::Relaxed);
        let mut longest = Duration::ZERO;
        while let Some(took) = self.tasks.join_next().await {
            longest = longest.max(took.unwrap());
        }
        let (known, unknown) = (self.fleet.known(), self.fleet.unknown());
        println!("{known:?} acknowledged, {unknown} unknown, the longest took {longest:?}");
        assert!(longest < deadline + GRACE, "{longest:?}");
        resend(&self.fleet, random).await;
        recount::all(&self.fleet).await;
    }
}

/// Writes, and answers how long the longest call took.
async fn write(
    fleet: Fleet,
    client: Client,
    mut random: Random,
    over: Arc<AtomicBool>,
) -> Duration {
    let mut longest = Duration::ZERO;
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let told = client.write_one(&fleet, &mut random).await;
        longest = longest.max(begun.elapsed());
        if told == Outcome::Unknown {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    longest
}

/// What readiness answers; it never takes long.
async fn readiness(http: &Http) -> (u16, Value) {
    let begun = Instant::now();
    let answer = http.get("/readyz").await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(2) + GRACE, "{took:?}");
    (answer.status, answer.json())
}

/// Waits until readiness answers this.
async fn becomes(http: &Http, within: Duration, wanted: impl Fn(u16, &Value) -> bool) {
    let begun = Instant::now();
    loop {
        let (status, body) = readiness(http).await;
        if wanted(status, &body) {
            return;
        }
        assert!(begun.elapsed() < within, "{status} {body}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether it is ready and misses nothing.
fn is_well(status: u16, body: &Value) -> bool {
    status == 200 && *body == serde_json::json!({"status": "ready"})
}
