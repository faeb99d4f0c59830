//! One insert per event, on one of a few connections to PostgreSQL.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;

use crate::Outcome;
use crate::store::Event;

/// Connections of a pool; more are not faster.
const SIZE: usize = 16;

/// The same table as SQLite's, with the same two indexes.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS baseline_event (
        id UUID PRIMARY KEY, project BIGINT NOT NULL, time BIGINT NOT NULL,
        name TEXT NOT NULL, visitor TEXT, properties TEXT
    );
    CREATE INDEX IF NOT EXISTS baseline_event_time ON baseline_event (project, time);";

const INSERT: &str = "INSERT INTO baseline_event (id, project, time, name, visitor, properties) \
                      VALUES ($1::text::uuid, 1, 0, $2, $3, $4)";

/// A connection on loan. It is given back also when the client hangs up.
#[derive(Debug)]
struct Taken<'a>(&'a Pool, Option<Connected>);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.lock().extend(self.1.take());
    }
}

/// Connections that wait for a request.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Mutex<Vec<Connected>>,
    permits: Semaphore,
}

#[derive(Debug)]
struct Connected {
    client: Client,
    insert: Statement,
}

impl Pool {
    /// Opens all connections.
    pub(crate) async fn open(url: &str) -> Outcome<Self> {
        let mut idle = Vec::with_capacity(SIZE);
        for _ in 0..SIZE {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            tokio::spawn(connection);
            client.batch_execute(SCHEMA).await?;
            let insert = client.prepare(INSERT).await?;
            idle.push(Connected { client, insert });
        }
        Ok(Self {
            idle: Mutex::new(idle),
            permits: Semaphore::new(SIZE),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connected>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores one event; answers its id once it is durable.
    pub(crate) async fn add(&self, body: &Bytes) -> Option<Uuid> {
        let event: Event<'_> = serde_json::from_slice(body).ok()?;
        let id = Uuid::now_v7();
        let _permit = self.permits.acquire().await.ok()?;
        let taken = Taken(self, self.lock().pop());
        let connected = taken.1.as_ref()?;
        let (text, properties) = (id.to_string(), event.properties());
        let stored = connected
            .client
            .execute(
                &connected.insert,
                &[&text, &event.event_name, &event.visitor_id, &properties],
            )
            .await;
        stored.ok().map(|_| id)
    }
}
