//! Numbers as bytes: small ones take few, and columns of few different ones take one
//! byte a row or none.

use std::collections::HashMap;

/// Bytes being written.
#[derive(Debug)]
pub(super) struct Output(Vec<u8>);

impl Output {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn done(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Seven bits a byte, the lowest first.
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// The sign in the lowest bit.
    pub(super) fn signed(&mut self, number: i64) {
        self.number((number << 1 ^ number >> 63) as u64);
    }

    /// The different numbers there are, then for each row which of them it is.
    pub(super) fn column(&mut self, rows: impl Iterator<Item = u32> + Clone) {
        let mut codes: HashMap<u32, u32, foldhash::fast::FixedState> = HashMap::default();
        let mut values = Vec::new();
        for value in rows.clone() {
            codes.entry(value).or_insert_with(|| {
                values.push(value);
                values.len() as u32 - 1
            });
        }
        self.number(values.len() as u64);
        for value in &values {
            self.number((*value).into());
        }
        let width = width(values.len());
        if width == 0 {
            return;
        }
        for value in rows {
            let code = codes.get(&value).copied().unwrap_or_default();
            self.bytes(&code.to_le_bytes()[..width]);
        }
    }
}

/// Bytes of a code of so many different numbers.
fn width(values: usize) -> usize {
    match values {
        0..=1 => 0,
        2..=256 => 1,
        257..=65_536 => 2,
        _ => 4,
    }
}

/// Bytes being read. What is not there is `None`.
#[derive(Debug, Clone)]
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (own, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(own)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// A column of so many rows.
    pub(super) fn column(&mut self, rows: usize) -> Option<Column<'a>> {
        let count = self.number()? as usize;
        // Every number takes a byte at least.
        if count > self.0.len() || count == 0 && rows > 0 {
            return None;
        }
        let values = (0..count).map(|_| Some(self.number()? as u32));
        let values = values.collect::<Option<Vec<u32>>>()?;
        let width = width(count);
        let codes = self.bytes(rows.checked_mul(width)?)?;
        let column = Column {
            values,
            width,
            codes,
        };
        let sound = match width {
            0 => true,
            1 => codes
                .iter()
                .max()
                .is_none_or(|most| usize::from(*most) < count),
            _ => (0..rows).all(|at| column.code(at) < count),
        };
        sound.then_some(column)
    }
}

/// A column being read.
#[derive(Debug)]
pub(super) struct Column<'a> {
    values: Vec<u32>,
    width: usize,
    codes: &'a [u8],
}

impl Column<'_> {
    /// The different numbers.
    pub(super) fn values(&self) -> &[u32] {
        &self.values
    }

    /// Which of them a row is.
    pub(super) fn code(&self, at: usize) -> usize {
        let byte = |offset: usize| {
            let byte = self.codes.get(at * self.width + offset);
            byte.copied().map_or(0, usize::from)
        };
        match self.width {
            0 => 0,
            1 => byte(0),
            2 => byte(0) | byte(1) << 8,
            _ => byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24,
        }
    }

    /// The number of a row.
    pub(super) fn value(&self, at: usize) -> u32 {
        self.values.get(self.code(at)).copied().unwrap_or(0)
    }
}
