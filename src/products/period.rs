//! Periods of whole days in a time zone, cut into intervals.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

use crate::error::{Error, Result};

/// Days of the default period.
const DEFAULT_DAYS: i64 = 30;
/// Most points of a series: a year of hours, and then some.
const MAX_POINTS: usize = 10_000;

/// A period of whole days.
#[derive(Debug, Clone)]
pub(crate) struct Period {
    pub(crate) start: Date,
    /// Inclusive.
    pub(crate) end: Date,
    zone: TimeZone,
}

/// Length of the intervals of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interval {
    Hour,
    Day,
    Week,
    Month,
}

impl Interval {
    pub(crate) fn parse(word: &str) -> Result<Option<Self>> {
        Ok(Some(match word {
            "" => return Ok(None),
            "hour" => Self::Hour,
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            _ => {
                return Err(Error::invalid_field(
                    "interval",
                    "interval must be hour, day, week or month",
                ));
            }
        }))
    }
}

/// An interval of a series: its local name and its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) label: String,
    pub(crate) start: i64,
}

impl Period {
    /// Reads a period; what is missing is the last 30 days.
    pub(crate) fn parse(start: &str, end: &str, zone: &str, now: i64) -> Result<Self> {
        let zone = time_zone(zone)?;
        let today = today(&zone, now)?;
        let end = date("end_date", end)?.unwrap_or(today);
        let back = Span::new().days(DEFAULT_DAYS - 1);
        let out = |_| Error::invalid_field("end_date", "end_date is out of range");
        let start = match date("start_date", start)? {
            Some(start) => start,
            None => end.checked_sub(back).map_err(out)?,
        };
        if start > end {
            return Err(Error::invalid_field(
                "start_date",
                "start_date must not be after end_date",
            ));
        }
        Ok(Self { start, end, zone })
    }

    /// The days from one to another, both inclusive.
    pub(crate) fn of(start: Date, end: Date, zone: TimeZone) -> Self {
        Self { start, end, zone }
    }

    /// First moment, and the first moment after.
    pub(crate) fn bounds(&self) -> Result<(i64, i64)> {
        let after = self.end.tomorrow().map_err(|_| out_of_range())?;
        Ok((
            self.moment(self.start)?.as_microsecond(),
            self.moment(after)?.as_microsecond(),
        ))
    }

    /// The intervals of a series. Weeks begin on Monday, months on the first; the
    /// first and the last may be cut by the period.
    pub(crate) fn marks(&self, interval: Interval) -> Result<Vec<Mark>> {
        if interval == Interval::Hour {
            return self.hours();
        }
        let mut marks = Vec::new();
        let mut day = self.start;
        while day <= self.end {
            marks.push(Mark {
                label: day.to_string(),
                start: self.moment(day)?.as_microsecond(),
            });
            let next = match interval {
                Interval::Hour | Interval::Day => day.tomorrow(),
                Interval::Week => day.nth_weekday(1, Weekday::Monday),
                Interval::Month => day.last_of_month().tomorrow(),
            };
            day = next.map_err(|_| out_of_range())?;
            limit(&marks)?;
        }
        Ok(marks)
    }

    /// Hours of local clocks. Where a shift of the clock cuts an hour short or
    /// repeats one, there is an interval for each.
    fn hours(&self) -> Result<Vec<Mark>> {
        let (_, end) = self.bounds()?;
        let mut at: Zoned = self.moment(self.start)?.to_zoned(self.zone.clone());
        let mut marks = Vec::new();
        while at.timestamp().as_microsecond() < end {
            marks.push(Mark {
                label: at.strftime("%Y-%m-%dT%H:%M").to_string(),
                start: at.timestamp().as_microsecond(),
            });
            limit(&marks)?;
            at = next_hour(&at)?;
        }
        Ok(marks)
    }

    fn moment(&self, day: Date) -> Result<Timestamp> {
        let zoned = day
            .to_zoned(self.zone.clone())
            .map_err(|_| out_of_range())?;
        Ok(zoned.timestamp())
    }
}

/// The next moment at which a local clock shows a full hour, found in steps of a
/// quarter, of which every offset is a multiple.
fn next_hour(at: &Zoned) -> Result<Zoned> {
    let mut next = at.clone();
    for _ in 0..8 {
        next = next
            .checked_add(Span::new().minutes(15))
            .map_err(|_| out_of_range())?;
        let on_the_hour = next.minute() == 0 && next.second() == 0;
        if on_the_hour || next.offset() != at.offset() {
            return Ok(next);
        }
    }
    Ok(next)
}

fn limit(marks: &[Mark]) -> Result<()> {
    match marks.len() {
        n if n > MAX_POINTS => Err(Error::invalid_field(
            "interval",
            format!("interval is too short for the period: more than {MAX_POINTS} points"),
        )),
        _ => Ok(()),
    }
}

/// A time zone by its name.
pub(crate) fn time_zone(name: &str) -> Result<TimeZone> {
    TimeZone::get(name).map_err(|_| {
        let description = "timezone must be an IANA name such as Europe/Berlin";
        Error::invalid_field("timezone", description)
    })
}

/// The day it is somewhere.
pub(crate) fn today(zone: &TimeZone, now: i64) -> Result<Date> {
    let now = Timestamp::from_microsecond(now).map_err(Error::internal)?;
    Ok(now.to_zoned(zone.clone()).date())
}

/// A day of a request; `None` when it is absent.
pub(crate) fn date(name: &str, text: &str) -> Result<Option<Date>> {
    if text.is_empty() {
        return Ok(None);
    }
    // jiff reads more forms than the one that is documented.
    let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    match text
        .parse::<Date>()
        .ok()
        .filter(|date| plain && date.year() > 0)
    {
        Some(date) => Ok(Some(date)),
        None => Err(Error::invalid_field(
            name,
            format!("{name} must be a date such as 2024-01-31"),
        )),
    }
}

fn out_of_range() -> Error {
    Error::invalid_field("start_date", "the period is out of range")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(start: &str, end: &str, zone: &str) -> Result<Period> {
        let now = "2024-04-10T22:30:00Z".parse::<Timestamp>().unwrap();
        Period::parse(start, end, zone, now.as_microsecond())
    }

    #[test]
    fn the_default_is_the_last_thirty_days() {
        let own = period("", "", "Europe/Berlin").unwrap();
        assert_eq!(own.end.to_string(), "2024-04-11");
        assert_eq!(own.start.to_string(), "2024-03-13");
        let (from, to) = own.bounds().unwrap();
        // Clocks went forward in between.
        assert_eq!((to - from) / 3_600_000_000, 30 * 24 - 1);
        for (start, end, zone) in [
            ("2024-02-30", "", "UTC"),
            ("2024-01-02", "2024-01-01", "UTC"),
            ("20240101", "", "UTC"),
            ("2024-01-01T00:00:00Z", "", "UTC"),
            ("yesterday", "", "UTC"),
            ("", "", "Mars/Olympus"),
        ] {
            assert!(period(start, end, zone).is_err(), "{start} {end} {zone}");
        }
    }

    #[test]
    fn intervals_follow_local_clocks() {
        let labels = |start, end, zone, interval| {
            let marks = period(start, end, zone).unwrap().marks(interval).unwrap();
            marks.into_iter().map(|mark| mark.label).collect::<Vec<_>>()
        };
        let weeks = labels("2024-01-03", "2024-01-16", "UTC", Interval::Week);
        assert_eq!(weeks, ["2024-01-03", "2024-01-08", "2024-01-15"]);
        let months = labels("2024-01-31", "2024-03-01", "UTC", Interval::Month);
        assert_eq!(months, ["2024-01-31", "2024-02-01", "2024-03-01"]);
        let spring = labels("2024-03-31", "2024-03-31", "Europe/Berlin", Interval::Hour);
        assert_eq!(spring.len(), 23);
        assert_eq!(spring[1..3], ["2024-03-31T01:00", "2024-03-31T03:00"]);
        let autumn = labels("2024-10-27", "2024-10-27", "Europe/Berlin", Interval::Hour);
        assert_eq!(autumn.len(), 25);
        // Half an hour is what Lord Howe Island puts its clocks forward by.
        let howe = labels(
            "2024-10-06",
            "2024-10-06",
            "Australia/Lord_Howe",
            Interval::Hour,
        );
        assert_eq!(
            howe[1..4],
            ["2024-10-06T01:00", "2024-10-06T02:30", "2024-10-06T03:00"]
        );
    }
}
