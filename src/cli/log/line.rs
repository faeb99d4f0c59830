//! A line of text: when, how grave, where, then the fields. The library comes to the
//! same through a writer behind a writer for every word, which was a tenth of what a
//! small request cost; here a line is put together in one piece of memory.

use std::cell::Cell;
use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::fields;
use super::time::{self, Time};

thread_local! {
    /// The memory of the line before.
    static LINE: Cell<String> = const { Cell::new(String::new()) };
}

/// Formats lines.
#[derive(Debug)]
pub(super) struct Line {
    /// Formats what is rare: events within spans, and those of the `log` crate.
    others: Format<Full, Time>,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            others: Format::default().with_timer(Time),
        }
    }
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let about = event.metadata();
        if about.target() == "log" || context.event_scope().is_some() {
            return self.others.format_event(context, writer, event);
        }
        let mut line = LINE.take();
        line.clear();
        time::put_now(&mut line)?;
        line.push_str(match *about.level() {
            Level::ERROR => " ERROR ",
            Level::WARN => "  WARN ",
            Level::INFO => "  INFO ",
            Level::DEBUG => " DEBUG ",
            Level::TRACE => " TRACE ",
        });
        line.push_str(about.target());
        line.push_str(": ");
        fields::put(&mut line, event)?;
        line.push('\n');
        let written = writer.write_str(&line);
        LINE.set(line);
        written
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::Output;
    use super::*;

    /// What is logged with this format, without its time.
    fn logged<E>(format: E, log: impl Fn()) -> String
    where
        E: FormatEvent<tracing_subscriber::Registry, fields::Fields> + Send + Sync + 'static,
    {
        let output = Output::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .fmt_fields(fields::Fields)
            .event_format(format)
            .with_writer(output.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let text = output.text();
        let lines = text
            .lines()
            .map(|line| &line["1970-01-01T00:00:00.000000Z".len()..]);
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn lines_are_those_of_the_library() {
        let log = || {
            tracing::error!(a = 1, b = "x\ny", "first");
            tracing::warn!("second {}", 2);
            tracing::info!(target: "elsewhere", c = 0.5);
            tracing::debug!(d = ?[1], "third");
            tracing::trace_span!("within", e = 5).in_scope(|| tracing::info!(f = true, "fourth"));
            tracing::trace!("fifth");
        };
        let own = logged(Line::default(), log);
        assert_eq!(own, logged(Format::default().with_timer(Time), log));
        assert_eq!(own.lines().count(), 6, "{own}");
    }
}
