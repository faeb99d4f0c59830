//! The fields of a line of text: the message, then `name=value`. The library formats
//! every value through `Debug`, which was a tenth of what a small request cost; here
//! what needs no escaping is copied.

use std::fmt::{self, Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// Formats fields.
#[derive(Debug)]
pub(super) struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        put(writer, &fields)
    }
}

/// Writes fields.
pub(super) fn put(writer: impl fmt::Write, fields: &impl RecordFields) -> fmt::Result {
    let mut line = Line {
        writer,
        first: true,
        result: Ok(()),
    };
    fields.record(&mut line);
    line.result
}

struct Line<W> {
    writer: W,
    first: bool,
    result: fmt::Result,
}

impl<W: fmt::Write> Line<W> {
    fn field(&mut self, field: &Field, value: impl FnOnce(&mut W) -> fmt::Result) {
        if self.result.is_ok() {
            self.result = self.name(field).and_then(|()| value(&mut self.writer));
        }
    }

    fn name(&mut self, field: &Field) -> fmt::Result {
        if !std::mem::take(&mut self.first) {
            self.writer.write_char(' ')?;
        }
        match field.name() {
            "message" => Ok(()),
            name => {
                self.writer.write_str(name)?;
                self.writer.write_char('=')
            }
        }
    }
}

impl<W: fmt::Write> Visit for Line<W> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.field(field, |writer| Escaped(writer).write_str(value)),
            _ if all(value, |b| is_plain(b) & (b != b'"') & (b != b'\\')) => {
                self.field(field, |writer| {
                    writer.write_char('"')?;
                    writer.write_str(value)?;
                    writer.write_char('"')
                });
            }
            _ => self.field(field, |writer| write!(writer, "{value:?}")),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        let mut digits = itoa::Buffer::new();
        self.field(field, |writer| writer.write_str(digits.format(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        let mut digits = itoa::Buffer::new();
        self.field(field, |writer| writer.write_str(digits.format(value)));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // Within these bounds both write the same.
        if !(1e-4..1e15).contains(&value) {
            return self.record_debug(field, &value);
        }
        let mut digits = ryu::Buffer::new();
        self.field(field, |writer| {
            writer.write_str(digits.format_finite(value))
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.field(field, |writer| write!(Escaped(writer), "{value:?}"));
    }
}

fn is_plain(byte: u8) -> bool {
    byte.wrapping_sub(b' ') <= b'~' - b' '
}

/// Whether all bytes are such. Without a way out in between, several are looked at
/// at once.
fn all(text: &str, such: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(true, |all, byte| all & such(byte))
}

/// Text in which nothing moves a terminal or begins a line.
struct Escaped<'a, W>(&'a mut W);

impl<W: fmt::Write> fmt::Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if all(text, is_plain) {
            return self.0.write_str(text);
        }
        text.chars().try_for_each(|c| match c.is_control() {
            true => write!(self.0, "{}", c.escape_default()),
            false => self.0.write_char(c),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    pub(in super::super) struct Output(Arc<Mutex<Vec<u8>>>);

    impl Output {
        pub(in super::super) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for &Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            io::Write::write(&mut *self.0.lock().unwrap(), bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Output {
        type Writer = &'a Output;

        fn make_writer(&'a self) -> Self::Writer {
            self
        }
    }

    /// What a call logs, without its time.
    fn logged(log: impl FnOnce()) -> String {
        let output = Output::default();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(Fields)
            .without_time()
            .with_target(false)
            .with_writer(output.clone())
            .finish();
        with_default(subscriber, log);
        output.text()
    }

    #[test]
    fn values_are_written_as_debug_writes_them() {
        let line = logged(|| {
            let missing: Option<&str> = None;
            tracing::info!(
                id = "a-1",
                odd = "say \"no\"\\",
                status = 200_u16,
                code = -3,
                took = 0.25,
                nothing = 0.0,
                little = 0.00001234,
                big = u64::MAX,
                fine = true,
                missing,
                address = %"1.2.3.4",
                list = ?["x"],
                "request {}",
                7
            );
        });
        let expected = concat!(
            " INFO request 7 id=\"a-1\" odd=\"say \\\"no\\\"\\\\\" status=200 code=-3 took=0.25 nothing=0.0 ",
            "little=1.234e-5 ",
            "big=18446744073709551615 fine=true address=1.2.3.4 list=[\"x\"]\n"
        );
        assert_eq!(line, expected);
    }

    #[test]
    fn nothing_escapes_its_line() {
        let line = logged(|| {
            tracing::info!(
                quoted = "a\nb\u{1b}[31m",
                bare = %"c\r\nd\u{1b}e\u{9b}é",
                "{}",
                "m\nessage \"é\""
            );
        });
        let expected = concat!(
            " INFO m\\nessage \"é\" quoted=\"a\\nb\\u{1b}[31m\" ",
            "bare=c\\r\\nd\\u{1b}e\\u{9b}é\n"
        );
        assert_eq!(line, expected);
    }
}
