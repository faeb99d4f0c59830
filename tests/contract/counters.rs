//! What every store of rate-limit counters does. Each store runs the same suite.

use std::sync::Arc;
use std::time::Duration;

use apex::limit::{CounterKey, Counters, Figures, Memory, Standing};
use prometheus_client::metrics::gauge::Gauge;

use crate::support::redis::Redis;
use crate::support::skip;

const SECOND: i64 = 1_000_000;
/// A time whose minute began 30 seconds before.
const NOW: i64 = 1_750_000_020 * SECOND + 30 * SECOND;

fn key(subject: u128) -> CounterKey {
    CounterKey { group: 1, subject }
}

fn figures(limit: u32, sliding: bool) -> Figures {
    Figures {
        limit,
        window: Duration::from_secs(60),
        sliding,
    }
}

/// The whole suite, against one store.
async fn suite(store: Arc<dyn Counters>) {
    aligned_windows_turn_over(&*store).await;
    sliding_windows_move(&*store).await;
    what_is_refused_is_not_counted(&*store).await;
    subjects_and_groups_are_apart(&*store).await;
    looking_does_not_count(&*store).await;
    a_clock_put_back_locks_nobody_out(&*store).await;
    no_request_slips_through(store).await;
}

#[tokio::test]
async fn memory() {
    suite(Arc::new(Memory::new())).await;
}

#[tokio::test]
async fn redis() {
    let Some(server) = Redis::start() else {
        return skip::skip("contract::counters::redis", "redis-server is not installed");
    };
    suite(Arc::new(server.store())).await;
}

/// While Redis is stopped, or does not answer, each node counts for itself; when it
/// is back, the nodes count together again.
#[tokio::test]
async fn redis_away() {
    let Some(mut server) = Redis::start() else {
        return skip::skip(
            "contract::counters::redis_away",
            "redis-server is not installed",
        );
    };
    let up = Gauge::default();
    let store = server.store_with(up.clone());
    let (key, figures) = (key(20), figures(2, false));
    assert!(take(&store, key, figures, NOW).await.allowed);
    server.signal("STOP");
    // Hanging: counted here, from zero.
    assert_eq!(take(&store, key, figures, NOW).await.remaining, 1);
    assert_eq!(take(&store, key, figures, NOW).await.remaining, 0);
    assert!(!take(&store, key, figures, NOW).await.allowed);
    assert_eq!(up.get(), 0);
    server.signal("CONT");
    back(&store, &up).await;
    // What Redis counted before is still there: one was left, or none when the
    // request that hung was counted after all.
    assert!(store.peek(key, figures, NOW).await.remaining <= 1);
    server.stop();
    assert!(take(&store, key, figures, NOW).await.limit == 2);
    assert_eq!(up.get(), 0);
    server.run();
    back(&store, &up).await;
    assert_eq!(take(&store, key, figures, NOW).await.remaining, 1);
}

/// Waits until the store counts in Redis again.
async fn back(store: &dyn Counters, up: &Gauge) {
    let (key, figures) = (key(21), figures(1000, false));
    for _ in 0..100 {
        store.peek(key, figures, NOW).await;
        if up.get() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("Redis is back and nobody noticed");
}

async fn take(store: &dyn Counters, key: CounterKey, figures: Figures, now: i64) -> Standing {
    store.take(key, figures, now).await
}

async fn aligned_windows_turn_over(store: &dyn Counters) {
    let (key, figures) = (key(1), figures(3, false));
    for left in [2, 1, 0] {
        let standing = take(store, key, figures, NOW).await;
        assert!(standing.allowed);
        assert_eq!((standing.limit, standing.remaining), (3, left));
        assert_eq!(standing.reset, NOW / SECOND + 30);
    }
    let refused = take(store, key, figures, NOW + SECOND / 2).await;
    assert!(!refused.allowed);
    assert_eq!(refused.remaining, 0);
    // 29.5 seconds are left; callers are told whole ones.
    assert_eq!(refused.retry_after, Duration::from_secs(30));
    let fresh = take(store, key, figures, NOW + 30 * SECOND).await;
    assert!(fresh.allowed);
    assert_eq!(fresh.remaining, 2);
}

async fn sliding_windows_move(store: &dyn Counters) {
    let (key, figures) = (key(2), figures(3, true));
    for at in [0, 10, 20] {
        assert!(take(store, key, figures, NOW + at * SECOND).await.allowed);
    }
    // The next one is free when the oldest leaves, and not a moment before.
    let refused = take(store, key, figures, NOW + 59 * SECOND).await;
    assert!(!refused.allowed);
    assert_eq!(refused.retry_after, Duration::from_secs(1));
    assert_eq!(refused.reset, NOW / SECOND + 60);
    assert!(take(store, key, figures, NOW + 60 * SECOND).await.allowed);
    assert!(!take(store, key, figures, NOW + 61 * SECOND).await.allowed);
    assert!(take(store, key, figures, NOW + 70 * SECOND).await.allowed);
}

async fn what_is_refused_is_not_counted(store: &dyn Counters) {
    let (key, figures) = (key(3), figures(1, true));
    assert!(take(store, key, figures, NOW).await.allowed);
    for at in 1..60 {
        assert!(!take(store, key, figures, NOW + at * SECOND).await.allowed);
    }
    // Had refusals pushed the window, this would be refused as well.
    assert!(take(store, key, figures, NOW + 60 * SECOND).await.allowed);
}

async fn subjects_and_groups_are_apart(store: &dyn Counters) {
    let figures = figures(1, false);
    assert!(take(store, key(4), figures, NOW).await.allowed);
    assert!(take(store, key(5), figures, NOW).await.allowed);
    let other = CounterKey {
        group: 2,
        subject: 4,
    };
    assert!(take(store, other, figures, NOW).await.allowed);
    assert!(!take(store, key(4), figures, NOW).await.allowed);
}

async fn looking_does_not_count(store: &dyn Counters) {
    for sliding in [false, true] {
        let (key, figures) = (key(6 + u128::from(sliding)), figures(2, sliding));
        for _ in 0..5 {
            let standing = store.peek(key, figures, NOW).await;
            assert!(standing.allowed);
            assert_eq!(standing.remaining, 2);
        }
        take(store, key, figures, NOW).await;
        assert_eq!(store.peek(key, figures, NOW).await.remaining, 1);
    }
}

async fn a_clock_put_back_locks_nobody_out(store: &dyn Counters) {
    let second = Duration::from_secs(1);
    for sliding in [false, true] {
        let key = key(10 + u128::from(sliding));
        let figures = Figures {
            limit: 2,
            window: second,
            sliding,
        };
        for _ in 0..2 {
            assert!(take(store, key, figures, NOW).await.allowed);
        }
        assert!(!take(store, key, figures, NOW).await.allowed);
        let back = NOW - 3600 * SECOND;
        let standing = take(store, key, figures, back).await;
        // Nobody is told to wait until the clock is there again.
        assert!(standing.retry_after <= second, "{standing:?}");
        assert!(standing.reset <= back / SECOND + 1, "{standing:?}");
        // A store may go by a clock of its own.
        tokio::time::sleep(2 * second + Duration::from_millis(200)).await;
        assert!(take(store, key, figures, back + SECOND).await.allowed);
    }
}

async fn no_request_slips_through(store: Arc<dyn Counters>) {
    for sliding in [false, true] {
        let key = key(8 + u128::from(sliding));
        let tasks = (0..200).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.take(key, figures(50, sliding), NOW).await.allowed })
        });
        let mut allowed = 0;
        for task in tasks.collect::<Vec<_>>() {
            allowed += u32::from(task.await.unwrap());
        }
        assert_eq!(allowed, 50);
    }
}
