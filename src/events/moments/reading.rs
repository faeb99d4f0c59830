//! One snapshot of a project's events, walked through a day at a time: strips of what
//! is folded, rows of what is not.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use roaring::RoaringBitmap;

use super::keep::Kind;
use super::scan::{self, Placed, Taken};
use super::stride::{Stride, Strips, strides};
use super::strip::{Rows, Wanted};
use super::words::Words;
use super::{Detail, Moment, Span};
use crate::auth::ProjectId;
use crate::clock::MICROS;
use crate::db::Read;
use crate::error::{Error, Kind as Failure, Result};
use crate::events::position;
use crate::events::question::{self, Answer, Question};

/// A day, in microseconds.
pub(super) const DAY: i64 = 86_400 * MICROS;
/// Events that are not folded yet, of one walk, at the most.
const TAIL: usize = 5_000_000;

/// One snapshot of a project's events.
#[derive(Debug)]
pub struct Reading {
    read: Read,
    project: ProjectId,
    folded: i64,
    words: Words,
    deadline: Option<Instant>,
    /// Visitors that are others under another number.
    merged: Arc<HashMap<u32, u32>>,
    /// The only visitors wanted.
    only: Option<Arc<RoaringBitmap>>,
}

/// What happened on one UTC day.
#[derive(Debug, Clone, Copy)]
pub struct Day<'a> {
    /// What happened, by visitor, time and position in the log.
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
    /// Whether it asks where anything happened, for what, and by what device.
    const PLACES: bool = true;
    /// Whether the rows of a day must be in order. Otherwise they are in several
    /// orders one after another, each by visitor and time.
    const ORDERED: bool = true;

    /// Takes in one day.
    fn day(&mut self, day: Day<'_>) -> Result<()>;
}

impl Reading {
    pub(in crate::events) async fn new(
        read: Read,
        project: ProjectId,
        deadline: Option<Instant>,
    ) -> Result<Self> {
        Ok(Self {
            folded: position::folded(&read).await?,
            read,
            project,
            words: Words::default(),
            deadline,
            merged: Arc::default(),
            only: None,
        })
    }

    /// Takes visitors for others from now on: the same person under another number.
    pub fn merge(&mut self, merged: Arc<HashMap<u32, u32>>) {
        self.merged = merged;
    }

    /// Passes over all other visitors from now on.
    pub fn only(&mut self, visitors: RoaringBitmap) {
        self.only = Some(Arc::new(visitors));
    }

    /// The connection, to read other things from the same snapshot.
    pub fn connection(&self) -> &Read {
        &self.read
    }

    /// Answers a question from the same snapshot.
    pub async fn ask(&self, question: &Question) -> Result<Answer> {
        question::answer(&self.read, question).await
    }

    /// The number of a text. One that no event has is given a number, too.
    pub async fn number(&mut self, text: &str) -> Result<u32> {
        self.words
            .look_up(&self.read, self.project.0, [text])
            .await?;
        Ok(self.words.number(text))
    }

    /// The texts of numbers. One that is not known has none.
    pub async fn texts(
        &mut self,
        numbers: impl IntoIterator<Item = u32>,
    ) -> Result<HashMap<u32, String>> {
        let numbers: Vec<u32> = numbers.into_iter().collect();
        let all = numbers.iter().copied();
        self.words
            .look_back(&self.read, self.project.0, all)
            .await?;
        let known = numbers.into_iter().filter_map(|number| {
            let text = self.words.text(number)?;
            Some((number, text.to_owned()))
        });
        Ok(known.collect())
    }

    /// Goes through the days of a span. The work is done apart from the threads that
    /// serve calls, while the next days are read, and ends with the caller's deadline.
    pub async fn walk<W: Walk + Send + 'static>(&mut self, span: &Span, walk: W) -> Result<W> {
        let names = match &span.names {
            None => None,
            Some(names) => {
                let mut numbers = Vec::with_capacity(names.len());
                for name in names {
                    numbers.push(self.number(name).await?);
                }
                Some(numbers)
            }
        };
        self.through(Kind::Events, span, names, walk).await
    }

    /// Goes through who saw which variant of an experiment, and first when on a day.
    pub(super) async fn walk_exposures<W: Walk + Send + 'static>(
        &mut self,
        experiment: &str,
        span: &Span,
        walk: W,
    ) -> Result<W> {
        let number = self.number(experiment).await?;
        let names = Some(vec![number]);
        self.through(Kind::Exposures, span, names, walk).await
    }

    /// Goes through strips of a kind, and the tail.
    async fn through<W: Walk + Send + 'static>(
        &mut self,
        kind: Kind,
        span: &Span,
        names: Option<Vec<u32>>,
        mut walk: W,
    ) -> Result<W> {
        if span.from >= span.to {
            return Ok(walk);
        }
        let mut tail = self.tail(kind, span, names.as_deref()).await?;
        let names = names.map(|names| {
            let kept = names.into_iter().filter(|name| Words::is_kept(*name));
            kept.collect::<Vec<u32>>()
        });
        let strips = Strips {
            project: self.project,
            kind,
            names,
            places: W::PLACES,
        };
        let days = (span.from.div_euclid(DAY), (span.to - 1).div_euclid(DAY));
        let sizes = strips.sizes(&self.read, days).await?;
        let mut strides = strides(&sizes, tail.keys().copied()).into_iter();
        let mut found: Option<Stride> = None;
        let mut ready: Option<Vec<Rows>> = None;
        loop {
            let next = strides.next();
            let reading = async {
                let Some((first, last)) = next else {
                    return Ok(None);
                };
                let mut stride = strips.read(&self.read, (first, last)).await?;
                let rest = tail.split_off(&(last + 1));
                for (day, rows) in std::mem::replace(&mut tail, rest) {
                    stride.entry(day).or_default().tail = rows;
                }
                Ok::<_, Error>(Some(stride))
            };
            // Some days are walked through while the next are decoded and those after
            // them read.
            let decoding = self.decode(found.take(), span, W::ORDERED);
            let (read, decoded, walked) =
                tokio::join!(reading, decoding, self.step(walk, ready.take()));
            (walk, ready, found) = (walked?, decoded?, read?);
            if ready.is_none() && found.is_none() {
                return Ok(walk);
            }
        }
    }

    /// What is not folded yet, by day.
    async fn tail(
        &mut self,
        kind: Kind,
        span: &Span,
        names: Option<&[u32]>,
    ) -> Result<BTreeMap<i64, Vec<Placed>>> {
        let mut days: BTreeMap<i64, Vec<Placed>> = BTreeMap::new();
        let mut next = Some(self.folded);
        let mut count = 0;
        while let Some(after) = next {
            let (page, following) = scan::tail(&self.read, self.project, span, after).await?;
            next = following;
            let texts = page.iter().flat_map(Taken::texts);
            self.words
                .look_up(&self.read, self.project.0, texts)
                .await?;
            for taken in &page {
                let number = |text: &str| self.words.number(text);
                let placed: Vec<Placed> = match kind {
                    Kind::Events => vec![taken.moment(number)],
                    Kind::Exposures => {
                        let seen = taken.exposures(number).into_iter();
                        seen.map(|seen| (seen, None)).collect()
                    }
                };
                for (moment, detail) in placed {
                    if names.is_none_or(|names| names.contains(&moment.name)) {
                        let day = days.entry(moment.time.div_euclid(DAY)).or_default();
                        day.push((moment, detail));
                        count += 1;
                    }
                }
            }
            if count > TAIL {
                let behind = "Events are still being counted; ask again in a while";
                return Err(Error::unavailable(behind));
            }
        }
        Ok(days)
    }

    /// Makes rows of strips, day by day.
    async fn decode(
        &self,
        stride: Option<Stride>,
        span: &Span,
        ordered: bool,
    ) -> Result<Option<Vec<Rows>>> {
        let Some(stride) = stride else {
            return Ok(None);
        };
        let (merged, only) = (self.merged.clone(), self.only.clone());
        let (from, to, traffic) = (span.from, span.to, span.traffic);
        let decoded = tokio::task::spawn_blocking(move || {
            let wanted = Wanted {
                from,
                to,
                traffic,
                only: only.as_deref(),
            };
            let days = stride.into_iter();
            days.map(|(day, parts)| parts.rows(day, wanted, &merged, ordered))
                .collect::<Result<Vec<Rows>>>()
        });
        Ok(Some(decoded.await.map_err(Error::internal)??))
    }

    async fn step<W: Walk + Send + 'static>(
        &self,
        mut walk: W,
        days: Option<Vec<Rows>>,
    ) -> Result<W> {
        let Some(days) = days else {
            return Ok(walk);
        };
        let past = |deadline| Instant::now() > deadline;
        if self.deadline.is_some_and(past) {
            let late = "The question took longer than the caller waits";
            return Err(Error::new(Failure::DeadlineExceeded, late));
        }
        let stepped = tokio::task::spawn_blocking(move || {
            for Rows { rows, details } in &days {
                walk.day(Day { rows, details })?;
            }
            Ok(walk)
        });
        stepped.await.map_err(Error::internal)?
    }
}
