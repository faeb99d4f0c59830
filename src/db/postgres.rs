//! PostgreSQL: connections that readers and writers share. One may fall silent, as when its
//! server loses power or a network its packets: TCP alone notices after a quarter of
//! an hour. So nothing here waits for ever, and what was waited for in vain is closed.

mod connections;

use std::io;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::{DatabaseConnection, DbErr, RuntimeErr};

use crate::config::Config;
use crate::error::{Error, Result};

pub(super) use connections::{Connections, Transaction};

/// How long a connection may take to show that it is sound.
const SOUND: Duration = Duration::from_secs(2);

/// A transaction that is left alone so long is ended by PostgreSQL: a node that fell
/// silent must not hold up what others write.
const ABANDONED: Duration = Duration::from_secs(5);

/// How long a statement is waited for. PostgreSQL ends one that runs as long as a
/// call may, so a longer silence is a connection's end.
#[derive(Debug, Clone, Copy)]
struct Patience(Duration);

impl Patience {
    fn of(config: &Config) -> Self {
        Self(config.transport.call_timeout.0 + SOUND)
    }

    /// Waits for a statement.
    async fn wait<T>(self, statement: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let silent = |_| {
            let error = io::Error::new(io::ErrorKind::TimedOut, "the connection fell silent");
            Err(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error.into()))))
        };
        let answered = tokio::time::timeout(self.0, statement).await;
        answered.unwrap_or_else(silent)
    }
}

/// Connects. A statement never runs longer than a call may. Answers the connections of
/// those who read and write, and a pool for migrations.
pub(super) async fn connect(
    url: &str,
    config: &Config,
) -> Result<(Connections, DatabaseConnection)> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| Error::invalid("database_url is not valid").caused_by(error))?;
    let longest = config.transport.call_timeout.0.as_millis().to_string();
    let abandoned = ABANDONED.as_millis().to_string();
    let options = options
        .application_name("apex")
        .statement_cache_capacity(256)
        .options([
            ("statement_timeout", longest.as_str()),
            ("idle_in_transaction_session_timeout", abandoned.as_str()),
            // A connection is taken back to the beginning without knowing where it was.
            ("client_min_messages", "error"),
        ]);
    let options = sqlx::ConnectOptions::disable_statement_logging(options);
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(Duration::from_secs(60))
        .connect_with(options.clone())
        .await;
    let pool = pool.map_err(|error| {
        Error::unavailable("cannot connect to PostgreSQL; is APEX_DATABASE_URL right?")
            .caused_by(error)
    })?;
    let connections = Connections::new(options, config.database.pool, Patience::of(config));
    Ok((connections, pool.into()))
}
