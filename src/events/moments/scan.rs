//! Reads the rows of events as moments.

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::properties::{self, Told};
use super::source::Source;
use super::words::Words;
use super::{Detail, Moment};
use crate::auth::ProjectId;
use crate::db::sql::rows;
use crate::error::Result;
use crate::events::model::{Money, Page};

/// Events per page.
const PAGE: usize = 10_000;

/// The columns that are read.
pub(super) const COLUMNS: &str = "seq, time, visitor, name, audience, origin, path, referrer, \
    utm_source, utm_medium, utm_campaign, utm_term, utm_content, click, device, currency, \
    amount, units";

/// What is kept of an event.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) seq: i64,
    time: i64,
    visitor: u32,
    audience: u8,
    name: String,
    path: Option<String>,
    source: Option<String>,
    device: Option<String>,
    money: Option<Money>,
    told: Told,
}

/// A moment, and what it may have besides.
pub(super) type Placed = (Moment, Option<Detail>);

impl Taken {
    pub(super) fn of(row: &QueryResult) -> Result<Self> {
        let page = Page::of(row)?;
        let name: String = row.try_get("", "name")?;
        let properties: Option<String> = row.try_get("", "properties")?;
        let told = properties.map(|text| Told::of(&name, &text));
        Ok(Self {
            seq: row.try_get("", "seq")?,
            time: row.try_get("", "time")?,
            visitor: row.try_get::<i64>("", "visitor")? as u32,
            audience: row.try_get::<i16>("", "audience")? as u8,
            source: Source::text_of(&page),
            path: page.path,
            device: row.try_get("", "device")?,
            money: Money::of(row)?,
            told: told.unwrap_or_default(),
            name,
        })
    }

    /// When it happened.
    pub(super) fn time(&self) -> i64 {
        self.time
    }

    /// What the visitor did.
    pub(super) fn moment(&self, mut number: impl FnMut(&str) -> u32) -> Placed {
        let mut text = |text: &Option<String>| text.as_deref().map_or(0, &mut number);
        let goal = text(&self.told.goal);
        let detail = match &self.money {
            Some(money) => Some(Detail {
                goal,
                currency: text(&Some(money.currency.clone())),
                amount: money.amount,
                units: money.units,
            }),
            None => (goal != 0).then(|| Detail {
                goal,
                ..Detail::default()
            }),
        };
        let moment = Moment {
            time: self.time,
            visitor: self.visitor,
            path: text(&self.path),
            source: text(&self.source),
            device: text(&self.device),
            name: number(&self.name),
            detail: 0,
            audience: self.audience,
        };
        (moment, detail)
    }

    /// Which variants of experiments the visitor saw: the experiment by name, the
    /// variant by path.
    pub(super) fn exposures(
        &self,
        mut number: impl FnMut(&str) -> u32,
    ) -> impl Iterator<Item = Moment> {
        self.told
            .exposures
            .iter()
            .map(move |(experiment, variant)| Moment {
                time: self.time,
                visitor: self.visitor,
                name: number(experiment),
                path: number(variant),
                audience: self.audience,
                ..Moment::default()
            })
    }
}

/// What is read of the rows of a project.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) project: ProjectId,
    pub(super) from: i64,
    pub(super) to: i64,
    /// Conditions that only what is wanted meets.
    pub(super) conditions: String,
    /// The values of those, numbered from 6.
    pub(super) values: Vec<Value>,
}

impl Rows {
    /// Where the first page begins.
    pub(super) fn start(&self) -> (i64, i64) {
        (self.from, -1)
    }

    /// The page after a time and position, in the order of times; and where the next
    /// one begins, if there may be one.
    pub(super) async fn page(
        &self,
        read: &impl ConnectionTrait,
        after: (i64, i64),
    ) -> Result<(Vec<Taken>, Option<(i64, i64)>)> {
        let mut values: Vec<Value> = vec![
            self.project.into(),
            after.0.into(),
            after.1.into(),
            self.to.into(),
            i64::MAX.into(),
        ];
        values.extend(self.values.iter().cloned());
        // The bound on time alone lets both databases seek in the index.
        let sql = format!(
            "SELECT {COLUMNS}, {} FROM event WHERE project = $1 AND time >= $2 \
             AND (time > $2 OR seq > $3) AND time < $4 AND seq <= $5{} \
             ORDER BY time, seq LIMIT {PAGE}",
            properties::COLUMN,
            self.conditions,
        );
        let found = rows(read, &sql, values).await?;
        let taken = found.iter().map(Taken::of).collect::<Result<Vec<_>>>()?;
        let full = taken.len() == PAGE;
        let next = taken
            .last()
            .filter(|_| full)
            .map(|last| (last.time, last.seq));
        Ok((taken, next))
    }
}

/// Numbers texts as they come.
pub(super) fn numbered(words: &mut Words) -> impl FnMut(&str) -> u32 {
    |text| words.number(text)
}
