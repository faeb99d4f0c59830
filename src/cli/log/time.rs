//! The time of a line. The date and the second are written once a second, not once a
//! line.

use std::cell::RefCell;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// Writes the time as RFC 3339 has it, in UTC, with microseconds.
#[derive(Debug)]
pub(super) struct Time;

thread_local! {
    /// A second since 1970 and its text, without a zone.
    static SECOND: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

impl FormatTime for Time {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        put_now(writer)
    }
}

/// Writes what time it is.
pub(super) fn put_now(writer: &mut impl fmt::Write) -> fmt::Result {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default();
    put(writer, now.as_secs(), now.subsec_micros())
}

fn put(writer: &mut impl fmt::Write, second: u64, micros: u32) -> fmt::Result {
    SECOND.with_borrow_mut(|(known, text)| {
        if *known != second || text.is_empty() {
            let time = Timestamp::from_second(second as i64).unwrap_or_default();
            *text = time.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            *known = second;
        }
        writer.write_str(text)
    })?;
    let mut digits = *b".000000Z";
    let mut left = micros;
    for digit in digits[1..7].iter_mut().rev() {
        *digit += (left % 10) as u8;
        left /= 10;
    }
    writer.write_str(std::str::from_utf8(&digits).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_has_them() {
        let mut line = String::new();
        for (second, micros) in [(0, 7), (1_700_000_000, 120_000), (1_700_000_000, 999_999)] {
            put(&mut line, second, micros).unwrap();
            line.push(' ');
        }
        let expected = "1970-01-01T00:00:00.000007Z 2023-11-14T22:13:20.120000Z \
                        2023-11-14T22:13:20.999999Z ";
        assert_eq!(line, expected);
    }
}
