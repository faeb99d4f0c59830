//! `google.protobuf.Timestamp` and `Duration` as JSON text.
//!
//! Timestamps are RFC 3339 within years 0001 to 9999, written in UTC with 0, 3,
//! 6 or 9 fractional digits. Durations are seconds with a suffix `s`, within
//! ±315,576,000,000 s.

use super::fault::{Fault, Parsed};

/// First second of year 0001.
const MIN_SECONDS: i64 = -62_135_596_800;
/// Last second of year 9999.
const MAX_SECONDS: i64 = 253_402_300_799;
/// Longest duration, about 10,000 years.
const MAX_DURATION: i64 = 315_576_000_000;

const NO_TIME: &str = "must be a time such as 2024-01-15T10:30:00Z";
const NO_DURATION: &str = "must be a duration such as 1.5s";

/// Reads an RFC 3339 time as seconds and nanoseconds since 1970.
pub fn timestamp(text: &str) -> Parsed<(i64, i32)> {
    parse_timestamp(text).ok_or_else(|| Fault::shape(NO_TIME))
}

fn parse_timestamp(text: &str) -> Option<(i64, i32)> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || !text.is_ascii() {
        return None;
    }
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| bytes[*at] != *mark) {
        return None;
    }
    let year = digits(&bytes[0..4])?;
    let month = digits(&bytes[5..7])?;
    let day = digits(&bytes[8..10])?;
    let (hour, minute) = (digits(&bytes[11..13])?, digits(&bytes[14..16])?);
    let second = digits(&bytes[17..19])?;
    let valid = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !valid {
        return None;
    }
    let (nanos, zone) = fraction(&bytes[19..])?;
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
        - offset(zone)?;
    (MIN_SECONDS..=MAX_SECONDS)
        .contains(&seconds)
        .then_some((seconds, nanos))
}

/// Nanoseconds of a fraction, if there is one, and what follows it.
fn fraction(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let Some(rest) = bytes.strip_prefix(b".") else {
        return Some((0, bytes));
    };
    let len = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    if len == 0 || len > 9 {
        return None;
    }
    let value = digits(&rest[..len])? * 10_i64.pow(9 - len as u32);
    Some((value as i32, &rest[len..]))
}

/// Seconds east of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3600 + minutes * 60;
            Some(if *sign == b'+' { seconds } else { -seconds })
        }
        _ => None,
    }
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + i64::from(byte - b'0'))
    })
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a day of the proleptic Gregorian calendar, by the
/// method of Howard Hinnant's `days_from_civil`.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let doe = days.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month, doy - (153 * mp + 2) / 5 + 1)
}

/// Writes a time as quoted RFC 3339. `None` when it is out of range.
pub fn put_timestamp(out: &mut Vec<u8>, seconds: i64, nanos: i32) -> Option<()> {
    if !(MIN_SECONDS..=MAX_SECONDS).contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
        return None;
    }
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let time = seconds.rem_euclid(86_400);
    out.push(b'"');
    put_digits(out, year, 4);
    out.push(b'-');
    put_digits(out, month, 2);
    out.push(b'-');
    put_digits(out, day, 2);
    out.push(b'T');
    put_digits(out, time / 3600, 2);
    out.push(b':');
    put_digits(out, time / 60 % 60, 2);
    out.push(b':');
    put_digits(out, time % 60, 2);
    put_fraction(out, nanos);
    out.extend_from_slice(b"Z\"");
    Some(())
}

/// Gives a time that was written from `start` on exactly three fractional digits.
pub fn to_millis(out: &mut Vec<u8>, start: usize) {
    const SECONDS: usize = "\"2024-01-01T00:00:00".len();
    let fraction = out.get(start + SECONDS..).unwrap_or_default();
    let digits = fraction.iter().skip(1).take_while(|b| b.is_ascii_digit());
    let mut digits: Vec<u8> = digits.copied().collect();
    digits.resize(3, b'0');
    out.truncate(start + SECONDS);
    out.push(b'.');
    out.extend_from_slice(&digits);
    out.extend_from_slice(b"Z\"");
}

/// Writes 0, 3, 6 or 9 fractional digits, as many as are needed.
fn put_fraction(out: &mut Vec<u8>, nanos: i32) {
    let nanos = i64::from(nanos.unsigned_abs());
    let (value, width) = match nanos {
        0 => return,
        n if n % 1_000_000 == 0 => (n / 1_000_000, 3),
        n if n % 1000 == 0 => (n / 1000, 6),
        n => (n, 9),
    };
    out.push(b'.');
    put_digits(out, value, width);
}

fn put_digits(out: &mut Vec<u8>, value: i64, width: u32) {
    for place in (0..width).rev() {
        out.push(b'0' + (value / 10_i64.pow(place) % 10) as u8);
    }
}

/// Reads a duration as seconds and nanoseconds of the same sign.
pub fn duration(text: &str) -> Parsed<(i64, i32)> {
    parse_duration(text).ok_or_else(|| Fault::shape(NO_DURATION))
}

fn parse_duration(text: &str) -> Option<(i64, i32)> {
    let text = text.strip_suffix('s')?;
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let whole = text.bytes().take_while(u8::is_ascii_digit).count();
    if whole == 0 || whole > 12 {
        return None;
    }
    let seconds = digits(&text.as_bytes()[..whole])?;
    let (nanos, rest) = fraction(&text.as_bytes()[whole..])?;
    if !rest.is_empty() || seconds > MAX_DURATION {
        return None;
    }
    Some(if negative {
        (-seconds, -nanos)
    } else {
        (seconds, nanos)
    })
}

/// Writes a duration as quoted text. `None` when it is out of range or its
/// signs differ.
pub fn put_duration(out: &mut Vec<u8>, seconds: i64, nanos: i32) -> Option<()> {
    let mixed = (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0);
    if mixed || seconds.abs() > MAX_DURATION || nanos.unsigned_abs() >= 1_000_000_000 {
        return None;
    }
    out.push(b'"');
    if seconds < 0 || nanos < 0 {
        out.push(b'-');
    }
    super::number::put_integer(out, seconds.unsigned_abs());
    put_fraction(out, nanos);
    out.extend_from_slice(b"s\"");
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(put: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<String> {
        let mut out = Vec::new();
        put(&mut out)?;
        String::from_utf8(out).ok()
    }

    #[test]
    fn timestamps_agree_with_jiff() {
        for text in [
            "0001-01-01T00:00:00Z",
            "1600-02-29T12:00:00.5Z",
            "1970-01-01T00:00:00Z",
            "2024-02-29T23:59:59.123456789Z",
            "2024-03-01T00:00:00+05:45",
            "2100-02-28T10:00:00-23:59",
            "9999-12-30T21:59:59.999Z",
        ] {
            let (seconds, nanos) = timestamp(text).unwrap();
            let oracle: jiff::Timestamp = text.parse().unwrap();
            let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
            assert_eq!(total, oracle.as_nanosecond(), "{text}");
            let back = written(|out| put_timestamp(out, seconds, nanos)).unwrap();
            assert_eq!(timestamp(back.trim_matches('"')), Ok((seconds, nanos)));
        }
        for text in [
            "",
            "2024-01-01",
            "2024-01-01 00:00:00Z",
            "2024-01-01t00:00:00Z",
            "2024-01-01T00:00:00z",
            "2024-01-01T00:00:00",
            "2024-02-30T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00.1234567890Z",
            "2024-01-01T00:00:00+0100",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "0000-12-31T00:00:00Z",
            "20240101T000000Z é",
        ] {
            assert!(timestamp(text).is_err(), "{text}");
        }
    }

    #[test]
    fn fractions_have_three_six_or_nine_digits() {
        for (nanos, text) in [
            (0, "\"1970-01-01T00:00:01Z\""),
            (10_000_000, "\"1970-01-01T00:00:01.010Z\""),
            (10_000, "\"1970-01-01T00:00:01.000010Z\""),
            (1, "\"1970-01-01T00:00:01.000000001Z\""),
        ] {
            let got = written(|out| put_timestamp(out, 1, nanos));
            assert_eq!(got.as_deref(), Some(text));
        }
        assert_eq!(written(|out| put_timestamp(out, 0, -1)), None);
    }

    #[test]
    fn durations_round_trip() {
        for (text, value) in [
            ("0s", (0, 0)),
            ("1.500s", (1, 500_000_000)),
            ("-0.000000001s", (0, -1)),
            ("315576000000s", (MAX_DURATION, 0)),
        ] {
            assert_eq!(duration(text), Ok(value));
            let back = written(|out| put_duration(out, value.0, value.1));
            assert_eq!(back, Some(format!("\"{text}\"")));
        }
        for text in [
            "",
            "1",
            "s",
            "1.s",
            ".5s",
            "1 s",
            "+1s",
            "315576000001s",
            "--1s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(written(|out| put_duration(out, 1, -1)), None);
    }
}
