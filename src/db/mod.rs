//! The database: SQLite in the data directory or PostgreSQL by URL, with the same
//! code above it.
//!
//! There is one way to write, [`Db::write`], and it acknowledges after the commit
//! is durable. On SQLite a single writer shares one transaction among whatever
//! queued while the last one committed. Reads have connections of their own and
//! end with the caller's deadline.

mod backup;
mod fault;
mod group;
mod held;
pub mod idempotency;
pub mod migrate;
pub mod outbox;
mod postgres;
mod read;
mod restore;
mod script;
pub(crate) mod sql;
mod sqlite;
pub mod tenancy;
mod tx;
mod witness;
mod writer;

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use prost::Message;
use sea_orm::{DatabaseConnection, DbBackend};
use secrecy::ExposeSecret as _;

pub use fault::is_duplicate;
pub use idempotency::{Attempt, Ledger};
pub use read::Read;
pub use restore::restore;
pub use script::{Look, Plan, Script};
pub use tx::Tx;

use crate::config::Config;
use crate::error::{Error, Kind, Result};
use read::Readers;
use writer::Writer;

/// A handle to the database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    readers: Readers,
    writer: Writer,
    /// A connection for migrations.
    admin: DatabaseConnection,
    /// The embedded database's file.
    file: Option<PathBuf>,
}

/// Work inside a transaction, whatever it answers: what runs it is compiled once.
type Work = Box<dyn for<'t> FnOnce(&'t Tx) -> BoxFuture<'t, Result<Outcome>> + Send>;

/// What work answers.
type Outcome = Box<dyn Any + Send>;

/// The embedded database's file, if the configuration names it and it is not there.
pub fn missing(config: &Config) -> Option<PathBuf> {
    let url = config.database_url.expose_secret();
    let file = (!url.starts_with("postgres")).then(|| sqlite::path(url, config));
    file.filter(|file| !file.exists())
}

impl Db {
    /// Opens the database the configuration names.
    pub async fn open(config: &Config) -> Result<Self> {
        let url = config.database_url.expose_secret();
        let inner = if url.starts_with("postgres") {
            let (connections, admin) = postgres::connect(url, config).await?;
            Inner {
                readers: Readers::shared(connections.clone()),
                writer: Writer::Shared(connections),
                admin,
                file: None,
            }
        } else {
            let path = sqlite::path(url, config);
            // The first one makes the file.
            let admin = sqlite::admin(&path, config).await?;
            Inner {
                readers: sqlite::readers(&path, config),
                writer: sqlite::writer(&path, config).await?,
                admin,
                file: Some(path),
            }
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Which database it is.
    pub fn backend(&self) -> DbBackend {
        self.0.admin.get_database_backend()
    }

    /// Name of the database, for people.
    pub fn engine(&self) -> &'static str {
        match self.backend() {
            DbBackend::Postgres => "postgresql",
            _ => "sqlite",
        }
    }

    /// A connection for migrations.
    pub fn admin(&self) -> &DatabaseConnection {
        &self.0.admin
    }

    /// Whether the last that was written was lost to a fault of the database.
    pub fn is_faulty(&self) -> bool {
        self.0.writer.is_faulty()
    }

    /// How many connections are in use, and how many there are.
    pub fn pool(&self) -> (usize, usize) {
        self.0.readers.pool()
    }

    /// Closes the connections that write, once what they do is done. The embedded
    /// database is all in its file then.
    pub async fn close(&self) -> Result<()> {
        self.0.writer.close().await;
        Ok(self.0.admin.close_by_ref().await?)
    }

    /// Empties the log of the embedded database into its file, so that what was
    /// deleted is in neither. Says whether it could: readers may be in the way.
    pub async fn write_back(&self) -> Result<bool> {
        match self.0.file {
            Some(_) => sqlite::write_back(&self.0.admin).await,
            None => Ok(true),
        }
    }

    /// Copies the embedded database to a new file; answers its size in bytes.
    pub async fn backup(&self, target: &Path) -> Result<u64> {
        match &self.0.file {
            Some(source) => backup::copy(source, target).await,
            None => Err(Error::new(
                Kind::FailedPrecondition,
                "this database is PostgreSQL's: use pg_dump",
            )),
        }
    }

    /// Copies the embedded database beside itself, before it loses data. Answers the
    /// copy; there is none of PostgreSQL's.
    pub async fn keep(&self) -> Result<Option<PathBuf>> {
        let Some(source) = &self.0.file else {
            return Ok(None);
        };
        let kept = restore::kept_as(source);
        backup::copy(source, &kept).await?;
        Ok(Some(kept))
    }

    /// A connection to read with, until the deadline.
    pub async fn read(&self, deadline: Option<Instant>) -> Result<Read> {
        self.0.readers.plain(deadline).await
    }

    /// A consistent view to read with, until the deadline.
    pub async fn snapshot(&self, deadline: Option<Instant>) -> Result<Read> {
        self.0.readers.snapshot(deadline).await
    }

    /// Writes, and answers once the commit is durable. An error of `work` undoes
    /// what it did and nothing else.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let work: Work = Box::new(move |tx| {
            let done = work(tx);
            Box::pin(async move { Ok(Box::new(done.await?) as Outcome) })
        });
        let outcome = self.0.writer.write(work).await?;
        let own = outcome.downcast::<T>();
        let own = own.map_err(|_| Error::internal("work answered for another"))?;
        Ok(*own)
    }

    /// Writes, and keeps the answer for a replay of the same request in the same
    /// transaction. A request that was answered meanwhile is answered the same.
    pub async fn answer<T, F>(&self, attempt: Option<&Attempt>, work: F) -> Result<T>
    where
        T: Message + Default + Send + 'static,
        F: for<'t> FnOnce(&'t Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let Some(attempt) = attempt.cloned() else {
            return self.write(work).await;
        };
        self.write(move |tx| {
            Box::pin(async move {
                attempt.lock(tx).await?;
                if let Some(stored) = attempt.stored(tx).await? {
                    return T::decode(stored.as_slice()).map_err(Error::internal);
                }
                let answer = work(tx).await?;
                attempt.keep(tx, &answer.encode_to_vec()).await?;
                Ok(answer)
            })
        })
        .await
    }
}
