//! The products. Each is self-contained: its service, its rules and its queries.
//! None imports another.

pub mod account;
pub(crate) mod amount;
pub mod crm;
pub(crate) mod feed;
pub mod growth;
pub mod memory;
pub mod metrics;
pub mod operations;
pub mod paas;
pub(crate) mod period;

use prost_types::Timestamp;

use crate::clock::MICROS;

/// A time of the database as a message.
pub(crate) fn timestamp(micros: i64) -> Timestamp {
    Timestamp {
        seconds: micros.div_euclid(MICROS),
        nanos: (micros.rem_euclid(MICROS) * 1000) as i32,
    }
}

/// A time of a message as the database keeps it; finer than a microsecond is cut
/// off. `None` when it is out of range.
pub(crate) fn micros(time: &Timestamp) -> Option<i64> {
    let nanos = i64::from(time.nanos);
    let valid = (0..1_000_000_000).contains(&nanos);
    let seconds = time.seconds.checked_mul(MICROS).filter(|_| valid)?;
    seconds.checked_add(nanos / 1000)
}
