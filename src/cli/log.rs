//! The log: to standard error, without making anybody wait for it.

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

use super::Outcome;
use crate::config::{Config, ConfigError, LogFormat};

/// Bytes written at once, at the most.
const BUFFER: usize = 64 * 1024;

/// Starts logging. What is still waiting is written when the guard is dropped.
pub(super) fn start(config: &Config) -> Outcome<WorkerGuard> {
    let filter =
        EnvFilter::try_new(&config.log).map_err(|error| ConfigError(format!("log: {error}")))?;
    // Lines that queue up together are written together.
    let output = std::io::BufWriter::with_capacity(BUFFER, std::io::stderr());
    let (writer, guard) = tracing_appender::non_blocking(output);
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    match config.log_format {
        LogFormat::Json => log.json().flatten_event(true).init(),
        LogFormat::Text => log.with_ansi(false).init(),
    }
    crate::panics::log();
    Ok(guard)
}
