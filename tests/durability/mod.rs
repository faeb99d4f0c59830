//! What a crash may cost: nothing that was acknowledged. The server is killed by
//! signal 9 in the middle of everything it does, and then asked what it has.

mod backups;
mod batches;
mod clock_steps;
mod copies;
mod crash;
mod failing_sync;
mod files;
mod full_disk;
mod idempotency;
mod imports;
mod migrations;
mod nodes;
pub mod oracle;
mod outages;
mod private;
mod shared_streams;
mod stopped;
mod stored;
mod torn_log;
mod traced;
