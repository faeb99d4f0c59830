//! Buckets of time. Rollups exist per quarter of an hour, hour, UTC day and UTC
//! month; a period is covered by the largest buckets that fit, and what is left
//! at its edges is read from the events themselves.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::clock::MICROS;

/// Size of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Level {
    /// 15 minutes: every offset of a time zone is a multiple of it.
    Quarter = 0,
    Hour = 1,
    Day = 2,
    Month = 3,
}

impl Level {
    /// Start of the bucket a time lies in.
    pub(super) fn floor(self, time: i64) -> i64 {
        let size = match self {
            Self::Quarter => 900 * MICROS,
            Self::Hour => 3600 * MICROS,
            Self::Day => 86_400 * MICROS,
            Self::Month => return month(time, 0).unwrap_or(time),
        };
        time.div_euclid(size) * size
    }

    /// Start of the bucket after the one that starts here.
    pub(super) fn next(self, start: i64) -> i64 {
        match self {
            Self::Quarter => start + 900 * MICROS,
            Self::Hour => start + 3600 * MICROS,
            Self::Day => start + 86_400 * MICROS,
            Self::Month => month(start, 1).unwrap_or(i64::MAX),
        }
    }

    pub(super) fn smaller(self) -> Option<Self> {
        match self {
            Self::Month => Some(Self::Day),
            Self::Day => Some(Self::Hour),
            Self::Hour => Some(Self::Quarter),
            Self::Quarter => None,
        }
    }
}

/// Start of the UTC month a time lies in, or of a later one.
fn month(time: i64, later: i8) -> Option<i64> {
    let at = jiff::Timestamp::from_microsecond(time).ok()?;
    let first = at.to_zoned(TimeZone::UTC).date().first_of_month();
    let shifted = first.checked_add(jiff::Span::new().months(later)).ok()?;
    start_of(shifted)
}

fn start_of(date: Date) -> Option<i64> {
    let zoned = date.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_microsecond())
}

/// A part of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// Which buckets cover it; `None` is read from the events.
    pub(super) level: Option<Level>,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// Covers a period with buckets no smaller than `finest`.
pub(super) fn cover(from: i64, to: i64, finest: Level) -> Vec<Piece> {
    let mut pieces = Vec::new();
    split(from, to, Some(Level::Month), finest, &mut pieces);
    pieces
}

fn split(from: i64, to: i64, level: Option<Level>, finest: Level, pieces: &mut Vec<Piece>) {
    if from >= to {
        return;
    }
    let Some(level) = level.filter(|level| *level >= finest) else {
        pieces.push(Piece {
            level: None,
            from,
            to,
        });
        return;
    };
    let floor = level.floor(from);
    let start = if floor == from {
        from
    } else {
        level.next(floor)
    };
    let end = level.floor(to);
    if start >= end {
        return split(from, to, level.smaller(), finest, pieces);
    }
    split(from, start, level.smaller(), finest, pieces);
    pieces.push(Piece {
        level: Some(level),
        from: start,
        to: end,
    });
    split(end, to, level.smaller(), finest, pieces);
}

/// Joins neighbours of the same level into one, so that each is one query.
pub(super) fn joined(mut pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.sort_by_key(|piece| (piece.level, piece.from));
    let mut joined: Vec<Piece> = Vec::new();
    for piece in pieces {
        match joined.last_mut() {
            Some(last) if last.level == piece.level && last.to == piece.from => last.to = piece.to,
            Some(_) | None => joined.push(piece),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    fn shown(pieces: &[Piece]) -> Vec<String> {
        let time = |micros| jiff::Timestamp::from_microsecond(micros).unwrap();
        pieces
            .iter()
            .map(|p| format!("{:?} {} {}", p.level, time(p.from), time(p.to)))
            .collect()
    }

    #[test]
    fn periods_are_covered_exactly() {
        // Two months of Berlin's days: ragged hours, days, one whole month.
        let (from, to) = (at("2024-01-30T23:00:00Z"), at("2024-03-02T22:15:00Z"));
        let pieces = cover(from, to, Level::Quarter);
        assert_eq!(
            shown(&pieces),
            [
                "Some(Hour) 2024-01-30T23:00:00Z 2024-01-31T00:00:00Z",
                "Some(Day) 2024-01-31T00:00:00Z 2024-02-01T00:00:00Z",
                "Some(Month) 2024-02-01T00:00:00Z 2024-03-01T00:00:00Z",
                "Some(Day) 2024-03-01T00:00:00Z 2024-03-02T00:00:00Z",
                "Some(Hour) 2024-03-02T00:00:00Z 2024-03-02T22:00:00Z",
                "Some(Quarter) 2024-03-02T22:00:00Z 2024-03-02T22:15:00Z",
            ]
        );
        for (from, to) in [
            (from + 1, to - 1),
            (from, from + 5),
            (-5, 7 * 3600 * MICROS),
        ] {
            for finest in [Level::Quarter, Level::Hour, Level::Day, Level::Month] {
                let pieces = cover(from, to, finest);
                assert_eq!(pieces.first().unwrap().from, from);
                assert_eq!(pieces.last().unwrap().to, to);
                assert!(pieces.windows(2).all(|pair| pair[0].to == pair[1].from));
                assert!(pieces.iter().all(|p| p.level.is_none_or(|l| l >= finest)));
            }
        }
    }

    #[test]
    fn neighbours_are_joined() {
        let days = (1..=9).map(|day| at(&format!("2024-01-0{day}T00:00:00Z")));
        let days: Vec<i64> = days.collect();
        let pieces = days
            .windows(2)
            .flat_map(|w| cover(w[0], w[1], Level::Day))
            .collect();
        assert_eq!(joined(pieces).len(), 1);
    }
}
