//! The log: to standard error, without making anybody wait for it.

mod buffer;
mod fields;
mod line;
mod time;

use tracing_subscriber::EnvFilter;

use buffer::Flush;

use super::Outcome;
use crate::config::{Config, ConfigError, LogFormat};

/// What is logged. The migrator's own account of every step is left out unless it is
/// asked for: a line of ours says what was applied.
pub(super) fn filter(config: &Config) -> Result<EnvFilter, ConfigError> {
    // What the engine is told holds secrets: its client's own words are for nobody.
    let all = format!("sea_orm_migration=warn,{},bollard=warn", config.log);
    EnvFilter::try_new(all).map_err(|error| {
        let log = &config.log;
        ConfigError(format!(
            "log: `{log}` is no filter such as info or info,apex::server=debug: {error}"
        ))
    })
}

/// Starts logging. What is still waiting is written when the guard is dropped.
pub(super) fn start(config: &Config) -> Outcome<Flush> {
    let filter = filter(config)?;
    let (writer, guard) = buffer::start(std::io::stderr())?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    match config.log_format {
        LogFormat::Json => log.json().flatten_event(true).with_timer(time::Time).init(),
        LogFormat::Text => log
            .fmt_fields(fields::Fields)
            .event_format(line::Line::default())
            .init(),
    }
    crate::panics::log();
    Ok(guard)
}
