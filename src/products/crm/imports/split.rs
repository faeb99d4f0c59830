//! A file that comes in pieces, cut into parts of whole rows. Only one part of it is in
//! memory, however large the file.

use std::collections::VecDeque;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::Format;
use crate::error::{Error, Result};

/// Rows of a part, and bytes it may have to begin another: what is written in one
/// transaction.
const ROWS: i64 = 1000;
const BYTES: usize = 512 * 1024;
/// Most bytes of a row.
const LONGEST: usize = 1024 * 1024;

/// Whole rows.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) body: Vec<u8>,
    pub(super) first_row: i64,
    pub(super) rows: i64,
}

/// Cuts a file.
#[derive(Debug)]
pub(super) struct Splitter {
    /// `None` of lines.
    csv: Option<Box<Reader>>,
    pending: Vec<u8>,
    /// How far the pending bytes were looked at, and where their last whole row ends.
    seen: usize,
    end: usize,
    /// Rows in whole parts so far, and of the one that is growing.
    before: i64,
    rows: i64,
    parts: VecDeque<Part>,
}

impl Splitter {
    pub(super) fn new(format: Format, delimiter: u8) -> Self {
        let csv = || Box::new(ReaderBuilder::new().delimiter(delimiter).build());
        Self {
            csv: (format == Format::Csv).then(csv),
            pending: Vec::new(),
            seen: 0,
            end: 0,
            before: 0,
            rows: 0,
            parts: VecDeque::new(),
        }
    }

    /// Takes more of the file.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.pending.extend_from_slice(bytes);
        self.scan();
        if self.pending.len() - self.end > LONGEST {
            let row = self.before + self.rows + 1;
            let words = format!("Row {row} is longer than {LONGEST} bytes");
            return Err(Error::invalid_field("file", words));
        }
        Ok(())
    }

    /// The file ends here.
    pub(super) fn finish(&mut self) {
        // What stands behind the last line break is a row as well.
        let rest = &self.pending[self.end..];
        if rest.iter().any(|byte| !byte.is_ascii_whitespace()) {
            self.rows += 1;
        }
        self.end = self.pending.len();
        if self.rows > 0 {
            self.cut();
        }
    }

    /// A part that is whole.
    pub(super) fn next(&mut self) -> Option<Part> {
        self.parts.pop_front()
    }

    fn scan(&mut self) {
        while let Some(length) = self.row() {
            self.seen += length;
            self.end = self.seen;
            self.rows += 1;
            if self.rows == ROWS || self.end >= BYTES {
                self.cut();
            }
        }
    }

    /// The length of the next whole row; without one, everything was looked at.
    fn row(&mut self) -> Option<usize> {
        let rest = &self.pending[self.seen..];
        let Some(csv) = &mut self.csv else {
            let from = rest.iter().position(|byte| *byte == b'\n');
            match from {
                Some(at) => return Some(at + 1),
                None => {
                    self.seen = self.pending.len();
                    return None;
                }
            }
        };
        let (mut cells, mut ends) = ([0; 4096], [0; 256]);
        let mut read = 0;
        while read < rest.len() {
            let (result, length, ..) = csv.read_record(&rest[read..], &mut cells, &mut ends);
            read += length;
            match result {
                ReadRecordResult::Record => return Some(read),
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {}
                ReadRecordResult::InputEmpty | ReadRecordResult::End => break,
            }
        }
        self.seen = self.pending.len();
        None
    }

    fn cut(&mut self) {
        let rest = self.pending.split_off(self.end);
        let body = std::mem::replace(&mut self.pending, rest);
        self.parts.push_back(Part {
            body,
            first_row: self.before + 1,
            rows: self.rows,
        });
        self.before += self.rows;
        self.rows = 0;
        self.seen -= self.end;
        self.end = 0;
    }
}
