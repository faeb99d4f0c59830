//! What one visitor did. No index finds the events of a visitor, which would cost
//! whoever sends events: the sets of visitors that rollups keep tell in which months
//! the visitor came, in which days of those, hours and quarters of an hour; the events
//! of those quarters are read, the newest first, until there are enough.

use std::time::Instant;

use futures_util::future::BoxFuture;
use roaring::RoaringBitmap;
use sea_orm::{QueryResult, Value};

use super::EventLog;
use super::bucket::Level;
use super::model::Page;
use super::position;
use crate::auth::{ProjectId, ProjectRef};
use crate::db::Read;
use crate::db::sql::{row, rows};
use crate::error::{Error, Result};

/// Something a visitor did.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its position in the log.
    pub seq: i64,
    /// When it happened.
    pub time: i64,
    /// What.
    pub name: String,
    /// Where.
    pub page: Page,
    /// Free properties, as JSON text.
    pub properties: Option<String>,
}

/// What a visitor did.
#[derive(Debug, Clone, PartialEq)]
pub struct Journey {
    /// Steps, newest first.
    pub steps: Vec<Step>,
    /// The very first one.
    pub first: Step,
    /// When the visitor did something last.
    pub last: i64,
}

/// Which way a journey is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Back,
    Forth,
}

/// Which steps are looked for.
struct Walk<'r> {
    read: &'r Read,
    project: ProjectId,
    visitor: i64,
    /// The last position that is folded.
    folded: i64,
    way: Way,
    /// Only steps before this one.
    before: (i64, i64),
    limit: usize,
    found: Vec<Step>,
}

/// After every step.
const END: (i64, i64) = (i64::MAX, i64::MAX);

impl EventLog {
    /// Up to `limit` steps of a visitor before a time and position; `None` of a visitor
    /// who never did anything.
    pub async fn journey(
        &self,
        project: &ProjectRef,
        visitor: &str,
        before: Option<(i64, i64)>,
        limit: usize,
        deadline: Option<Instant>,
    ) -> Result<Option<Journey>> {
        let read = self.0.db.events_of(project.organization, deadline).await?;
        let sql = "SELECT ordinal FROM event_visitor WHERE project = $1 AND id = $2";
        let Some(known) = row(&read, sql, [project.id.into(), visitor.into()]).await? else {
            return Ok(None);
        };
        let visitor: i64 = known.try_get("", "ordinal")?;
        let folded = position::folded(&read).await?;
        let walk = |way, before, limit| Walk {
            read: &read,
            project: project.id,
            visitor,
            folded,
            way,
            before,
            limit,
            found: Vec::new(),
        };
        let first = walk(Way::Forth, END, 1).steps().await?.pop();
        let last = walk(Way::Back, END, 1).steps().await?.pop();
        let (Some(first), Some(last)) = (first, last) else {
            return Ok(None);
        };
        let steps = walk(Way::Back, before.unwrap_or(END), limit);
        Ok(Some(Journey {
            steps: steps.steps().await?,
            first,
            last: last.time,
        }))
    }
}

impl Walk<'_> {
    async fn steps(mut self) -> Result<Vec<Step>> {
        let months = (i64::MIN, i64::MAX);
        self.within(Level::Month, months).await?;
        let tail = self.tail().await?;
        self.found.extend(tail);
        let place = |step: &Step| (step.time, step.seq);
        match self.way {
            Way::Back => self
                .found
                .sort_by_key(|step| std::cmp::Reverse(place(step))),
            Way::Forth => self.found.sort_by_key(place),
        }
        self.found.truncate(self.limit);
        Ok(self.found)
    }

    /// Walks through the buckets of a period in which the visitor came.
    fn within(&mut self, level: Level, period: (i64, i64)) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let mut buckets = self.buckets(level, period).await?;
            if self.way == Way::Back {
                buckets.reverse();
            }
            for start in buckets {
                let bucket = (start, level.next(start));
                match level.smaller() {
                    Some(smaller) => self.within(smaller, bucket).await?,
                    None => self.events(bucket).await?,
                }
                if self.found.len() >= self.limit {
                    break;
                }
            }
            Ok(())
        })
    }

    /// The buckets of a period in which the visitor came, the oldest first.
    async fn buckets(&self, level: Level, (from, to): (i64, i64)) -> Result<Vec<i64>> {
        let sql = "SELECT bucket, visitors FROM event_rollup WHERE project = $1 AND level = $2 \
                   AND dimension = 0 AND name = '' AND bucket >= $3 AND bucket < $4 \
                   AND bucket <= $5 ORDER BY bucket";
        let values: [Value; 5] = [
            self.project.into(),
            (level as i16).into(),
            from.into(),
            to.into(),
            self.before.0.into(),
        ];
        let mut buckets: Vec<i64> = Vec::new();
        for row in rows(self.read, sql, values).await? {
            let bucket: i64 = row.try_get("", "bucket")?;
            // There is a row per kind of traffic.
            if buckets.last() == Some(&bucket) {
                continue;
            }
            let bytes: Vec<u8> = row.try_get("", "visitors")?;
            let visitors = RoaringBitmap::deserialize_unchecked_from(bytes.as_slice());
            if visitors
                .map_err(Error::internal)?
                .contains(self.visitor as u32)
            {
                buckets.push(bucket);
            }
        }
        Ok(buckets)
    }

    /// Reads the visitor's events of a quarter of an hour.
    async fn events(&mut self, (from, to): (i64, i64)) -> Result<()> {
        let order = self.order();
        let sql = format!(
            "SELECT {COLUMNS} FROM event WHERE project = $1 AND time >= $2 AND time < $3 \
             AND visitor = $4 AND seq <= $5 AND (time < $6 OR time = $6 AND seq < $7) \
             ORDER BY time {order}, seq {order} LIMIT $8"
        );
        let left = self.limit - self.found.len();
        let values: [Value; 8] = [
            self.project.into(),
            from.into(),
            to.into(),
            self.visitor.into(),
            self.folded.into(),
            self.before.0.into(),
            self.before.1.into(),
            (left as i64).into(),
        ];
        for row in rows(self.read, &sql, values).await? {
            self.found.push(step(&row)?);
        }
        Ok(())
    }

    /// What is not folded yet.
    async fn tail(&self) -> Result<Vec<Step>> {
        let order = self.order();
        // The signs keep both databases from the index of times.
        let sql = format!(
            "SELECT {COLUMNS} FROM event WHERE seq > $1 AND +project = $2 AND +visitor = $3 \
             AND (+time < $4 OR +time = $4 AND seq < $5) \
             ORDER BY +time {order}, seq {order} LIMIT $6"
        );
        let values: [Value; 6] = [
            self.folded.into(),
            self.project.into(),
            self.visitor.into(),
            self.before.0.into(),
            self.before.1.into(),
            (self.limit as i64).into(),
        ];
        let found = rows(self.read, &sql, values).await?;
        found.iter().map(step).collect()
    }

    fn order(&self) -> &'static str {
        match self.way {
            Way::Back => "DESC",
            Way::Forth => "ASC",
        }
    }
}

const COLUMNS: &str = "seq, time, name, origin, path, referrer, utm_source, utm_medium, \
                       utm_campaign, utm_term, utm_content, click, properties";

fn step(row: &QueryResult) -> Result<Step> {
    Ok(Step {
        seq: row.try_get("", "seq")?,
        time: row.try_get("", "time")?,
        name: row.try_get("", "name")?,
        page: Page::of(row)?,
        properties: row.try_get("", "properties")?,
    })
}
