//! What is counted again and again, by its number: what takes long to count is left alone
//! for longer, so that watching takes a twentieth of the time at the most.

use std::collections::HashMap;

use tokio::time::Instant;

/// How much longer something is left alone than it takes to count.
const REST: u32 = 20;

/// Until when things are left alone.
#[derive(Debug, Default)]
pub(super) struct Resting(HashMap<i64, Instant>);

impl Resting {
    /// Forgets what may be counted again.
    pub(super) fn wake(&mut self) {
        let now = Instant::now();
        self.0.retain(|_, until| *until > now);
    }

    /// Whether something is to be left alone.
    pub(super) fn has(&self, number: i64) -> bool {
        self.0.contains_key(&number)
    }

    /// Leaves alone for a while what was counted since `started`.
    pub(super) fn rest(&mut self, number: i64, started: Instant) {
        self.0.insert(number, started + started.elapsed() * REST);
    }
}
