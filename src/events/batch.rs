//! Writes one batch of events in one transaction: recognises repeats, numbers
//! visitors, inserts, and moves the log's position on.
//!
//! What the batch learned is kept apart until the commit is known. On PostgreSQL
//! the row of the position is locked first, so that batches of several nodes come
//! one after another and positions are committed in order.

use sea_orm::{ConnectionTrait as _, DbBackend, Value};
use uuid::Uuid;

use super::appender::{Appended, Job};
use super::dedupe::{Dedupe, Verdict};
use super::insert::{self, Row};
use super::sql::{execute, rows};
use super::visitors::Visitors;
use crate::clock::Clock;
use crate::db::Tx;
use crate::error::{Error, Kind, Result, reason};

/// What the writer of events remembers between batches.
#[derive(Debug)]
pub(super) struct State {
    clock: Clock,
    /// Last position that is committed, as far as this process knows.
    position: i64,
    /// Last position of the batch being written.
    pending: i64,
    pub(super) visitors: Visitors,
    pub(super) dedupe: Dedupe,
}

impl State {
    pub(super) fn new(clock: Clock, position: i64, dedupe: Dedupe) -> Self {
        Self {
            clock,
            position,
            pending: position,
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

    /// The batch never happened.
    pub(super) fn undone(&mut self) {
        self.pending = self.position;
        self.visitors.undone();
        self.dedupe.undone();
    }
}

/// Writes a batch. The outer error is of the whole batch, an inner one of a job.
pub(super) async fn append(
    tx: &Tx,
    state: &mut State,
    jobs: Vec<Job>,
) -> Result<Vec<Result<Vec<Appended>>>> {
    state.undone();
    catch_up(tx, state).await?;
    let mut outcomes = Vec::with_capacity(jobs.len());
    let mut accepted = Vec::with_capacity(jobs.len());
    for job in jobs {
        match answered_meanwhile(tx, &job).await? {
            Some(error) => outcomes.push(Err(error)),
            None => {
                outcomes.push(Ok(Vec::with_capacity(job.events.len())));
                accepted.push((outcomes.len() - 1, job));
            }
        }
    }
    let events: Vec<_> = accepted.iter().flat_map(|(_, job)| &job.events).collect();
    let verdicts = state.dedupe.judge(tx, state.position, &events).await?;
    let ordinals = state.visitors.number(tx, &events).await?;
    let received = state.clock.micros();
    let mut rows = Vec::with_capacity(events.len());
    let mut at = 0;
    for (slot, job) in &accepted {
        let Ok(outcome) = &mut outcomes[*slot] else {
            continue;
        };
        for event in &job.events {
            let duplicate = verdicts[at] == Verdict::Duplicate;
            let own = match &event.client_id {
                Some(_) => None,
                None => Some(Uuid::now_v7()),
            };
            if !duplicate {
                rows.push(Row {
                    seq: state.position + 1 + rows.len() as i64,
                    received,
                    id: own,
                    visitor: ordinals[at],
                    event,
                });
            }
            let id = event.client_id.clone().or(own.map(|id| id.to_string()));
            outcome.push(Appended {
                id: id.unwrap_or_default(),
                duplicate,
            });
            at += 1;
        }
    }
    insert::events(tx, &rows).await?;
    state.pending = state.position + rows.len() as i64;
    for (slot, job) in accepted {
        if let Ok(outcome) = &outcomes[slot] {
            finish(tx, job, outcome, received).await?;
        }
    }
    Ok(outcomes)
}

/// What a job wants written beside its events.
async fn finish(tx: &Tx, job: Job, outcome: &[Appended], now: i64) -> Result<()> {
    if let Some(stream) = job.stream {
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
        execute(tx, sql, values).await?;
    }
    if let Some((attempt, keep)) = job.keep {
        attempt.keep_encoded(tx, &keep(outcome)).await?;
    }
    Ok(())
}

/// The same `Idempotency-Key` may have been answered since it was looked for: by
/// another node, or by a batch that was still being committed and whose caller
/// hung up.
async fn answered_meanwhile(tx: &Tx, job: &Job) -> Result<Option<Error>> {
    let Some((attempt, _)) = &job.keep else {
        return Ok(None);
    };
    if !attempt.is_stored(tx).await? {
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

/// Locks the position and learns what other nodes appended.
async fn catch_up(tx: &Tx, state: &mut State) -> Result<()> {
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let sql = "SELECT value FROM event_log WHERE name = 'position' FOR UPDATE";
    let row = rows(tx, sql, []).await?;
    let position: i64 = match row.first() {
        Some(row) => row.try_get("", "value")?,
        None => return Err(Error::internal("the event log has no position")),
    };
    if position != state.position {
        state.dedupe.catch_up(tx, state.position).await?;
        state.visitors.forget_counters();
        state.position = position;
        state.pending = position;
    }
    Ok(())
}
