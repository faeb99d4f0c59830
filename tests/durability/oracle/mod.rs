//! Generated traffic with known answers, taken in on three ways at once while the
//! server is killed five times: what it answers afterwards is exact.
//!
//! `EVENTS=100000` with `APEX_BINARY=target/release/apex` is the run that counts;
//! `EVENTS_SEED` generates other traffic.

mod answers;
pub mod data;
mod feeds;
mod growth;

use std::time::{Duration, Instant};

use crate::support::history::Address;
use crate::support::seed::{Random, setting};
use crate::support::{Http, Server};
use answers::Answers;
use data::Data;
use feeds::Feeds;

/// Events when nothing else is asked for: enough to be killed five times on the
/// way, little enough for a build without optimisations.
const EVENTS: u64 = 20_000;
/// When it is killed, in percent of the import, which is the quickest.
const IMPORT_KILLS: [u64; 2] = [20, 60];
/// And in percent of the other two.
const KILLS: [u64; 3] = [30, 55, 85];

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_exact_after_five_kills() {
    let test = "answers_are_exact_after_five_kills";
    let mut random = Random::new(test);
    let Some(data) = Data::generate(test, setting("EVENTS", EVENTS), setting("EVENTS_SEED", 7))
    else {
        return;
    };
    let mut server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let organization = server.organization("Acme");
    let address = Address::of(&server);
    let began = Instant::now();
    let feeds = Feeds::start(&server, &organization, &address, &data);
    for percent in IMPORT_KILLS {
        feeds.import_reaches(&server, percent).await;
        strike(&mut server, &address, &mut random).await;
    }
    for percent in KILLS {
        feeds.reach(percent).await;
        strike(&mut server, &address, &mut random).await;
    }
    feeds.finish().await;
    println!("{} deliveries in {:?}", data.lines.len(), began.elapsed());
    // Once more, so that nothing is known that is not stored.
    server.kill();
    server.run();
    let http = Http::new(&server.url).bearer(&organization.key);
    let answers = Answers::new(&http, &data.expected);
    // Much of it may not be folded into rollups yet; that makes no difference.
    answers.check().await;
    folded(&http).await;
    answers.check().await;
    data.is_stored_once(&server, &organization).await;
    // A file is known as a whole: nothing of it is read again.
    let again = feeds::import(&server, &organization, &data);
    for told in ["imported", "duplicates", "refused", "unreported"] {
        assert_eq!(again[told], 0, "{again}");
    }
}

/// Kills the server, about now, and starts it again.
async fn strike(server: &mut Server, address: &Address, random: &mut Random) {
    tokio::time::sleep(Duration::from_micros(random.below(5000))).await;
    server.kill();
    server.run();
    address.moved(server);
}

/// Waits until every stored event is folded.
async fn folded(http: &Http) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !http
        .get("/metrics")
        .await
        .text
        .lines()
        .any(|line| line == "apex_event_tail 0")
    {
        assert!(
            Instant::now() < deadline,
            "the fold does not come to an end"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
