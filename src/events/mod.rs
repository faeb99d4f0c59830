//! The event log: append-only events with deduplication and group commit, rollups
//! folded from them in the background, and exact answers about any period.

mod appender;
mod batch;
mod bucket;
mod dedupe;
mod export;
mod figures;
mod fold;
mod insert;
mod journey;
mod model;
mod moments;
mod position;
mod question;
mod recent;
mod salt;
mod scan;
mod segment;
mod tally;
#[cfg(test)]
mod tests;
mod traffic;
mod upkeep;
mod visitors;

use std::sync::Arc;
use std::time::Instant;

use prometheus_client::metrics::gauge::Gauge;

pub use appender::{Appended, Keep, STREAM_MOVED, StreamPosition};
pub use export::{Place, Stored};
pub use figures::{Figures, Revenue};
pub use journey::{Journey, Step};
pub use model::{Audience, Dimension, Environment, Money, NewEvent, Original, Page, Visitor};
pub use moments::{
    Day, Detail, Exposure, Exposures, Moment, Moments, PerVisitor, Reading, Source, Span, Walk,
};
pub use question::{Answer, Group, Question, Wants};
pub use recent::{Mark, Recent};
pub use traffic::{Bots, Traffic};

use crate::auth::{OrganizationId, ProjectId, ProjectRef};
use crate::clock::Clock;
use crate::config::Events;
use crate::db::{Attempt, Db, sql};
use crate::error::Result;
use appender::{Appender, Job};
use batch::State;
use dedupe::Dedupe;
use salt::Salts;

/// The event log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EventLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
    appender: Appender,
    salts: Salts,
}

/// Gauges the log keeps up to date.
#[derive(Debug, Clone)]
pub struct Gauges {
    /// Events that wait to be written.
    pub queue: Gauge,
    /// Events that are not folded yet.
    pub tail: Gauge,
}

impl EventLog {
    /// Opens the log and starts its writer and its upkeep.
    pub async fn open(db: Db, clock: Clock, config: &Events, gauges: Gauges) -> Result<Self> {
        let read = db.read(None).await?;
        let position = position::appended(&read).await?;
        drop(read);
        let dedupe = Dedupe::new(config.dedupe_window.0);
        let state = State::new(clock.clone(), position, dedupe);
        let state = Arc::new(tokio::sync::Mutex::new(state));
        let appender = Appender::start(db.clone(), state.clone(), config.queue, gauges.queue);
        let log = Self(Arc::new(Inner {
            salts: Salts::new(db.clone(), clock.clone()),
            db,
            clock,
            appender,
        }));
        upkeep::start(&log, state, gauges.tail);
        Ok(log)
    }

    /// Appends events and answers once they are durable.
    pub async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Appended>> {
        self.submit(events, None, None).await
    }

    /// Appends events and keeps the answer for a replay of the same request.
    pub async fn append_answering(
        &self,
        events: Vec<NewEvent>,
        attempt: Option<Attempt>,
        keep: Keep,
    ) -> Result<Vec<Appended>> {
        self.submit(events, None, attempt.map(|attempt| (attempt, keep)))
            .await
    }

    /// Appends events of a named stream and remembers how far it got.
    pub async fn append_stream(
        &self,
        events: Vec<NewEvent>,
        stream: StreamPosition,
    ) -> Result<Vec<Appended>> {
        self.submit(events, Some(stream), None).await
    }

    async fn submit(
        &self,
        events: Vec<NewEvent>,
        stream: Option<StreamPosition>,
        keep: Option<(Attempt, Keep)>,
    ) -> Result<Vec<Appended>> {
        self.0
            .appender
            .append(Job {
                events,
                stream,
                keep,
            })
            .await
    }

    /// How far a named stream got; zero when it is new.
    pub async fn stream_position(&self, project: ProjectId, name: &str) -> Result<i64> {
        let read = self.0.db.read(None).await?;
        position::of_stream(&read, project, name).await
    }

    /// The id of a visitor that brought none, for today.
    pub async fn cookieless(
        &self,
        project: ProjectId,
        address: &str,
        user_agent: &str,
    ) -> Result<Visitor> {
        self.0.salts.visitor(project, address, user_agent).await
    }

    /// Answers several questions of an organization from one snapshot.
    pub async fn ask(
        &self,
        organization: OrganizationId,
        questions: &[Question],
        deadline: Option<Instant>,
    ) -> Result<Vec<Answer>> {
        let snapshot = self.0.db.events_of(organization, deadline).await?;
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            answers.push(question::answer(&snapshot, question).await?);
        }
        Ok(answers)
    }

    /// How many events projects have stored so far.
    pub async fn stored(&self, projects: &[ProjectId]) -> Result<i64> {
        let snapshot = self.0.db.snapshot(None).await?;
        let folded = position::folded(&snapshot).await?;
        let mut stored = 0;
        for project in projects {
            let rollups = "SELECT CAST(COALESCE(SUM(events), 0) AS BIGINT) AS n \
                           FROM event_rollup \
                           WHERE project = $1 AND level = 3 AND dimension = 0 AND name = ''";
            // The sign keeps databases from reading all of the project's events.
            let tail = "SELECT COUNT(*) AS n FROM event WHERE +project = $1 AND seq > $2";
            for (query, values) in [
                (rollups, vec![(*project).into()]),
                (tail, vec![(*project).into(), folded.into()]),
            ] {
                if let Some(row) = sql::row(&snapshot, query, values).await? {
                    stored += row.try_get::<i64>("", "n")?;
                }
            }
        }
        Ok(stored)
    }

    /// Reads up to `limit` events, those that happened first first. Every page
    /// begins where the one before ended; together they are what was stored when
    /// the first was read.
    pub async fn export(
        &self,
        project: &ProjectRef,
        range: (Option<i64>, Option<i64>),
        after: Option<Place>,
        limit: i64,
    ) -> Result<(Vec<Stored>, Place)> {
        let organization = project.organization;
        let read = self.0.db.events_of(organization, None).await?;
        export::page(&read, project.id, range, after, limit).await
    }

    /// Reads events of a project, those that happened last first, and where the next
    /// page begins. `None` if the page before ended at no event there is.
    pub async fn recent(
        &self,
        project: &ProjectRef,
        asked: &Recent,
        deadline: Option<Instant>,
    ) -> Result<Option<(Vec<Stored>, Option<Mark>)>> {
        let read = self.0.db.events_of(project.organization, deadline).await?;
        recent::page(&read, project.id, asked).await
    }

    /// Folds everything that is not folded yet; for tests and tools.
    pub async fn fold_all(&self) -> Result<()> {
        while fold::fold(&self.0.db, fold::BATCH).await?.events > 0 {}
        Ok(())
    }
}
