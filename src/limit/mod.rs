//! Rate limits: groups with figures from the configuration, windows that are
//! aligned to the clock or slide with it, and counters behind a trait so that
//! several nodes can share them.

mod memory;
mod policy;

pub use memory::Memory;
pub use policy::{Limits, Subject};

use std::time::Duration;

use futures_util::future::BoxFuture;

/// What a counter is kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CounterKey {
    /// The rate group.
    pub group: u16,
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

/// Where counters are kept.
pub trait Counters: Send + Sync + std::fmt::Debug {
    /// Counts one request. `now` is in microseconds since 1970.
    fn take(&self, key: CounterKey, figures: Figures, now: i64) -> BoxFuture<'_, Standing>;

    /// Says how a counter stands without counting.
    fn peek(&self, key: CounterKey, figures: Figures, now: i64) -> BoxFuture<'_, Standing>;

    /// Counts at once, where no round trip is needed.
    fn try_take(&self, key: CounterKey, figures: Figures, now: i64) -> Option<Standing>;
}
