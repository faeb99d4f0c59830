//! The time, as a value that is handed around, so that tests can choose it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time as microseconds since 1970, UTC. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Shift against the system's time; only tests set one.
    shift: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The system's time.
    pub fn system() -> Self {
        Self::default()
    }

    /// The system's time, shifted by what the handle holds, in microseconds.
    pub fn shifted(shift: Arc<AtomicI64>) -> Self {
        Self { shift: Some(shift) }
    }

    /// Microseconds since 1970.
    pub fn micros(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_micros() as i64);
        let shift = self.shift.as_ref().map_or(0, |s| s.load(Ordering::Relaxed));
        now + shift
    }

    /// Whole seconds since 1970.
    pub fn seconds(&self) -> i64 {
        self.micros().div_euclid(MICROS)
    }
}

/// Microseconds of a second.
pub const MICROS: i64 = 1_000_000;
/// Microseconds of a day.
pub const DAY: i64 = 86_400 * MICROS;
