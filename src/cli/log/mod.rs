//! The log: to standard error, without making anybody wait for it.

mod buffer;
mod fields;

use tracing_subscriber::EnvFilter;

use buffer::Flush;

use super::Outcome;
use crate::config::{Config, ConfigError, LogFormat};

/// Starts logging. What is still waiting is written when the guard is dropped.
pub(super) fn start(config: &Config) -> Outcome<Flush> {
    let filter =
        EnvFilter::try_new(&config.log).map_err(|error| ConfigError(format!("log: {error}")))?;
    let (writer, guard) = buffer::start(std::io::stderr())?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    match config.log_format {
        LogFormat::Json => log.json().flatten_event(true).init(),
        LogFormat::Text => log.fmt_fields(fields::Fields).init(),
    }
    crate::panics::log();
    Ok(guard)
}
