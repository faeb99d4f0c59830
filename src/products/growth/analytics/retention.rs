//! Retention: who comes back, by the week of the first event.

use std::collections::BTreeMap;

use jiff::Span;
use jiff::civil::Weekday;

use super::window::{Window, asked, persons};
use super::{Growth, people};
use crate::api::apex::growth::v1 as pb;
use crate::error::{Error, Result};
use crate::events::{Day, PerVisitor, Walk};
use crate::server::Call;

/// A week, in microseconds.
const WEEK: i64 = 7 * 86_400 * 1_000_000;
/// Weeks at the most; each is a bit.
const MOST: usize = 128;

/// The weeks of one visitor.
#[derive(Debug, Clone, Copy, Default)]
struct Weeks {
    /// When the first event was, and one microsecond: zero is never.
    first: i64,
    /// In which weeks there were any: of the calendar, or since the first event.
    seen: u128,
}

struct Retention {
    rolling: bool,
    /// When calendar weeks begin.
    mondays: Vec<i64>,
    visitors: PerVisitor<Weeks>,
}

impl Retention {
    /// The calendar week of a time; the one before is likely the same.
    fn week(&self, time: i64) -> usize {
        self.mondays.partition_point(|monday| *monday <= time) - 1
    }

    /// Sizes of cohorts, by week.
    fn cohorts(&self) -> BTreeMap<usize, (i64, Vec<i64>)> {
        let mut cohorts: BTreeMap<usize, (i64, Vec<i64>)> = BTreeMap::new();
        for (_, own) in self.visitors.iter().filter(|(_, own)| own.first != 0) {
            let week = self.week(own.first - 1);
            let mut seen = match self.rolling {
                true => own.seen,
                false => own.seen >> week,
            };
            let (size, weeks) = cohorts.entry(week).or_default();
            *size += 1;
            while seen != 0 {
                let at = seen.trailing_zeros() as usize;
                if weeks.len() <= at {
                    weeks.resize(at + 1, 0);
                }
                weeks[at] += 1;
                seen &= seen - 1;
            }
        }
        cohorts
    }
}

impl Walk for Retention {
    const PLACES: bool = false;
    const ORDERED: bool = false;

    fn day(&mut self, day: Day<'_>) -> Result<()> {
        // A day lies in two weeks at the most.
        let Some(earliest) = day.rows.iter().map(|row| row.time).min() else {
            return Ok(());
        };
        let week = self.week(earliest);
        let next = self.mondays.get(week + 1).copied().unwrap_or(i64::MAX);
        let of_visitors = || {
            let own = day.rows.chunk_by(|one, next| one.visitor == next.visitor);
            // Nobody in particular does not come back.
            own.filter(|own| own[0].visitor != 0)
        };
        // Days come in their order, but not the events of this one.
        for own in of_visitors() {
            let weeks = self.visitors.of(own[0].visitor)?;
            let first = own[0].time + 1;
            if weeks.first == 0 || first < weeks.first {
                weeks.first = first;
            }
        }
        for own in of_visitors() {
            let weeks = self.visitors.of(own[0].visitor)?;
            for row in own {
                let at = match self.rolling {
                    true => ((row.time + 1 - weeks.first) / WEEK) as usize,
                    false => week + usize::from(row.time >= next),
                };
                weeks.seen |= 1 << at.min(MOST - 1);
            }
        }
        Ok(())
    }
}

impl Growth {
    pub(super) async fn retention(
        &self,
        call: &Call,
        request: &pb::GetRetentionRequest,
    ) -> Result<pb::GetRetentionResponse> {
        let project = call.project()?;
        let window = Window::of(asked!(request), &project, self.0.clock.micros())?;
        let rolling = match request.mode.as_str() {
            "" | "calendar" => false,
            "rolling" => true,
            _ => {
                let words = "mode must be one of calendar, rolling";
                return Err(Error::invalid_field("mode", words));
            }
        };
        let persons = persons(&request.unit)?;
        let mondays = mondays(&window)?;
        let mut reading = self.0.events.reading(&project, call.deadline()).await?;
        if persons {
            people::merge(&mut reading, project.id).await?;
        }
        let retention = Retention {
            rolling,
            mondays: mondays.iter().map(|(start, _)| *start).collect(),
            visitors: PerVisitor::default(),
        };
        let retention = reading.walk(&window.span(None), retention).await?;
        let cohorts = retention.cohorts().into_iter();
        let message = |(week, (size, weeks)): (usize, (i64, Vec<i64>))| pb::Cohort {
            cohort: mondays
                .get(week)
                .map(|(_, day)| day.clone())
                .unwrap_or_default(),
            size,
            weeks,
        };
        Ok(pb::GetRetentionResponse {
            cohorts: cohorts.map(message).collect(),
            period: Some(window.message()),
        })
    }
}

/// The Mondays on which the weeks of a period begin.
fn mondays(window: &Window) -> Result<Vec<(i64, String)>> {
    let first = window.days.start;
    let mut day = match first.weekday() {
        Weekday::Monday => first,
        _ => first
            .nth_weekday(-1, Weekday::Monday)
            .map_err(Error::internal)?,
    };
    let mut mondays = Vec::new();
    while day <= window.days.end {
        let start = day.to_zoned(window.zone.clone()).map_err(Error::internal)?;
        mondays.push((start.timestamp().as_microsecond(), day.to_string()));
        if mondays.len() > 106 {
            let long = "The period must not be longer than two years";
            return Err(Error::invalid_field("period", long));
        }
        day = day
            .checked_add(Span::new().days(7))
            .map_err(Error::internal)?;
    }
    Ok(mondays)
}
