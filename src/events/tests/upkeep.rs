//! What the log tells of itself.

use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;

use super::super::{EventLog, Gauges};
use super::{EVENTS, database, done, fill};
use crate::clock::Clock;
use crate::config::Layers;

#[tokio::test]
async fn a_fold_that_is_behind_says_so() {
    let (_folder, db) = database().await;
    fill(&db).await;
    let gauges = Gauges {
        queue: Gauge::default(),
        tail: Gauge::default(),
    };
    let config = Layers::new().unwrap().build().unwrap().events;
    let log = EventLog::open(db.clone(), Clock::system(), &config, gauges.clone());
    let log = log.await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut seen = Vec::new();
    while !(seen.contains(&EVENTS) && gauges.tail.get() == 0) {
        assert!(Instant::now() < deadline, "{seen:?}");
        let now = gauges.tail.get();
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(log);
    done(db).await;
}
