//! One durable transaction per event: on a thread that owns SQLite's connection, or
//! on a pool of PostgreSQL's.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::Connection;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::Outcome;
use crate::pool::Pool;

/// The table of both storing baselines, with the two indexes any such table has.
pub(crate) const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS event (
        id BLOB PRIMARY KEY, project INTEGER NOT NULL, time INTEGER NOT NULL,
        name TEXT NOT NULL, visitor TEXT, properties TEXT
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS event_time ON event (project, time);";

/// The insert of both storing baselines.
pub(crate) const INSERT: &str = "INSERT OR IGNORE INTO event (id, project, time, name, visitor, properties) VALUES (?, 1, ?, ?, ?, ?)";

/// What is read of an event.
#[derive(Deserialize)]
pub(crate) struct Event<'a> {
    pub(crate) event_name: &'a str,
    pub(crate) visitor_id: Option<&'a str>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

impl Event<'_> {
    /// Its properties, as they were sent.
    pub(crate) fn properties(&self) -> Option<&str> {
        self.metadata.map(RawValue::get)
    }
}

type Job = (Bytes, oneshot::Sender<Option<Uuid>>);

/// Where requests hand their events in.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    /// The thread that writes to SQLite.
    Thread(mpsc::Sender<Job>),
    /// Connections to PostgreSQL.
    Pool(Arc<Pool>),
}

impl Store {
    /// Opens the file and starts the thread that writes to it.
    pub(crate) fn thread(file: &Path) -> Outcome<Self> {
        let connection = Connection::open(file)?;
        connection.execute_batch(SCHEMA)?;
        let (jobs, mut waiting) = mpsc::channel::<Job>(1024);
        std::thread::spawn(move || {
            while let Some((body, done)) = waiting.blocking_recv() {
                let _ = done.send(insert(&connection, &body));
            }
        });
        Ok(Self::Thread(jobs))
    }

    /// Stores one event; answers its id once it is durable.
    pub(crate) async fn add(&self, body: Bytes) -> Option<Uuid> {
        let jobs = match self {
            Self::Thread(jobs) => jobs,
            Self::Pool(pool) => return pool.add(&body).await,
        };
        let (done, answer) = oneshot::channel();
        jobs.send((body, done)).await.ok()?;
        answer.await.ok()?
    }
}

/// A statement outside a transaction is one of its own.
fn insert(connection: &Connection, body: &[u8]) -> Option<Uuid> {
    let event: Event<'_> = serde_json::from_slice(body).ok()?;
    let id = Uuid::now_v7();
    let mut statement = connection.prepare_cached(INSERT).ok()?;
    let row = (
        id.as_bytes(),
        0,
        event.event_name,
        event.visitor_id,
        event.properties(),
    );
    statement.execute(row).ok()?;
    Some(id)
}
