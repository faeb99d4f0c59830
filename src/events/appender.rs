//! Group commit of events. Whatever arrives while one batch is being committed
//! becomes the next batch; there is no timer. The queue is bounded: when it is
//! full, callers are told to come back, and nothing is dropped.

use std::sync::Arc;

use prometheus_client::metrics::gauge::Gauge;
use sea_orm::DbBackend;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::batch::{self, Outcomes, State};
use super::model::NewEvent;
use crate::auth::ProjectId;
use crate::db::{Attempt, Db, Plan};
use crate::error::{Error, Result};

/// Events of one batch at the most.
const BATCH: usize = 10_000;

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Its id, without the prefix `evt_`.
    pub id: String,
    /// Whether it was stored before.
    pub duplicate: bool,
}

/// The reason when a named stream is not where its sender believes it to be.
pub const STREAM_MOVED: &str = "STREAM_MOVED";

/// How far a named stream of a client gets with the events sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPosition {
    /// The project it feeds.
    pub project: ProjectId,
    /// Its name.
    pub name: String,
    /// The position the events follow. When it is not the durable one, somebody
    /// else was faster, and nothing is stored.
    pub after: i64,
    /// The position of the last of them.
    pub position: i64,
}

/// The answer to keep for a replay, made once it is known what became of the
/// events.
pub type Keep = Box<dyn FnOnce(&[Appended]) -> Vec<u8> + Send + Sync>;

/// Events to be appended together.
pub(super) struct Job {
    pub(super) events: Vec<NewEvent>,
    pub(super) stream: Option<StreamPosition>,
    pub(super) keep: Option<(Attempt, Keep)>,
}

struct Queued {
    job: Job,
    answer: oneshot::Sender<Result<Vec<Appended>>>,
    _room: OwnedSemaphorePermit,
}

/// Takes events in. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Appender {
    queue: mpsc::UnboundedSender<Queued>,
    room: Arc<Semaphore>,
    size: usize,
    waiting: Gauge,
}

impl std::fmt::Debug for Queued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Queued({})", self.job.events.len())
    }
}

impl Appender {
    /// Starts appending. `size` events may wait.
    pub(super) fn start(db: Db, state: Arc<Mutex<State>>, size: usize, waiting: Gauge) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(run(db, state, receiver, waiting.clone()));
        Self {
            queue: sender,
            room: Arc::new(Semaphore::new(size)),
            size,
            waiting,
        }
    }

    /// Appends events and answers once they are durable.
    pub(super) async fn append(&self, job: Job) -> Result<Vec<Appended>> {
        let count = job.events.len().clamp(1, self.size) as u32;
        let full = |_| {
            Error::unavailable("Too many events are waiting to be written")
                .reason("EVENT_QUEUE_FULL")
        };
        let room = self
            .room
            .clone()
            .try_acquire_many_owned(count)
            .map_err(full)?;
        let (answer, outcome) = oneshot::channel();
        self.waiting.inc_by(job.events.len() as i64);
        let closed = || Error::unavailable("The server is shutting down");
        let queued = Queued {
            job,
            answer,
            _room: room,
        };
        self.queue.send(queued).map_err(|_| closed())?;
        outcome.await.map_err(|_| closed())?
    }
}

async fn run(
    db: Db,
    state: Arc<Mutex<State>>,
    mut queue: mpsc::UnboundedReceiver<Queued>,
    waiting: Gauge,
) {
    while let Some(first) = queue.recv().await {
        // Who is ready to hand in does so first: twice, for what came in while others
        // did. Otherwise the first of many would be written alone.
        for _ in 0..2 {
            tokio::task::yield_now().await;
        }
        let mut count = first.job.events.len();
        let mut group = vec![first];
        while count < BATCH
            && let Ok(next) = queue.try_recv()
        {
            count += next.job.events.len();
            group.push(next);
        }
        let (jobs, answers): (Vec<Job>, Vec<_>) = group
            .into_iter()
            .map(|queued| (queued.job, (queued.answer, queued._room)))
            .unzip();
        waiting.dec_by(count as i64);
        match write(&db, &state, jobs).await {
            Ok((mut state, outcomes)) => {
                state.committed();
                drop(state);
                for ((answer, _room), outcome) in answers.into_iter().zip(outcomes) {
                    let _ = answer.send(outcome);
                }
            }
            Err(error) => {
                state.lock().await.undone();
                refuse(answers, &error);
            }
        }
    }
}

/// What was written: the state, which learned of it once that is known to be durable,
/// and what became of each job.
type Written = (OwnedMutexGuard<State>, Outcomes);

async fn write(db: &Db, state: &Arc<Mutex<State>>, jobs: Vec<Job>) -> Result<Written> {
    if db.backend() == DbBackend::Postgres && state.lock().await.may_believe(&jobs) {
        let copy = |job: &Job| Job {
            events: job.events.clone(),
            stream: None,
            keep: None,
        };
        let plan = plan(state.clone(), jobs.iter().map(copy).collect());
        if let Some(written) = db.write_believing(plan).await? {
            return Ok(written);
        }
    }
    db.write_planned(plan(state.clone(), jobs)).await
}

fn plan(state: Arc<Mutex<State>>, jobs: Vec<Job>) -> Plan<Written> {
    Box::new(move |look| {
        Box::pin(async move {
            // One batch is written at a time, so nobody waits for this.
            let mut state = state.lock_owned().await;
            let (script, outcomes) = batch::plan(look, &mut state, jobs).await?;
            Ok((script, (state, outcomes)))
        })
    })
}

type Answer = (oneshot::Sender<Result<Vec<Appended>>>, OwnedSemaphorePermit);

/// The batch failed as a whole: nothing of it is stored, everybody may try again.
fn refuse(answers: Vec<Answer>, error: &Error) {
    tracing::error!(
        cause = error.log_cause(),
        calls = answers.len(),
        "cannot store events"
    );
    for (answer, _room) in answers {
        let refused = Error::unavailable("The events could not be stored; try again");
        let refused = match error.specific_reason() {
            Some(reason) => refused.reason(reason),
            None => refused,
        };
        let _ = answer.send(Err(refused));
    }
}
