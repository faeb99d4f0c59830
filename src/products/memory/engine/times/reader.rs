//! Reads a text word by word for what it says of times.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::super::text::Token;
use super::{MOST, Span, Times};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
const NUMBERS: [&str; 13] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
];

/// A text being read.
pub(super) struct Reader<'a> {
    pub(super) words: Vec<&'a str>,
    pub(super) tokens: &'a [Token<'a>],
    pub(super) anchor: Date,
    pub(super) years: Option<(i16, i16)>,
    pub(super) times: Times,
}

impl Reader<'_> {
    fn word(&self, at: usize) -> &str {
        self.words.get(at).copied().unwrap_or_default()
    }

    fn add(&mut self, from: Date, to: Date) {
        self.times.timed = true;
        let most = if self.years.is_some() { MOST * 4 } else { MOST };
        let span = Span::of(from, to);
        if self.times.spans.len() < most && !self.times.spans.contains(&span) {
            self.times.spans.push(span);
        }
    }

    /// Reads what begins at a word; says how many words it took.
    pub(super) fn step(&mut self, at: usize) -> usize {
        let anchor = self.anchor;
        match self.word(at) {
            "yesterday" => {
                let back = if at >= 2 && self.word(at - 1) == "before" {
                    2
                } else {
                    1
                };
                self.near(-back, -back)
            }
            "today" | "tonight" => self.near(0, 0),
            "tomorrow" => self.near(1, 1),
            "recently" | "lately" | "nowadays" | "soon" | "earlier" => {
                self.times.timed = true;
                1
            }
            "last" | "past" => self.relative(at, -1),
            "this" => self.relative(at, 0),
            "next" | "coming" | "upcoming" => self.relative(at, 1),
            "in" if self.counted(at + 1).is_some() => self.ahead(at),
            word if self.counted(at).is_some() => {
                let _ = word;
                self.ago(at)
            }
            word if WEEKDAYS.contains(&word) => {
                let back = -days_since(anchor, weekday(word));
                self.near(back, back)
            }
            word if self.month(at, word).is_some() => self.dated(at),
            word if word.len() == 4 && year(word).is_some() => self.yeared(at),
            _ => self.ordinal(at),
        }
    }

    fn near(&mut self, from: i32, to: i32) -> usize {
        let days = |n: i32| self.anchor.saturating_add(i64::from(n).days());
        let (from, to) = (days(from), days(to));
        self.add(from, to);
        1
    }

    /// "last week", "this summer", "next Friday".
    fn relative(&mut self, at: usize, way: i32) -> usize {
        let anchor = self.anchor;
        let into = days_since(anchor, Weekday::Monday);
        match self.word(at + 1) {
            "night" | "evening" | "morning" | "afternoon" => {
                let back = if self.word(at + 1) == "night" { way } else { 0 };
                self.near(back, back);
            }
            "week" | "weeks" | "few" => {
                self.near(7 * way - into, 7 * way - into + 6);
            }
            "weekend" => {
                self.near(7 * way - into + 5, 7 * way - into + 6);
            }
            "month" | "months" => {
                let date = anchor.saturating_add(i64::from(way).months());
                self.add(date.first_of_month(), date.last_of_month());
            }
            "year" | "years" => {
                let date = anchor.saturating_add(i64::from(way).years());
                self.add(date.first_of_year(), date.last_of_year());
            }
            word if WEEKDAYS.contains(&word) => {
                let since = days_since(anchor, weekday(word));
                let days = if way > 0 { 7 - since } else { -since };
                self.near(days, days);
            }
            word if season(word).is_some() => {
                let first = season(word).unwrap_or(6);
                let mut year = anchor.year();
                if way < 0 && anchor.month() < first + 3 {
                    year -= 1;
                }
                self.season(year, first);
            }
            word if MONTHS.contains(&word) => {
                let month = number_of(word);
                let mut year = anchor.year();
                if way < 0 && month >= anchor.month() {
                    year -= 1;
                } else if way > 0 && month <= anchor.month() {
                    year += 1;
                }
                self.month_of(year, month);
            }
            _ => return 1,
        }
        2
    }

    fn season(&mut self, year: i16, first: i8) {
        if let Ok(from) = Date::new(year, first, 1) {
            let to = from.saturating_add(2.months()).last_of_month();
            self.add(from, to);
        }
    }

    fn month_of(&mut self, year: i16, month: i8) {
        if let Ok(first) = Date::new(year, month, 1) {
            self.add(first, first.last_of_month());
        }
    }

    /// A count and a unit, with the words they take: "two weeks", "a couple of days".
    fn counted(&self, at: usize) -> Option<(i32, &str, usize)> {
        let (count, words) = match self.word(at) {
            "a" | "an" if self.word(at + 1) == "few" => (3, 2),
            "a" if self.word(at + 1) == "couple" => {
                (2, if self.word(at + 2) == "of" { 3 } else { 2 })
            }
            "a" | "an" => (1, 1),
            "few" | "several" => (3, 1),
            word => match NUMBERS.iter().position(|number| *number == word) {
                Some(count) => (count as i32, 1),
                None => (word.parse().ok().filter(|n| (0..=500).contains(n))?, 1),
            },
        };
        let unit = self.word(at + words).trim_end_matches('s');
        matches!(unit, "day" | "week" | "weekend" | "month" | "year").then_some((
            count,
            unit,
            words + 1,
        ))
    }

    /// "two weeks ago"; without "ago" it is a duration, which is a time but no date.
    fn ago(&mut self, at: usize) -> usize {
        let Some((count, unit, words)) = self.counted(at) else {
            return 1;
        };
        let unit = unit.to_owned();
        self.times.timed = true;
        match self.word(at + words) {
            "ago" | "back" | "before" | "earlier" => {
                self.away(-count, &unit);
                words + 1
            }
            _ => words,
        }
    }

    /// "in two weeks".
    fn ahead(&mut self, at: usize) -> usize {
        let Some((count, unit, words)) = self.counted(at + 1) else {
            return 1;
        };
        let unit = unit.to_owned();
        self.away(count, &unit);
        words + 1
    }

    fn away(&mut self, count: i32, unit: &str) {
        let anchor = self.anchor;
        let count64 = i64::from(count);
        match unit {
            "day" => {
                self.near(count, count);
            }
            "week" | "weekend" => {
                self.near(7 * count - 3, 7 * count + 3);
            }
            "month" => {
                let date = anchor.saturating_add(count64.months());
                self.add(date.first_of_month(), date.last_of_month());
            }
            _ => {
                let date = anchor.saturating_add(count64.years());
                self.add(date.first_of_year(), date.last_of_year());
            }
        }
    }

    /// The month a word names. "may" and "march" are also other words, and short forms
    /// need a day or a year beside them.
    fn month(&self, at: usize, word: &str) -> Option<i8> {
        let full = MONTHS.iter().position(|month| *month == word);
        let short = MONTHS
            .iter()
            .position(|month| (word.len() == 3 || word == "sept") && word.starts_with(&month[..3]));
        let index = full.or(short)?;
        let beside = day_number(self.word(at + 1)).is_some()
            || year(self.word(at + 1)).is_some()
            || at > 0 && day_number(self.word(at - 1)).is_some()
            || at > 1 && self.word(at - 1) == "of" && day_number(self.word(at - 2)).is_some();
        let told = at > 0
            && matches!(
                self.word(at - 1),
                "in" | "since"
                    | "until"
                    | "by"
                    | "during"
                    | "early"
                    | "late"
                    | "mid"
                    | "of"
                    | "from"
            );
        let capital = self.tokens.get(at).is_some_and(Token::capital);
        let sure = match index {
            2 | 4 => beside || told && capital,
            _ => full.is_some() && capital || beside || full.is_some() && told,
        };
        sure.then_some(index as i8 + 1)
    }

    /// "May 8, 2023", "8 May", "May 2023", "in May".
    fn dated(&mut self, at: usize) -> usize {
        let Some(month) = self.month(at, self.word(at)) else {
            return 1;
        };
        let before = match at {
            0 => None,
            1 => day_number(self.word(0)),
            _ if self.word(at - 1) == "of" => day_number(self.word(at - 2)),
            _ => day_number(self.word(at - 1)),
        };
        let after = day_number(self.word(at + 1)).filter(|_| before.is_none());
        let mut taken = 1 + usize::from(after.is_some());
        let named = year(self.word(at + taken));
        taken += usize::from(named.is_some());
        let years = match (named, self.years) {
            (Some(year), _) => vec![year],
            (None, Some((from, to))) => (from..=to).collect(),
            (None, None) => vec![self.closest(month)],
        };
        for year in years {
            match before.or(after) {
                Some(day) => {
                    if let Ok(date) = Date::new(year, month, day) {
                        self.add(date, date);
                    }
                }
                None => self.month_of(year, month),
            }
        }
        taken
    }

    /// The year in which a month said without one lies nearest.
    fn closest(&self, month: i8) -> i16 {
        let ahead = i16::from(month) - i16::from(self.anchor.month());
        match ahead {
            7.. => self.anchor.year() - 1,
            ..=-7 => self.anchor.year() + 1,
            _ => self.anchor.year(),
        }
    }

    /// "2023", "summer 2023", "2023-05-08".
    fn yeared(&mut self, at: usize) -> usize {
        let Some(named) = year(self.word(at)) else {
            return 1;
        };
        let part = |word: &str| word.parse::<i8>().ok();
        if let (Some(month), Some(day)) = (part(self.word(at + 1)), part(self.word(at + 2)))
            && self.tokens.get(at + 1).is_some_and(|token| token.apart)
            && let Ok(date) = Date::new(named, month, day)
        {
            self.add(date, date);
            return 3;
        }
        let before = |n: usize| at.checked_sub(n).map_or("", |at| self.word(at));
        if let Some(first) = season(before(1)).or_else(|| season(before(2))) {
            self.season(named, first);
        } else if let (Ok(from), Ok(to)) = (Date::new(named, 1, 1), Date::new(named, 12, 31)) {
            self.add(from, to);
        }
        1
    }

    /// "the 8th" is a day of no known month: a time, but no date.
    fn ordinal(&mut self, at: usize) -> usize {
        let word = self.word(at);
        if word.ends_with(|c: char| c.is_alphabetic())
            && word.starts_with(|c: char| c.is_ascii_digit())
            && day_number(word).is_some()
        {
            self.times.timed = true;
        }
        1
    }
}

fn number_of(month: &str) -> i8 {
    MONTHS
        .iter()
        .position(|m| *m == month)
        .map_or(1, |m| m as i8 + 1)
}

fn weekday(word: &str) -> Weekday {
    let number = WEEKDAYS.iter().position(|day| *day == word);
    number
        .and_then(|n| Weekday::from_monday_zero_offset(n as i8).ok())
        .unwrap_or(Weekday::Monday)
}

/// Days since a weekday was last, one to seven; none since Monday on a Monday.
fn days_since(date: Date, weekday: Weekday) -> i32 {
    let days = i32::from(date.weekday().since(weekday));
    if days == 0 && weekday != Weekday::Monday {
        7
    } else {
        days
    }
}

/// The first month of a season of the north.
fn season(word: &str) -> Option<i8> {
    match word {
        "spring" => Some(3),
        "summer" => Some(6),
        "fall" | "autumn" => Some(9),
        "winter" => Some(12),
        _ => None,
    }
}

fn day_number(word: &str) -> Option<i8> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &word[digits.len()..];
    matches!(suffix, "" | "st" | "nd" | "rd" | "th")
        .then(|| digits.parse().ok())
        .flatten()
        .filter(|day| (1..=31).contains(day))
}

fn year(word: &str) -> Option<i16> {
    word.parse()
        .ok()
        .filter(|year| word.len() == 4 && (1900..=2100).contains(year))
}
