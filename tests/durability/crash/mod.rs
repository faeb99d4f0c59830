//! Sixteen clients write over three protocols, the server is killed at a random
//! moment, started again and asked what it has. `ROUNDS=50` runs more rounds than
//! the suite does, `SEED` repeats a run.

pub(super) mod clients;
pub(super) mod record;
pub(super) mod recount;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::files::integrity;
use crate::support::history::{Address, History, Outcome};
use crate::support::seed::{Random, setting};
use crate::support::{Organization, Server, database};
use clients::{Client, Protocol};
use record::{Kind, Record};

const CLIENTS: usize = 16;
/// Acknowledgements of a round at the most.
const LONGEST: u64 = 500;
/// A start after a crash takes no longer than this.
const START: Duration = Duration::from_secs(5);

/// What all clients share.
#[derive(Debug, Clone)]
pub(super) struct Fleet {
    address: Address,
    /// Events and purchases.
    events: History,
    /// Projects and keys.
    records: History,
    /// Writes events.
    metrics: Organization,
    /// Owns the records; apart, so that its many projects are in nobody's way.
    account: Organization,
    next: Arc<AtomicU64>,
}

impl Fleet {
    /// Of a server that runs, with nothing written yet.
    pub(super) fn new(server: &Server) -> Self {
        Self {
            address: Address::of(server),
            events: History::default(),
            records: History::default(),
            metrics: server.organization("Metrics"),
            account: server.organization("Account"),
            next: Arc::default(),
        }
    }

    /// How many of what was sent nobody knows what became of.
    pub(super) fn unknown(&self) -> usize {
        self.events.count(Outcome::Unknown) + self.records.count(Outcome::Unknown)
    }

    /// How many events were acknowledged, and how many records.
    pub(super) fn known(&self) -> [usize; 2] {
        [&self.events, &self.records].map(|own| own.count(Outcome::Acknowledged))
    }

    fn acknowledged(&self) -> u64 {
        self.known().iter().sum::<usize>() as u64
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_records_are_there_once() {
    let mut random = Random::new("acknowledged_records_are_there_once");
    let mut server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let fleet = Fleet::new(&server);
    let rounds = setting("ROUNDS", 20);
    for round in 1..=rounds {
        let before = fleet.acknowledged();
        write_until_killed(&fleet, &mut server, &mut random).await;
        let started = Instant::now();
        server.run();
        let took = started.elapsed();
        assert!(took < START, "the start took {took:?}");
        fleet.address.moved(&server);
        resend(&fleet, &mut random).await;
        recount::all(&fleet).await;
        if !database::is_postgres() {
            integrity(&server.data.join("apex.db")).await;
        }
        let acknowledged = fleet.acknowledged() - before;
        let unknown = fleet.unknown();
        println!(
            "round {round}: {acknowledged} acknowledged, {unknown} unknown so far, start {took:?}"
        );
    }
}

/// Lets everybody write, and kills the server after so many acknowledgements.
async fn write_until_killed(fleet: &Fleet, server: &mut Server, random: &mut Random) {
    let enough = fleet.acknowledged() + 1 + random.below(LONGEST);
    let mut tasks = JoinSet::new();
    for number in 0..CLIENTS {
        let protocol = Protocol::ALL[number % Protocol::ALL.len()];
        let client = Client::connect(fleet, protocol).await;
        tasks.spawn(clients::write(fleet.clone(), client, random.split()));
    }
    while fleet.acknowledged() < enough && !tasks.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.kill();
    while let Some(done) = tasks.join_next().await {
        done.expect("a client does not fail");
    }
}

/// Whoever does not know what became of an operation asks for it again, where
/// asking twice is the same as once.
pub(super) async fn resend(fleet: &Fleet, random: &mut Random) {
    let protocol = Protocol::ALL[random.below(3) as usize];
    let client = Client::connect(fleet, protocol).await;
    for (history, how) in [(&fleet.events, "named"), (&fleet.records, "keyed")] {
        for id in history.unknown(how) {
            let outcome = client.send(&id).await;
            history.conclude(&id, outcome);
            let told = match Record::of(&id).kind {
                Kind::Invalid => Outcome::Refused,
                _ => Outcome::Acknowledged,
            };
            assert_eq!(outcome, told, "{id} again");
        }
    }
}
