//! What the server counts of a goal's metric by itself.

use std::collections::HashMap;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan as _};
use sea_orm::Value;

use super::conversions::{ConversionGoal, Conversions};
use super::goal::Goal;
use crate::auth::ProjectRef;
use crate::db::Db;
use crate::db::sql::row;
use crate::error::Result;
use crate::events::{Day, EventLog, Group, Question, Span as Period, Traffic, Walk, Wants};
use crate::products::growth::names::PAGE_VIEWS;

/// Parts of the major unit that amounts are kept in.
const MILLIONTHS: f64 = 1e6;

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Count {
    Visitors,
    PageViews,
    Leads,
    Conversions,
    Conversion(String),
    Revenue,
    Events(String),
}

/// In which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    /// From the goal's first day on.
    Whole,
    Day,
    Week,
    Month,
}

/// A metric the server counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metric {
    count: Count,
    window: Window,
}

impl Metric {
    /// Reads the name of a metric; `None` of one that only its owner knows.
    pub(super) fn of(name: &str) -> Option<Self> {
        let windows = [
            ("daily_", Window::Day),
            ("weekly_", Window::Week),
            ("monthly_", Window::Month),
        ];
        let within = windows
            .iter()
            .find_map(|(prefix, window)| Some((name.strip_prefix(prefix)?, *window)));
        let (name, window) = within.unwrap_or((name, Window::Whole));
        let count = match name {
            "visitors" => Count::Visitors,
            "page_views" | "pageviews" => Count::PageViews,
            "leads" => Count::Leads,
            "conversions" => Count::Conversions,
            "revenue" => Count::Revenue,
            "signups" => Count::Events("signup".to_owned()),
            other => match other.split_once(':') {
                Some(("event", event)) if !event.is_empty() => Count::Events(event.to_owned()),
                Some(("conversion", id)) if !id.is_empty() => Count::Conversion(id.to_owned()),
                _ => return None,
            },
        };
        Some(Self { count, window })
    }

    /// The time in which it is counted, of a goal at a moment.
    fn period(&self, goal: &Goal, zone: &TimeZone, now: i64) -> (i64, i64) {
        let date = |at: i64| {
            let at = jiff::Timestamp::from_microsecond(at).unwrap_or_default();
            at.to_zoned(zone.clone()).date()
        };
        let today = date(now);
        let (from, to) = match self.window {
            Window::Whole => (date(goal.created_at), goal.deadline),
            Window::Day => (today, today),
            Window::Week => {
                let since = today.weekday().since(Weekday::Monday);
                let monday = later(today, (-i64::from(since)).days());
                (monday, later(monday, 6.days()))
            }
            Window::Month => (today.first_of_month(), today.last_of_month()),
        };
        (start(from, zone), start(later(to, 1.day()), zone))
    }

    /// Counts it.
    pub(super) async fn count(
        &self,
        (db, events): (&Db, &EventLog),
        project: &ProjectRef,
        goal: &Goal,
        now: i64,
    ) -> Result<f64> {
        let zone = TimeZone::get(&project.timezone).unwrap_or(TimeZone::UTC);
        let (from, to) = self.period(goal, &zone, now);
        let ask = |names: Vec<String>, wants| Question {
            project: project.id,
            boundaries: vec![from, to],
            names,
            filters: Vec::new(),
            traffic: Traffic::default(),
            group: Group::None,
            only: None,
            top: None,
            wants,
        };
        let question = match &self.count {
            Count::Visitors => ask(
                Vec::new(),
                Wants {
                    visitors: true,
                    revenue: false,
                },
            ),
            Count::PageViews => ask(PAGE_VIEWS.map(str::to_owned).to_vec(), Wants::default()),
            Count::Events(name) => ask(vec![name.clone()], Wants::default()),
            Count::Revenue => ask(
                Vec::new(),
                Wants {
                    visitors: false,
                    revenue: true,
                },
            ),
            Count::Leads => return leads(db, project, from, to).await,
            Count::Conversions => return conversions(events, project, None, from, to).await,
            Count::Conversion(id) => {
                return conversions(events, project, Some(id), from, to).await;
            }
        };
        let answers = events.ask(project.organization, &[question], None).await?;
        let figures = answers.iter().flat_map(|answer| answer.values());
        let currency = currency(goal.unit.as_deref().unwrap_or_default());
        let counted = figures.map(|figures| match self.count {
            // Nobody is no visitor.
            Count::Visitors => {
                (figures.visitors.len() - u64::from(figures.visitors.contains(0))) as f64
            }
            Count::Revenue => {
                let paid = figures.revenue.get(&currency);
                paid.map_or(0.0, |paid| paid.amount as f64 / MILLIONTHS)
            }
            _ => figures.events as f64,
        });
        Ok(counted.sum())
    }
}

/// The currency a unit names; US dollars when it names none.
fn currency(unit: &str) -> String {
    let unit = unit.trim();
    match unit.to_lowercase().as_str() {
        "euro" | "euros" => "EUR".to_owned(),
        "pounds" => "GBP".to_owned(),
        "yen" => "JPY".to_owned(),
        code if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_lowercase()) => {
            unit.to_uppercase()
        }
        _ => "USD".to_owned(),
    }
}

fn later(date: Date, span: Span) -> Date {
    date.checked_add(span).unwrap_or(date)
}

fn start(date: Date, zone: &TimeZone) -> i64 {
    let zoned = date.to_zoned(zone.clone());
    zoned.map_or(0, |zoned| zoned.timestamp().as_microsecond())
}

/// Leads that were made in a time, those that were merged since too.
async fn leads(db: &Db, project: &ProjectRef, from: i64, to: i64) -> Result<f64> {
    let read = db.read(None).await?;
    let sql = "SELECT COUNT(*) AS n FROM growth_lead \
               WHERE project = $1 AND created_at >= $2 AND created_at < $3";
    let values: [Value; 3] = [project.id.into(), from.into(), to.into()];
    let found = row(&read, sql, values).await?;
    let count: i64 = match found {
        Some(found) => found.try_get("", "n")?,
        None => 0,
    };
    Ok(count as f64)
}

/// How often each kind of event came: by its name, its path, and the goal it says was
/// met, as numbers.
#[derive(Debug, Default)]
struct Met(HashMap<(u32, u32, u32), u64>);

impl Walk for Met {
    fn day(&mut self, day: Day<'_>) -> Result<()> {
        for moment in day.rows {
            let goal = day.detail(moment).map_or(0, |detail| detail.goal);
            *self.0.entry((moment.name, moment.path, goal)).or_default() += 1;
        }
        Ok(())
    }
}

/// Conversions in a time; of one conversion goal, if one is named.
async fn conversions(
    events: &EventLog,
    project: &ProjectRef,
    only: Option<&String>,
    from: i64,
    to: i64,
) -> Result<f64> {
    let mut reading = events.reading(project, None).await?;
    let mut wanted = Conversions::of(reading.connection(), project.id).await?;
    if let Some(id) = only {
        wanted.goals.retain(|goal: &ConversionGoal| goal.id == *id);
        if wanted.goals.is_empty() {
            return Ok(0.0);
        }
    }
    let period = Period {
        from,
        to,
        names: Some(wanted.names()),
        traffic: Traffic::default(),
    };
    let met = reading.walk(&period, Met::default()).await?;
    let numbers = met
        .0
        .keys()
        .flat_map(|(name, path, goal)| [*name, *path, *goal]);
    let texts = reading.texts(numbers).await?;
    let text = |number: &u32| texts.get(number).map_or("", String::as_str);
    let matching = met
        .0
        .iter()
        .filter(|((name, path, goal), _)| wanted.matches(text(name), text(path), text(goal)));
    Ok(matching.map(|(_, times)| *times as f64).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_told_by_their_names() {
        let metric = Metric::of("monthly_signups").unwrap();
        assert_eq!(metric.window, Window::Month);
        assert_eq!(metric.count, Count::Events("signup".to_owned()));
        assert_eq!(Metric::of("revenue").unwrap().count, Count::Revenue);
        assert_eq!(
            Metric::of("weekly_event:trial started").unwrap().count,
            Count::Events("trial started".to_owned())
        );
        for other in ["revenue_mrr", "trial_conversion_rate", "event:", "nps"] {
            assert_eq!(Metric::of(other), None, "{other}");
        }
        assert_eq!(currency("users"), "USD");
        assert_eq!(currency("eur"), "EUR");
    }
}
