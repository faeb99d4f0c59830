//! Figures over time, in any time zone.

use jiff::Timestamp;

use super::Growth;
use super::sessions::{Cutter, Session, Sink};
use super::summary::question;
use super::window::{Window, asked};
use crate::api::apex::growth::v1 as pb;
use crate::error::{Error, Result};
use crate::events::{Figures, Question, Wants};
use crate::products::growth::names::PAGE_VIEWS;
use crate::products::period::{Interval, Mark};
use crate::products::{amount, timestamp};
use crate::server::Call;

/// Sessions by the interval they begin in.
struct Starts {
    boundaries: Vec<i64>,
    counts: Vec<i64>,
}

impl Sink for Starts {
    fn session(&mut self, _: u32, session: &Session) {
        let after = self.boundaries.partition_point(|at| *at <= session.start);
        if let Some(count) = self.counts.get_mut(after.saturating_sub(1)) {
            *count += 1;
        }
    }
}

impl Growth {
    pub(super) async fn series(
        &self,
        call: &Call,
        request: &pb::GetSeriesRequest,
    ) -> Result<pb::GetSeriesResponse> {
        let project = call.project()?;
        let window = Window::of(asked!(request), &project, self.0.clock.micros())?;
        let word = match request.interval.as_str() {
            "" => "day",
            word => word,
        };
        let interval = Interval::parse(word)?.unwrap_or(Interval::Day);
        let marks = marks(&window, interval)?;
        let mut boundaries: Vec<i64> = marks.iter().map(|mark| mark.start).collect();
        boundaries.push(window.to);
        let mut reading = self.0.events.reading(&project, call.deadline()).await?;
        let whole = Question {
            wants: Wants {
                visitors: true,
                revenue: true,
            },
            ..question(project.id, &window)
        };
        let all = Question {
            boundaries: boundaries.clone(),
            ..question(project.id, &window)
        };
        let views = Question {
            names: PAGE_VIEWS.map(str::to_owned).to_vec(),
            wants: Wants {
                visitors: true,
                revenue: false,
            },
            ..all.clone()
        };
        let whole = reading.ask(&whole).await?.into_values().next();
        let (all, views) = (reading.ask(&all).await?, reading.ask(&views).await?);
        let starts = Starts {
            counts: vec![0; marks.len()],
            boundaries,
        };
        let starts = Cutter::run(&mut reading, &window.span(None), starts).await?;
        let point = |(at, mark): (usize, &Mark)| {
            let slot = (at, String::new());
            let views = views.get(&slot);
            let (date, start) = shown(mark, interval, &window)?;
            Ok(pb::SeriesPoint {
                date,
                start: Some(timestamp(start)),
                events: all.get(&slot).map_or(0, |own| own.events),
                page_views: views.map_or(0, |own| own.events),
                visitors: views.map_or(0, visitors),
                sessions: starts.counts[at],
            })
        };
        let points: Result<Vec<pb::SeriesPoint>> = marks.iter().enumerate().map(point).collect();
        let points = points?;
        let whole = whole.unwrap_or_default();
        Ok(pb::GetSeriesResponse {
            totals: Some(pb::SeriesTotals {
                events: whole.events,
                page_views: points.iter().map(|point| point.page_views).sum(),
                visitors: visitors(&whole),
                sessions: starts.counts.iter().sum(),
                revenue: whole.revenue.iter().map(revenue).collect(),
            }),
            points,
            period: Some(window.message()),
        })
    }
}

/// The intervals of a window, the first and the last cut to it.
fn marks(window: &Window, interval: Interval) -> Result<Vec<Mark>> {
    let mut marks = window.days.marks(interval)?;
    let begun = marks.partition_point(|mark| mark.start <= window.from);
    marks.drain(..begun.saturating_sub(1));
    marks.retain(|mark| mark.start < window.to);
    if let Some(first) = marks.first_mut() {
        first.start = window.from;
    }
    Ok(marks)
}

/// What an interval is called, and when it began by the clock: an hour that a shift of
/// half an hour cuts in two is called the same twice.
fn shown(mark: &Mark, interval: Interval, window: &Window) -> Result<(String, i64)> {
    if interval != Interval::Hour {
        return Ok((mark.label.clone(), mark.start));
    }
    let at = Timestamp::from_microsecond(mark.start).map_err(Error::internal)?;
    let at = at.to_zoned(window.zone.clone());
    let past = i64::from(at.minute()) * 60 + i64::from(at.second());
    let past = past * 1_000_000 + i64::from(at.subsec_nanosecond()) / 1000;
    Ok((at.strftime("%Y-%m-%dT%H:00").to_string(), mark.start - past))
}

fn visitors(figures: &Figures) -> i64 {
    figures.visitors.len() as i64
}

fn revenue((currency, own): (&String, &crate::events::Revenue)) -> pb::CurrencyRevenue {
    pb::CurrencyRevenue {
        currency: currency.clone(),
        purchases: own.purchases,
        units: own.units,
        amount: amount::text(currency, own.amount),
    }
}
