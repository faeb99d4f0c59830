//! Counters in memory, in shards so that callers seldom wait for each other.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::HashMap;
use futures_util::future::BoxFuture;

use super::{CounterKey, Counters, Figures, Standing};

const SHARDS: usize = 64;
/// A shard that grows beyond this forgets counters that are back at zero.
const SWEEP_ABOVE: usize = 4096;

/// Counters of one process.
#[derive(Debug)]
pub struct Memory {
    shards: Vec<Mutex<Shard>>,
}

#[derive(Debug, Default)]
struct Shard {
    counters: HashMap<CounterKey, Counter>,
    sweep_at: usize,
}

#[derive(Debug)]
enum Counter {
    /// Requests of the window that began at this time.
    Aligned { start: i64, count: u32, window: i64 },
    /// Times of the requests within the last window.
    Sliding { times: VecDeque<i64>, window: i64 },
}

impl Memory {
    /// Starts with nothing counted.
    pub fn new() -> Self {
        let shard = || Mutex::new(Shard::default());
        Self {
            shards: std::iter::repeat_with(shard).take(SHARDS).collect(),
        }
    }

    fn shard(&self, key: CounterKey) -> MutexGuard<'_, Shard> {
        let at = (key.subject as usize ^ (key.subject >> 64) as usize ^ key.group as usize)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            >> 58;
        let shard = &self.shards[at % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, key: CounterKey, figures: Figures, now: i64, take: bool) -> Standing {
        let mut shard = self.shard(key);
        shard.sweep(now);
        let window = figures.window.as_micros() as i64;
        let counter = match shard.counters.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(match figures.sliding {
                true => Counter::Sliding {
                    times: VecDeque::new(),
                    window,
                },
                false => Counter::Aligned {
                    start: 0,
                    count: 0,
                    window,
                },
            }),
        };
        counter.count(figures, now, take)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Shard {
    /// Forgets counters whose windows have passed, now and then: a flood of new
    /// addresses must not fill the memory.
    fn sweep(&mut self, now: i64) {
        if self.counters.len() < self.sweep_at.max(SWEEP_ABOVE) {
            return;
        }
        self.counters.retain(|_, counter| match counter {
            Counter::Aligned { start, window, .. } => now - *start < *window,
            Counter::Sliding { times, window } => {
                times.back().is_some_and(|last| now - last < *window)
            }
        });
        self.sweep_at = self.counters.len() * 2;
    }
}

impl Counter {
    fn count(&mut self, figures: Figures, now: i64, take: bool) -> Standing {
        let window = figures.window.as_micros() as i64;
        let (used, end) = match self {
            Self::Aligned { start, count, .. } => {
                let current = now.div_euclid(window) * window;
                if *start != current {
                    (*start, *count) = (current, 0);
                }
                (*count, current + window)
            }
            Self::Sliding { times, .. } => {
                // After the clock was put back, what was counted counts as of now:
                // it would stay until the clock is there again.
                for time in times.iter_mut().rev().take_while(|time| **time > now) {
                    *time = now;
                }
                while times.front().is_some_and(|first| now - first >= window) {
                    times.pop_front();
                }
                // What is taken now is the first, where there is no other.
                let end = times.front().unwrap_or(&now) + window;
                (times.len() as u32, end)
            }
        };
        if take && used < figures.limit {
            match self {
                Self::Aligned { count, .. } => *count += 1,
                Self::Sliding { times, .. } => times.push_back(now),
            }
        }
        Standing::new(figures, used, end, now, take)
    }
}

impl Counters for Memory {
    fn take(&self, key: CounterKey, figures: Figures, now: i64) -> BoxFuture<'_, Standing> {
        Box::pin(ready(self.count(key, figures, now, true)))
    }

    fn peek(&self, key: CounterKey, figures: Figures, now: i64) -> BoxFuture<'_, Standing> {
        Box::pin(ready(self.count(key, figures, now, false)))
    }

    fn restore(&self, key: CounterKey, figures: Figures, used: u32, now: i64) {
        let window = figures.window.as_micros() as i64;
        let mut shard = self.shard(key);
        let fresh = Counter::Aligned {
            start: now.div_euclid(window) * window,
            count: used,
            window,
        };
        shard.counters.entry(key).or_insert(fresh);
    }

    fn try_take(&self, key: CounterKey, figures: Figures, now: i64) -> Option<Standing> {
        Some(self.count(key, figures, now, true))
    }
}
