//! Plans one batch of events, which is written in one transaction: recognises
//! repeats, numbers visitors, and lays out the rows and the log's new position.
//!
//! What the batch learned is kept apart until the commit is known. On SQLite nobody
//! but the one who writes batches, one after another, writes what a plan looks at. On
//! PostgreSQL the row of the position is locked first, so that batches of several
//! nodes come one after another and positions are committed in order. Where a batch is
//! nothing but events of known visitors, no other node is believed to have appended
//! anything: it is one statement, which writes nothing where that is wrong.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, Value};
use uuid::Uuid;

use super::appender::{Appended, Job, Keep, STREAM_MOVED, StreamPosition};
use super::dedupe::{Dedupe, Verdict};
use super::insert::{self, Row};
use super::position;
use super::visitors::Visitors;
use crate::auth::ProjectId;
use crate::clock::Clock;
use crate::db::{Attempt, Look, Script};
use crate::error::{Error, Kind, Result, reason};

/// Events of a batch that is tried first without a lock, at the most: they are copied
/// for a second try.
const BELIEVED: usize = 1_000;

/// What the writer of events remembers between batches.
#[derive(Debug)]
pub(super) struct State {
    clock: Clock,
    /// Last position that is committed, as far as this process knows.
    position: i64,
    /// Last position of the batch being written.
    pending: i64,
    /// A batch failed: what the database has is looked up again.
    in_doubt: bool,
    pub(super) visitors: Visitors,
    pub(super) dedupe: Dedupe,
}

impl State {
    pub(super) fn new(clock: Clock, position: i64, dedupe: Dedupe) -> Self {
        Self {
            clock,
            position,
            pending: position,
            in_doubt: false,
            visitors: Visitors::new(),
            dedupe,
        }
    }

    /// The batch is durable: what it learned holds.
    pub(super) fn committed(&mut self) {
        self.position = self.pending;
        self.visitors.committed();
        self.dedupe.committed();
    }

    /// The batch never happened, as far as is known.
    pub(super) fn undone(&mut self) {
        self.forget_pending();
        self.visitors.forget_counters();
        self.in_doubt = true;
    }

    /// Whether a batch may be written in the belief that no other node wrote meanwhile.
    /// All that it rests on besides its events moves the position, which is looked at.
    pub(super) fn may_believe(&self, jobs: &[Job]) -> bool {
        let plain = |job: &Job| job.stream.is_none() && job.keep.is_none();
        let mut events = jobs.iter().flat_map(|job| &job.events);
        let few = jobs.iter().map(|job| job.events.len()).sum::<usize>() <= BELIEVED;
        !self.in_doubt
            && few
            && jobs.iter().all(plain)
            && events.all(|event| self.visitors.knows(event))
    }

    fn forget_pending(&mut self) {
        self.pending = self.position;
        self.visitors.undone();
        self.dedupe.undone();
    }
}

/// What became of each job of a batch.
pub(super) type Outcomes = Vec<Result<Vec<Appended>>>;

/// Plans a batch. The outer error is of the whole batch, an inner one of a job.
pub(super) async fn plan(
    look: &Look<'_>,
    state: &mut State,
    jobs: Vec<Job>,
) -> Result<(Script, Outcomes)> {
    state.forget_pending();
    catch_up(look, state).await?;
    let mut outcomes = Vec::with_capacity(jobs.len());
    let mut accepted = Vec::with_capacity(jobs.len());
    let mut streams = Streams::new();
    for job in jobs {
        let refused = match &job.stream {
            Some(stream) => moved(look, &mut streams, stream).await?,
            None => answered_meanwhile(look, &job).await?,
        };
        match refused {
            Some(error) => outcomes.push(Err(error)),
            None => {
                outcomes.push(Ok(Vec::with_capacity(job.events.len())));
                accepted.push((outcomes.len() - 1, job));
            }
        }
    }
    let events: Vec<_> = accepted.iter().flat_map(|(_, job)| &job.events).collect();
    let verdicts = state.dedupe.judge(look, state.position, &events).await?;
    // A repeat adds nothing, not even a visitor: other nodes learn of new visitors
    // by the position alone.
    let fresh: Vec<_> = (events.iter().zip(&verdicts))
        .filter(|(_, verdict)| **verdict == Verdict::New)
        .map(|(event, _)| *event)
        .collect();
    let mut script = Script::default();
    let ordinals = state.visitors.number(look, &fresh, &mut script).await?;
    let received = state.clock.micros();
    let mut rows = Vec::with_capacity(fresh.len());
    let mut verdicts = verdicts.into_iter();
    for (slot, job) in accepted {
        let Ok(outcome) = &mut outcomes[slot] else {
            continue;
        };
        for (event, verdict) in job.events.into_iter().zip(&mut verdicts) {
            let own = match &event.client_id {
                Some(_) => None,
                None => Some(Uuid::now_v7()),
            };
            let id = event.client_id.clone().or(own.map(|id| id.to_string()));
            outcome.push(Appended {
                id: id.unwrap_or_default(),
                duplicate: verdict == Verdict::Duplicate,
            });
            if verdict == Verdict::New {
                rows.push(Row {
                    seq: state.position + 1 + rows.len() as i64,
                    received,
                    id: own,
                    visitor: ordinals[rows.len()],
                    event,
                });
            }
        }
        finish(job.stream, job.keep, outcome, received, &mut script)?;
    }
    state.pending = state.position + rows.len() as i64;
    insert::events(
        look.get_database_backend(),
        state.position,
        rows,
        &mut script,
    );
    Ok((script, outcomes))
}

/// What a job wants written beside its events.
fn finish(
    stream: Option<StreamPosition>,
    keep: Option<(Attempt, Keep)>,
    outcome: &[Appended],
    now: i64,
    script: &mut Script,
) -> Result<()> {
    if let Some(stream) = stream {
        let sql = "INSERT INTO event_stream (project, name, position, updated_at) \
                   VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (project, name) DO UPDATE SET \
                   position = excluded.position, updated_at = excluded.updated_at";
        let values: [Value; 4] = [
            stream.project.into(),
            stream.name.into(),
            stream.position.into(),
            now.into(),
        ];
        script.push(sql, values.into());
    }
    if let Some((attempt, keep)) = keep {
        let (sql, values) = attempt.record(&keep(outcome))?;
        script.push(sql, values);
    }
    Ok(())
}

/// How far the streams of a batch get.
type Streams = HashMap<(ProjectId, String), i64>;

/// Whether a stream is not where its sender believes it to be: somebody else feeds
/// it too, or what the sender had sent before it was cut off was written after all.
/// Batches come one after another, on PostgreSQL by the lock on the log's position,
/// so nobody moves it between this look and the commit.
async fn moved(
    look: &impl ConnectionTrait,
    streams: &mut Streams,
    stream: &StreamPosition,
) -> Result<Option<Error>> {
    let key = (stream.project, stream.name.clone());
    let stored = match streams.get(&key) {
        Some(position) => *position,
        None => position::of_stream(look, stream.project, &stream.name).await?,
    };
    if stored == stream.after && stream.position > stored {
        streams.insert(key, stream.position);
        return Ok(None);
    }
    let error = Error::new(
        Kind::Aborted,
        "The stream got further meanwhile; open it again and go on from its position",
    );
    Ok(Some(error.reason(STREAM_MOVED)))
}

/// The same `Idempotency-Key` may have been answered since it was looked for: by
/// another node, or by a batch that was still being committed and whose caller
/// hung up.
async fn answered_meanwhile(look: &impl ConnectionTrait, job: &Job) -> Result<Option<Error>> {
    let Some((attempt, _)) = &job.keep else {
        return Ok(None);
    };
    if !attempt.is_stored(look).await? {
        return Ok(None);
    }
    Ok(Some(
        Error::new(
            Kind::Aborted,
            "This request was answered meanwhile; send it again",
        )
        .reason(reason::IDEMPOTENCY_IN_PROGRESS),
    ))
}

/// Locks the position and learns what other nodes appended, or what a batch that
/// seemed to have failed did. Outside of a transaction there is nothing to lock.
async fn catch_up(look: &Look<'_>, state: &mut State) -> Result<()> {
    if matches!(look, Look::Ahead(_)) && !state.in_doubt {
        return Ok(());
    }
    let position = position::lock_appended(look).await?;
    if position != state.position {
        state.dedupe.catch_up(look, state.position).await?;
        state.visitors.forget_counters();
        state.position = position;
        state.pending = position;
    }
    state.in_doubt = false;
    Ok(())
}
