//! PostgreSQL: one pool for everything. A connection may fall silent, as when its
//! server loses power or a network its packets: TCP alone notices after a quarter of
//! an hour. So nothing here waits for ever, and what was waited for in vain is closed.

use std::io;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sea_orm::sqlx::{self, Connection as _};
use sea_orm::{DatabaseConnection, DbErr, RuntimeErr};

use crate::config::Config;
use crate::error::{Error, Result};

/// How long a connection may take to show that it is sound, when it is given back.
const SOUND: Duration = Duration::from_secs(2);

/// How long a connection that was sound is believed to be.
const RECENT: Duration = Duration::from_secs(1);

/// A transaction that is left alone so long is ended by PostgreSQL: a node that fell
/// silent must not hold up what others write.
const ABANDONED: Duration = Duration::from_secs(5);

/// How long a statement is waited for. PostgreSQL ends one that runs as long as a
/// call may, so a longer silence is a connection's end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience(Duration);

impl Patience {
    pub(super) fn of(config: &Config) -> Self {
        Self(config.transport.call_timeout.0 + SOUND)
    }

    /// Waits for a statement.
    pub(super) async fn wait<T>(
        self,
        statement: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        let silent = |_| {
            let error = io::Error::new(io::ErrorKind::TimedOut, "the connection fell silent");
            Err(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error.into()))))
        };
        let answered = tokio::time::timeout(self.0, statement).await;
        answered.unwrap_or_else(silent)
    }
}

/// Waits for a statement: with patience on PostgreSQL, as it is elsewhere.
pub(super) async fn waited<T>(
    patience: Option<Patience>,
    work: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    match patience {
        Some(patience) => patience.wait(work).await,
        None => work.await,
    }
}

/// Whether a connection can be used.
async fn is_sound(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let silent = |_| Err(io::Error::from(io::ErrorKind::TimedOut).into());
    let answered = tokio::time::timeout(SOUND, connection.ping()).await;
    answered.unwrap_or_else(silent).map(|()| true)
}

/// Connects the pool. A statement never runs longer than a call may.
pub(super) async fn connect(url: &str, config: &Config) -> Result<DatabaseConnection> {
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
        ]);
    let options = sqlx::ConnectOptions::disable_statement_logging(options);
    let pool = PgPoolOptions::new()
        .max_connections(config.database.pool)
        .acquire_timeout(Duration::from_secs(5))
        // It was sound when it was given back; that is asked again after a pause only.
        .test_before_acquire(false)
        .before_acquire(|connection, found| {
            Box::pin(async move {
                match found.idle_for < RECENT {
                    true => Ok(true),
                    false => is_sound(connection).await,
                }
            })
        })
        .after_release(|connection, _| Box::pin(is_sound(connection)))
        .connect_with(options)
        .await;
    let pool = pool.map_err(|error| {
        Error::unavailable("cannot connect to PostgreSQL; is APEX_DATABASE_URL right?")
            .caused_by(error)
    })?;
    Ok(pool.into())
}
