//! The period a question is about, and whose traffic.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectRef;
use crate::error::{Error, Result};
use crate::events::{self, Bots, Environment, Traffic};
use crate::products::period::{Period, date, time_zone, today};

/// A period, and whose traffic.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// First moment.
    pub(super) from: i64,
    /// First moment after.
    pub(super) to: i64,
    /// The days it is of.
    pub(super) days: Period,
    /// Where they are days.
    pub(super) zone: TimeZone,
    pub(super) traffic: Traffic,
}

/// What every question says of its period.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) period: &'a str,
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) timezone: &'a str,
    pub(super) bots: &'a str,
    pub(super) environment: &'a str,
}

/// The members of a request that name a period.
macro_rules! asked {
    ($request:expr) => {
        crate::products::growth::analytics::window::Asked {
            period: &$request.period,
            from: &$request.from,
            to: &$request.to,
            timezone: &$request.timezone,
            bots: &$request.bots,
            environment: &$request.environment,
        }
    };
}
pub(super) use asked;

impl Window {
    pub(super) fn of(asked: Asked<'_>, project: &ProjectRef, now: i64) -> Result<Self> {
        let zone = match asked.timezone {
            "" => time_zone(&project.timezone)?,
            named => time_zone(named)?,
        };
        let traffic = traffic(asked.bots, asked.environment)?;
        let last = match asked.period {
            "" => 30,
            "7d" => 7,
            "30d" => 30,
            "90d" => 90,
            "custom" => return Self::custom(asked, zone, traffic),
            _ => {
                let words = "period must be one of 7d, 30d, 90d, custom";
                return Err(Error::invalid_field("period", words));
            }
        };
        for (name, text) in [("from", asked.from), ("to", asked.to)] {
            if !text.is_empty() {
                let description = format!("{name} is for the period custom");
                return Err(Error::invalid_field(name, description));
            }
        }
        let end = today(&zone, now)?;
        let start = end.checked_sub(Span::new().days(last - 1));
        let start = start.map_err(Error::internal)?;
        let days = Period::of(start, end, zone.clone());
        let (from, to) = days.bounds()?;
        Ok(Self {
            from,
            to,
            days,
            zone,
            traffic,
        })
    }

    fn custom(asked: Asked<'_>, zone: TimeZone, traffic: Traffic) -> Result<Self> {
        let start = Moment::of("from", asked.from)?;
        let end = Moment::of("to", asked.to)?;
        let first = start.day(&zone, 0)?;
        let last = end.day(&zone, 1)?;
        let turned = || Error::invalid_field("from", "from must not be after to");
        if first > last {
            return Err(turned());
        }
        let days = Period::of(first, last, zone.clone());
        let (mut from, mut to) = days.bounds()?;
        if let Moment::Instant(at) = start {
            from = at;
        }
        if let Moment::Instant(at) = end {
            to = at;
        }
        match from < to {
            true => Ok(Self {
                from,
                to,
                days,
                zone,
                traffic,
            }),
            false => Err(turned()),
        }
    }

    /// The events of the period.
    pub(super) fn span(&self, names: Option<Vec<String>>) -> events::Span {
        events::Span {
            from: self.from,
            to: self.to,
            names,
            traffic: self.traffic,
        }
    }

    /// As answers show it.
    pub(super) fn message(&self) -> pb::AnalyticsPeriod {
        pb::AnalyticsPeriod {
            from: self.days.start.to_string(),
            to: self.days.end.to_string(),
        }
    }
}

/// An end of a custom period.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Day(Date),
    Instant(i64),
}

impl Moment {
    fn of(name: &str, text: &str) -> Result<Self> {
        if text.is_empty() {
            let description = format!("{name} is required for the period custom");
            return Err(Error::invalid_field(name, description));
        }
        let moment = match text.contains('T') {
            false => date(name, text)?.map(Self::Day),
            true => text
                .parse::<Timestamp>()
                .ok()
                .map(|at| Self::Instant(at.as_microsecond())),
        };
        let sound = moment.filter(|moment| match moment {
            Self::Day(day) => (1970..=9000).contains(&day.year()),
            Self::Instant(at) => (0..=200_000_000_000_000_000).contains(at),
        });
        sound.ok_or_else(|| {
            let form = "must be a day such as 2026-01-31 or a time such as 2026-01-31T09:00:00Z";
            Error::invalid_field(name, format!("{name} {form}"))
        })
    }

    /// The day it lies in, or the moment so many microseconds before.
    fn day(self, zone: &TimeZone, before: i64) -> Result<Date> {
        match self {
            Self::Day(day) => Ok(day),
            Self::Instant(at) => {
                let at = Timestamp::from_microsecond(at - before).map_err(Error::internal)?;
                Ok(at.to_zoned(zone.clone()).date())
            }
        }
    }
}

/// Whose traffic counts.
pub(super) fn traffic(bots: &str, environment: &str) -> Result<Traffic> {
    let bots = match bots {
        "" | "exclude" => Bots::Exclude,
        "include" => Bots::Include,
        "only" => Bots::Only,
        _ => {
            let words = "bots must be one of exclude, include, only";
            return Err(Error::invalid_field("bots", words));
        }
    };
    let environment = match environment {
        "" => None,
        "production" => Some(Environment::Production),
        "preview" => Some(Environment::Preview),
        "localhost" => Some(Environment::Localhost),
        "unknown" => Some(Environment::Unknown),
        _ => {
            let words = "environment must be one of production, preview, localhost, unknown";
            return Err(Error::invalid_field("environment", words));
        }
    };
    Ok(Traffic { bots, environment })
}

/// Whether the question is about persons rather than visitors.
pub(super) fn persons(unit: &str) -> Result<bool> {
    match unit {
        "" | "visitor" => Ok(false),
        "person" => Ok(true),
        _ => {
            let words = "unit must be one of visitor, person";
            Err(Error::invalid_field("unit", words))
        }
    }
}
