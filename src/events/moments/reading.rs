//! One snapshot of a project's events, walked through a day at a time.

use std::collections::HashMap;
use std::time::Instant;

use sea_orm::Value;

use super::properties::VIEWED;
use super::scan::{Placed, Rows, numbered};
use super::words::Words;
use super::{Detail, Moment, Span};
use crate::auth::ProjectId;
use crate::clock::MICROS;
use crate::db::Read;
use crate::db::sql::placeholders;
use crate::error::{Error, Kind, Result};

/// A day, in microseconds.
pub(super) const DAY: i64 = 86_400 * MICROS;

/// One snapshot of a project's events.
#[derive(Debug)]
pub struct Reading {
    read: Read,
    project: ProjectId,
    words: Words,
    deadline: Option<Instant>,
}

/// What happened on one UTC day, by visitor, time and position in the log.
#[derive(Debug, Clone, Copy)]
pub struct Day<'a> {
    /// What happened.
    pub rows: &'a [Moment],
    details: &'a [Detail],
}

impl<'a> Day<'a> {
    /// What an event has besides.
    pub fn detail(&self, moment: &Moment) -> Option<&'a Detail> {
        let at = (moment.detail as usize).checked_sub(1)?;
        self.details.get(at)
    }
}

/// Something that goes through days, in their order.
pub trait Walk {
    /// Takes in one day.
    fn day(&mut self, day: Day<'_>) -> Result<()>;
}

/// What is walked through.
pub(super) enum Kept<'a> {
    /// What visitors did.
    Events,
    /// Who saw which variant of an experiment.
    Exposures(&'a str),
}

impl Reading {
    pub(in crate::events) async fn new(
        read: Read,
        project: ProjectId,
        deadline: Option<Instant>,
    ) -> Result<Self> {
        Ok(Self {
            read,
            project,
            words: Words::default(),
            deadline,
        })
    }

    /// The connection, to read other things from the same snapshot.
    pub fn connection(&self) -> &Read {
        &self.read
    }

    /// The number of a text. One that no event has is given a number, too.
    pub async fn number(&mut self, text: &str) -> Result<u32> {
        Ok(self.words.number(text))
    }

    /// The texts of numbers. One that is not known has none.
    pub async fn texts(
        &self,
        numbers: impl IntoIterator<Item = u32>,
    ) -> Result<HashMap<u32, String>> {
        let known = numbers.into_iter().filter_map(|number| {
            let text = self.words.text(number)?;
            Some((number, text.to_owned()))
        });
        Ok(known.collect())
    }

    /// Goes through the days of a span. The work is done apart from the threads
    /// that serve calls, and ends with the caller's deadline.
    pub async fn walk<W: Walk + Send + 'static>(&mut self, span: &Span, walk: W) -> Result<W> {
        self.walk_through(Kept::Events, span, walk).await
    }

    pub(super) async fn walk_through<W: Walk + Send + 'static>(
        &mut self,
        kept: Kept<'_>,
        span: &Span,
        mut walk: W,
    ) -> Result<W> {
        let rows = self.rows(&kept, span);
        let experiment = match kept {
            Kept::Events => 0,
            Kept::Exposures(experiment) => self.words.number(experiment),
        };
        let mut waiting: Vec<Placed> = Vec::new();
        let mut next = Some(rows.start());
        while let Some(after) = next {
            let (page, following) = rows.page(&self.read, after).await?;
            next = following;
            for taken in page {
                let day = taken.time().div_euclid(DAY);
                let before = waiting.first().map(|(own, _)| own.time.div_euclid(DAY));
                if before.is_some_and(|before| before != day) {
                    walk = self.step(walk, std::mem::take(&mut waiting)).await?;
                }
                match experiment {
                    0 => waiting.push(taken.moment(numbered(&mut self.words))),
                    _ => {
                        let seen = taken.exposures(numbered(&mut self.words));
                        let own = seen.filter(|seen| seen.name == experiment);
                        waiting.extend(own.map(|seen| (seen, None)));
                    }
                }
            }
        }
        self.step(walk, waiting).await
    }

    fn rows(&self, kept: &Kept<'_>, span: &Span) -> Rows {
        let mut conditions = span.traffic.condition("audience");
        let mut values: Vec<Value> = Vec::new();
        match kept {
            Kept::Events => {}
            Kept::Exposures(_) => {
                conditions.push_str(" AND (name = $6 OR properties LIKE '%\"assignments\"%')");
                values.push(VIEWED.into());
            }
        }
        if let Some(names) = &span.names {
            let list = match names.len() {
                0 => "NULL".to_owned(),
                count => placeholders(6 + values.len(), count),
            };
            conditions.push_str(&format!(" AND name IN ({list})"));
            values.extend(names.iter().map(|name| name.as_str().into()));
        }
        Rows {
            project: self.project,
            from: span.from,
            to: span.to,
            conditions,
            values,
        }
    }

    async fn step<W: Walk + Send + 'static>(&self, mut walk: W, day: Vec<Placed>) -> Result<W> {
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() > deadline)
        {
            let late = "The question took longer than the caller waits";
            return Err(Error::new(Kind::DeadlineExceeded, late));
        }
        let stepped = tokio::task::spawn_blocking(move || {
            let mut details = Vec::new();
            let mut rows: Vec<Moment> = Vec::with_capacity(day.len());
            for (mut moment, detail) in day {
                if let Some(detail) = detail {
                    details.push(detail);
                    moment.detail = details.len() as u32;
                }
                rows.push(moment);
            }
            // What happened at the same time stays in the order of the log.
            rows.sort_by_key(|row| (row.visitor, row.time));
            let day = Day {
                rows: &rows,
                details: &details,
            };
            walk.day(day).map(|()| walk)
        });
        stepped.await.map_err(Error::internal)?
    }
}
