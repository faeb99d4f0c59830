//! Rate limits: groups with figures from the configuration, windows that are
//! aligned to the clock or slide with it, and counters behind a trait so that
//! several nodes can share them.

mod memory;
mod policy;
mod redis;

pub use memory::Memory;
pub use policy::{Limits, Subject};
pub use redis::Redis;

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::clock::MICROS;

/// What a counter is kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CounterKey {
    /// The rate group, as a hash of its name: the same on every node.
    pub group: u32,
    /// Who is counted, as 128 bits.
    pub subject: u128,
}

/// Figures a counter is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Requests per window.
    pub limit: u32,
    /// Length of the window.
    pub window: Duration,
    /// Whether the window slides rather than turns over.
    pub sliding: bool,
}

/// How a counter stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether the request is within the limit. One that is not is not counted.
    pub allowed: bool,
    /// Requests per window.
    pub limit: u32,
    /// Requests left.
    pub remaining: u32,
    /// When the window turns over, in whole seconds since 1970.
    pub reset: i64,
    /// How long until a request can succeed; at least a second.
    pub retry_after: Duration,
    /// Length of the window.
    pub window: Duration,
}

impl Standing {
    /// Says how things stand after a request that found `used` others before it in
    /// a window that ends at `end`. `take` says whether it wanted to be counted.
    fn new(figures: Figures, used: u32, end: i64, now: i64, take: bool) -> Self {
        let limit = figures.limit;
        // After a clock was put back, a window that began later ends later, too.
        let end = end.min(now + figures.window.as_micros() as i64);
        let allowed = used < limit;
        let wait = Duration::from_micros((end - now).max(0) as u64);
        Self {
            allowed,
            limit,
            remaining: limit.saturating_sub(used + u32::from(take && allowed)),
            reset: (end + MICROS - 1).div_euclid(MICROS),
            retry_after: Duration::from_secs(wait.as_micros().div_ceil(1_000_000).max(1) as u64),
            window: figures.window,
        }
    }
}

/// Where counters are kept.
pub trait Counters: Send + Sync + std::fmt::Debug {
    /// Counts one request. `now` is in microseconds since 1970.
    fn take(&self, key: CounterKey, figures: Figures, now: i64) -> BoxFuture<'_, Standing>;

    /// Says how a counter stands without counting.
    fn peek(&self, key: CounterKey, figures: Figures, now: i64) -> BoxFuture<'_, Standing>;

    /// Whether the store that is shared with other nodes did not answer.
    fn is_away(&self) -> bool {
        false
    }

    /// Begins a window with so many requests counted, after a restart. A store that
    /// outlives this process has them itself.
    fn restore(&self, _key: CounterKey, _figures: Figures, _used: u32, _now: i64) {}

    /// Counts at once, where no round trip is needed.
    fn try_take(&self, key: CounterKey, figures: Figures, now: i64) -> Option<Standing>;
}
