//! Times that text speaks of, as spans of days: dates, and words such as "yesterday" or
//! "last summer" taken from the day they were said on. English only.

mod reader;

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};

use self::reader::Reader;
use super::text::{Token, tokens};

/// Days from the first to the last, both included, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first day.
    pub from: i32,
    /// The last day.
    pub to: i32,
}

impl Span {
    /// Whether they have a day in common.
    pub fn meets(self, other: Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }

    /// How many days it has.
    pub fn len(self) -> i32 {
        self.to - self.from + 1
    }

    /// Never: a span has a day.
    pub fn is_empty(self) -> bool {
        false
    }

    fn of(from: Date, to: Date) -> Self {
        Self {
            from: day_of(from),
            to: day_of(to),
        }
    }
}

/// What a text says of times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    /// What it names that can be counted, at most [`MOST`].
    pub spans: Vec<Span>,
    /// Whether it speaks of a time at all, also of a vague one.
    pub timed: bool,
}

/// Spans kept of one text.
pub const MOST: usize = 4;
/// Years over which a date without one is looked for, at most.
const YEARS: i16 = 12;

/// The UTC day of a time in microseconds.
pub fn day(at: i64) -> i32 {
    at.div_euclid(super::DAY)
        .clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

fn day_of(date: Date) -> i32 {
    let epoch = jiff::civil::date(1970, 1, 1);
    date.since(epoch).map_or(0, |span| span.get_days())
}

fn date_at(at: i64) -> Option<Date> {
    let time = Timestamp::from_microsecond(at).ok()?;
    Some(time.to_zoned(TimeZone::UTC).date())
}

/// The date of a time in microseconds, `YYYY-MM-DD`.
pub fn shown(at: i64) -> String {
    date_at(at).map_or_else(String::new, |date| date.to_string())
}

/// Times in a memory, said at a time in microseconds.
pub fn said(text: &str, at: i64) -> Times {
    read(text, at, None)
}

/// Times in a question asked now. A date without a year is meant in each of the years
/// that the two times, of the oldest memory and the newest, span.
pub fn asked(text: &str, now: i64, oldest: i64, newest: i64) -> Times {
    let years = date_at(oldest).zip(date_at(newest)).map(|(from, to)| {
        let to = to.year().max(from.year());
        (from.year().max(to - YEARS), to)
    });
    read(text, now, years)
}

fn read(text: &str, at: i64, years: Option<(i16, i16)>) -> Times {
    let Some(anchor) = date_at(at) else {
        return Times::default();
    };
    let tokens = tokens(text);
    let lower: Vec<String> = tokens.iter().map(Token::lower).collect();
    let mut reader = Reader {
        words: lower.iter().map(String::as_str).collect(),
        tokens: &tokens,
        anchor,
        years,
        times: Times::default(),
    };
    let mut position = 0;
    while position < tokens.len() {
        position += reader.step(position).max(1);
    }
    reader.times
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Said on Monday, 2023-05-08.
    fn spoken(text: &str) -> Vec<String> {
        let at = Timestamp::from_second(1_683_540_000)
            .unwrap()
            .as_microsecond();
        show(&said(text, at).spans)
    }

    fn show(spans: &[Span]) -> Vec<String> {
        spans
            .iter()
            .map(|span| {
                let from = shown(i64::from(span.from) * super::super::DAY);
                let to = shown(i64::from(span.to) * super::super::DAY);
                if from == to {
                    from
                } else {
                    format!("{from}..{to}")
                }
            })
            .collect()
    }

    #[test]
    fn words_are_taken_from_their_day() {
        for (text, wanted) in [
            ("I went yesterday", "2023-05-07"),
            ("the day before yesterday", "2023-05-06"),
            ("We met last week", "2023-05-01..2023-05-07"),
            ("this weekend", "2023-05-13..2023-05-14"),
            ("two days ago", "2023-05-06"),
            ("three months ago", "2023-02-01..2023-02-28"),
            ("last year", "2022-01-01..2022-12-31"),
            ("on Friday", "2023-05-05"),
            ("next Friday", "2023-05-12"),
            ("last summer", "2022-06-01..2022-08-31"),
            ("in two weeks", "2023-05-19..2023-05-25"),
            ("back in June", "2023-06-01..2023-06-30"),
            ("in November", "2023-11-01..2023-11-30"),
            ("on 8 May, 2021", "2021-05-08"),
            ("July 15th, 2023", "2023-07-15"),
            ("the 3rd of April", "2023-04-03"),
            ("on 2022-01-31 we", "2022-01-31"),
            ("summer of 2020", "2020-06-01..2020-08-31"),
            ("since 2016", "2016-01-01..2016-12-31"),
        ] {
            assert_eq!(spoken(text), [wanted], "{text}");
        }
    }

    #[test]
    fn other_words_are_no_dates() {
        for text in [
            "I may march on",
            "it will last",
            "this is it",
            "two cats",
            "May I?",
        ] {
            assert_eq!(spoken(text), Vec::<String>::new(), "{text}");
        }
        assert!(said("I moved here recently", 0).timed);
        assert!(said("we have been married for five years", 0).timed);
    }

    #[test]
    fn a_question_without_a_year_means_each() {
        let at = |day: i64| day * super::super::DAY;
        let asked = asked(
            "What did Ana do in June?",
            at(20_000),
            at(18_700),
            at(19_300),
        );
        assert_eq!(
            show(&asked.spans),
            ["2021-06-01..2021-06-30", "2022-06-01..2022-06-30"]
        );
    }
}
