//! Connections that read. On SQLite each is leased to one reader at a time and
//! interrupted when the reader's deadline passes or the reader goes away.

mod lanes;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Instant;

use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    ExecResult, QueryResult, Statement, TransactionTrait as _,
};
use tokio::sync::{Mutex as Turns, OwnedSemaphorePermit, Semaphore};

use super::Db;
use super::held::Held;
use super::postgres::{Connections, Transaction};
use crate::auth::OrganizationId;
use crate::error::{Error, Result};
use lanes::{Lane, Lanes, Place, RESERVED, permit};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// When a statement must end, readable from SQLite's own thread: nanoseconds
/// since the process began, or never.
#[derive(Debug, Clone)]
pub(super) struct Alarm(Arc<AtomicU64>);

impl Default for Alarm {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }
}

impl Alarm {
    fn set(&self, deadline: Option<Instant>) {
        let at = deadline.map_or(u64::MAX, since_start);
        self.0.store(at, Ordering::Relaxed);
    }

    fn ring(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    pub(super) fn is_past(&self, now: Instant) -> bool {
        let at = self.0.load(Ordering::Relaxed);
        at != u64::MAX && since_start(now) >= at
    }
}

fn since_start(at: Instant) -> u64 {
    at.saturating_duration_since(*START).as_nanos() as u64
}

/// All connections that read.
#[derive(Debug)]
pub(super) struct Readers {
    source: Source,
    lanes: Lanes,
}

#[derive(Debug)]
enum Source {
    /// PostgreSQL's, which those who write lease as well.
    Shared(Connections),
    /// Single connections, leased here.
    Own(Arc<Own>),
}

#[derive(Debug)]
struct Own {
    idle: Mutex<Vec<Reader>>,
    permits: Arc<Semaphore>,
    size: usize,
}

#[derive(Debug)]
struct Reader {
    /// A pool of one.
    connection: DatabaseConnection,
    /// The one, unless a view has it.
    held: Turns<Option<Held>>,
    alarm: Alarm,
    /// A statement may still be running for a reader that went away.
    dirty: bool,
}

/// A connection, or a consistent view, leased for reading.
#[derive(Debug)]
pub struct Read {
    session: Session,
    busy: AtomicBool,
    lease: Option<Lease>,
    _place: Place,
}

#[derive(Debug)]
enum Session {
    /// One of PostgreSQL's for each statement.
    Plain(Connections),
    /// A transaction of PostgreSQL's.
    View(Transaction),
    /// What is leased of SQLite's.
    Leased,
    Snapshot(DatabaseTransaction),
}

#[derive(Debug)]
struct Lease {
    reader: Option<Reader>,
    home: Arc<Own>,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    pub(super) fn shared(connections: Connections) -> Self {
        let size = connections.size();
        Self {
            source: Source::Shared(connections),
            // Whoever writes takes one of the same connections.
            lanes: Lanes::new(size, size / 2),
        }
    }

    /// How many connections are in use, and how many there are.
    pub(super) fn pool(&self) -> (usize, usize) {
        match &self.source {
            Source::Shared(connections) => connections.open(),
            Source::Own(own) => {
                let idle = own.permits.available_permits();
                (own.size.saturating_sub(idle), own.size)
            }
        }
    }

    /// How many connections there should be, for so many questions at once.
    pub(super) fn wanted(questions: u32) -> usize {
        questions.max(1) as usize + RESERVED
    }

    pub(super) fn own(readers: Vec<(DatabaseConnection, Alarm)>) -> Self {
        LazyLock::force(&START);
        let idle: Vec<Reader> = readers
            .into_iter()
            .map(|(connection, alarm)| Reader {
                connection,
                held: Turns::default(),
                alarm,
                dirty: false,
            })
            .collect();
        Self {
            lanes: Lanes::new(idle.len(), RESERVED),
            source: Source::Own(Arc::new(Own {
                permits: Arc::new(Semaphore::new(idle.len())),
                size: idle.len(),
                idle: Mutex::new(idle),
            })),
        }
    }

    pub(super) async fn plain(&self, deadline: Option<Instant>) -> Result<Read> {
        let (session, lease) = match &self.source {
            Source::Shared(connections) => (Session::Plain(connections.clone()), None),
            Source::Own(own) => {
                let mut lease = Lease::of(own, deadline).await?;
                lease.hold(deadline).await?;
                (Session::Leased, Some(lease))
            }
        };
        Ok(Read {
            session,
            busy: AtomicBool::new(false),
            lease,
            _place: Place::default(),
        })
    }

    pub(super) async fn snapshot(&self, deadline: Option<Instant>) -> Result<Read> {
        self.view(Lane::Short, deadline).await
    }

    async fn view(&self, lane: Lane, deadline: Option<Instant>) -> Result<Read> {
        let place = self.lanes.enter(lane, deadline).await?;
        let (session, lease) = match &self.source {
            Source::Shared(connections) => (view(connections, deadline).await?, None),
            Source::Own(own) => {
                let mut lease = Lease::of(own, deadline).await?;
                let connection = lease.pool(deadline).await?;
                (Session::Snapshot(connection.begin().await?), Some(lease))
            }
        };
        Ok(Read {
            session,
            busy: AtomicBool::new(false),
            lease,
            _place: place,
        })
    }
}

/// A consistent view of PostgreSQL's, from its first question on.
async fn view(connections: &Connections, deadline: Option<Instant>) -> Result<Session> {
    let mut begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned();
    if let Some(deadline) = deadline {
        // Dropping the future would not stop PostgreSQL.
        let left = deadline.saturating_duration_since(Instant::now());
        let left = left.as_millis().max(1);
        begin += &format!("; SET LOCAL statement_timeout = {left}");
    }
    Ok(Session::View(connections.transaction(begin).await?))
}

impl Db {
    /// A consistent view to answer questions about events of an organization with,
    /// which may take long. One organization has some of the readers at the most.
    pub async fn events_of(
        &self,
        organization: OrganizationId,
        deadline: Option<Instant>,
    ) -> Result<Read> {
        let lane = Lane::Events(organization.0);
        self.0.readers.view(lane, deadline).await
    }

    /// A consistent view to fold events with. There is one at a time.
    pub async fn fold_view(&self) -> Result<Read> {
        self.0.readers.view(Lane::Fold, None).await
    }
}

impl Lease {
    async fn of(own: &Arc<Own>, deadline: Option<Instant>) -> Result<Self> {
        let permit = permit(&own.permits, deadline).await?;
        let reader = lock(&own.idle).pop().ok_or_else(closing)?;
        Ok(Self {
            reader: Some(reader),
            home: own.clone(),
            _permit: permit,
        })
    }

    /// Makes the connection ready, and keeps it.
    async fn hold(&mut self, deadline: Option<Instant>) -> Result<()> {
        let reader = self.reader.as_mut().ok_or_else(closing)?;
        if reader.held.get_mut().is_none() {
            *reader.held.get_mut() = Some(Held::of(&reader.connection).await?);
        }
        reader.ready(deadline).await
    }

    /// Makes the connection ready, and leaves it to its pool.
    async fn pool(&mut self, deadline: Option<Instant>) -> Result<DatabaseConnection> {
        let reader = self.reader.as_mut().ok_or_else(closing)?;
        reader.ready(deadline).await?;
        *reader.held.get_mut() = None;
        Ok(reader.connection.clone())
    }
}

impl Reader {
    /// Waits for a statement that was abandoned, then sets the alarm.
    async fn ready(&mut self, deadline: Option<Instant>) -> Result<()> {
        if self.dirty {
            // Its alarm still rings, so the abandoned statement ends first.
            match self.held.get_mut() {
                Some(held) => held.run("SELECT 1").await?,
                None => self.connection.execute_unprepared("SELECT 1").await?,
            };
            self.dirty = false;
        }
        self.alarm.set(deadline);
        Ok(())
    }
}

fn closing() -> Error {
    Error::unavailable("The server is shutting down")
}

impl Read {
    /// What is held of SQLite's.
    fn held(&self) -> Result<&Turns<Option<Held>>, DbErr> {
        let reader = self.lease.as_ref().and_then(|lease| lease.reader.as_ref());
        let none = || DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed);
        reader.map(|reader| &reader.held).ok_or_else(none)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            lock(&self.home.idle).push(reader);
        }
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        let busy = self.busy.load(Ordering::Relaxed);
        if let Some(reader) = self.lease.as_mut().and_then(|lease| lease.reader.as_mut()) {
            reader.dirty = busy;
            if busy {
                reader.alarm.ring();
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing panics while it is held, and a list stays a list if it did.
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Forwards a statement and marks the connection busy while it runs.
macro_rules! forward {
    ($self:ident, $method:ident, $own:ident, $argument:expr) => {{
        $self.busy.store(true, Ordering::Relaxed);
        let result = match &$self.session {
            Session::Plain(connections) => {
                connections
                    .alone(async |held| held.$own($argument).await)
                    .await
            }
            Session::View(view) => view.ask(async |held| held.$own($argument).await).await,
            Session::Snapshot(snapshot) => snapshot.$method($argument).await,
            Session::Leased => match $self.held()?.lock().await.as_mut() {
                Some(held) => held.$own($argument).await,
                None => Err(DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
            },
        };
        $self.busy.store(false, Ordering::Relaxed);
        result
    }};
}

#[tonic::async_trait]
impl ConnectionTrait for Read {
    fn get_database_backend(&self) -> DbBackend {
        match &self.session {
            Session::Plain(_) | Session::View(_) => DbBackend::Postgres,
            Session::Leased | Session::Snapshot(_) => DbBackend::Sqlite,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        forward!(self, execute_raw, execute, statement)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        forward!(self, execute_unprepared, run, sql)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        forward!(self, query_one_raw, one, statement)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        forward!(self, query_all_raw, all, statement)
    }
}
