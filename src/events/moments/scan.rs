//! Reads the rows of events as moments: of what is not folded yet, and of what is being
//! folded.

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::properties::{self, Told};
use super::source::Source;
use super::{Detail, Moment, Span};
use crate::auth::ProjectId;
use crate::db::sql::{column, placeholders, rows};
use crate::error::Result;
use crate::events::model::{Money, Page};

/// Events per page.
const PAGE: usize = 10_000;

/// What is kept of an event.
#[derive(Debug)]
pub(in crate::events) struct Taken {
    pub(in crate::events) seq: i64,
    pub(in crate::events) project: i64,
    pub(in crate::events) time: i64,
    pub(in crate::events) visitor: u32,
    pub(in crate::events) audience: u8,
    pub(in crate::events) name: String,
    pub(in crate::events) page: Page,
    pub(in crate::events) money: Option<Money>,
    source: Option<String>,
    device: Option<String>,
    told: Told,
}

/// A moment, and what it may have besides.
pub(super) type Placed = (Moment, Option<Detail>);

impl Taken {
    /// The columns it is read from.
    pub(in crate::events) fn columns() -> String {
        format!(
            "seq, project, time, visitor, name, audience, origin, path, referrer, utm_source, \
             utm_medium, utm_campaign, utm_term, utm_content, click, device, currency, \
             amount, units, {}",
            properties::COLUMN
        )
    }

    pub(in crate::events) fn of(row: &QueryResult) -> Result<Self> {
        let page = Page::of(row)?;
        let name: String = column(row, "name")?;
        let properties: Option<String> = column(row, "properties")?;
        let told = properties.map(|text| Told::of(&name, &text));
        Ok(Self {
            seq: column(row, "seq")?,
            project: column(row, "project")?,
            time: column(row, "time")?,
            visitor: column::<i64>(row, "visitor")? as u32,
            audience: column::<i16>(row, "audience")? as u8,
            source: Source::text_of(&page),
            page,
            device: column(row, "device")?,
            money: Money::of(row)?,
            told: told.unwrap_or_default(),
            name,
        })
    }

    /// What the visitor did.
    pub(super) fn moment(&self, mut number: impl FnMut(&str) -> u32) -> Placed {
        let mut text = |text: Option<&str>| text.map_or(0, &mut number);
        let goal = text(self.told.goal.as_deref());
        let money = self.money.as_ref();
        let detail = Detail {
            goal,
            currency: text(money.map(|money| money.currency.as_str())),
            amount: money.map_or(0, |money| money.amount),
            units: money.map_or(0, |money| money.units),
        };
        let moment = Moment {
            time: self.time,
            visitor: self.visitor,
            path: text(self.page.path.as_deref()),
            source: text(self.source.as_deref()),
            device: text(self.device.as_deref()),
            name: text(Some(&self.name)),
            detail: 0,
            audience: self.audience,
        };
        (moment, (detail != Detail::default()).then_some(detail))
    }

    /// Which variants of experiments the visitor saw: the experiment by name, the
    /// variant by path.
    pub(super) fn exposures(&self, mut number: impl FnMut(&str) -> u32) -> Vec<Moment> {
        let seen = self.told.exposures.iter();
        seen.map(|(experiment, variant)| Moment {
            time: self.time,
            visitor: self.visitor,
            name: number(experiment),
            path: number(variant),
            audience: self.audience,
            ..Moment::default()
        })
        .collect()
    }

    /// All texts there are.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let exposures = self.told.exposures.iter();
        let exposures = exposures.flat_map(|(experiment, variant)| [experiment, variant]);
        let optional = [&self.page.path, &self.source, &self.device, &self.told.goal];
        let optional = optional.into_iter().flatten();
        let currency = self.money.as_ref().map(|money| &money.currency);
        let all = optional.chain(exposures).chain(currency);
        all.map(String::as_str).chain([self.name.as_str()])
    }
}

/// Reads a page of what was appended after a position, in the order of the log; and
/// the position to read on from, if there may be more.
pub(super) async fn tail(
    read: &impl ConnectionTrait,
    project: ProjectId,
    span: &Span,
    after: i64,
) -> Result<(Vec<Taken>, Option<i64>)> {
    let mut values: Vec<Value> = vec![
        project.into(),
        after.into(),
        span.from.into(),
        span.to.into(),
    ];
    let mut conditions = span.traffic.condition("audience");
    if let Some(names) = &span.names {
        let list = match names.len() {
            0 => "NULL".to_owned(),
            count => placeholders(5, count),
        };
        conditions.push_str(&format!(" AND name IN ({list})"));
        values.extend(names.iter().map(|name| name.as_str().into()));
    }
    // The signs keep both databases from the index of times: of the period it names
    // there may be any number of events, of the tail there are few.
    let sql = format!(
        "SELECT {} FROM event WHERE seq > $2 AND +project = $1 AND +time >= $3 \
         AND +time < $4{conditions} ORDER BY seq LIMIT {PAGE}",
        Taken::columns(),
    );
    let found = rows(read, &sql, values).await?;
    let taken = found.iter().map(Taken::of).collect::<Result<Vec<_>>>()?;
    let full = taken.len() == PAGE;
    let next = taken.last().filter(|_| full).map(|last| last.seq);
    Ok((taken, next))
}
