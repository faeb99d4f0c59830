//! PostgreSQL: one pool for everything.

use std::str::FromStr as _;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::{DatabaseConnection, sqlx};

use crate::config::Config;
use crate::error::{Error, Result};

/// Connects the pool. A statement never runs longer than a call may.
pub(super) async fn connect(url: &str, config: &Config) -> Result<DatabaseConnection> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| Error::invalid("database_url is not valid").caused_by(error))?;
    let longest = config.transport.call_timeout.0.as_millis().to_string();
    let options = options
        .application_name("apex")
        .statement_cache_capacity(256)
        .options([("statement_timeout", longest.as_str())]);
    let options = sqlx::ConnectOptions::disable_statement_logging(options);
    let pool = PgPoolOptions::new()
        .max_connections(config.database.pool)
        .acquire_timeout(Duration::from_secs(5))
        .connect_with(options)
        .await;
    let pool = pool.map_err(|error| {
        Error::unavailable("cannot connect to PostgreSQL; is APEX_DATABASE_URL right?")
            .caused_by(error)
    })?;
    Ok(pool.into())
}
