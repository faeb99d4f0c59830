//! The protobuf wire format: varints, tags and length-delimited values, as far
//! as the JSON codec needs them. See <https://protobuf.dev/programming-guides/encoding/>.

/// Wire type of a field: what follows its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireType {
    /// A varint.
    Varint = 0,
    /// Eight bytes, little-endian.
    Fixed64 = 1,
    /// A varint length and that many bytes.
    Delimited = 2,
    /// Four bytes, little-endian.
    Fixed32 = 5,
}

/// Writes a base-128 varint.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes a field's tag.
pub fn put_tag(out: &mut Vec<u8>, number: u32, wire: WireType) {
    put_varint(out, u64::from(number) << 3 | wire as u64);
}

/// Writes bytes with their length in front.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Writes what `fill` writes with its length in front. One byte is kept for the
/// length, which fits most messages; longer ones are moved up.
pub fn put_delimited<T, E>(
    out: &mut Vec<u8>,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<T, E>,
) -> Result<T, E> {
    let start = out.len();
    out.push(0);
    let filled = fill(out)?;
    let len = out.len() - start - 1;
    if len < 0x80 {
        out[start] = len as u8;
        return Ok(filled);
    }
    let extra = varint_len(len as u64) - 1;
    out.resize(out.len() + extra, 0);
    out.copy_within(start + 1..start + 1 + len, start + 1 + extra);
    let mut value = len as u64;
    for slot in &mut out[start..start + extra] {
        *slot = (value as u8) | 0x80;
        value >>= 7;
    }
    out[start + extra] = value as u8;
    Ok(filled)
}

fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Zigzag encoding of a signed number.
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The signed number of a zigzag encoding.
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// A field as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Raw<'a> {
    /// A varint.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Four bytes.
    Fixed32(u32),
    /// Length-delimited bytes.
    Bytes(&'a [u8]),
}

/// The bytes are not a protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a protobuf message")]
pub struct Malformed;

/// Reads fields one after another.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Reads the fields of an encoded message.
    pub fn new(wire: &'a [u8]) -> Self {
        Self { rest: wire }
    }

    /// The next field's number and value; `None` at the end. Groups are skipped.
    pub fn read(&mut self) -> Result<Option<(u32, Raw<'a>)>, Malformed> {
        while !self.rest.is_empty() {
            let tag = self.varint()?;
            let number = u32::try_from(tag >> 3).map_err(|_| Malformed)?;
            if number == 0 {
                return Err(Malformed);
            }
            let raw = match tag & 7 {
                0 => Raw::Varint(self.varint()?),
                1 => Raw::Fixed64(u64::from_le_bytes(self.array()?)),
                2 => {
                    let len = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                    Raw::Bytes(self.take(len)?)
                }
                3 => {
                    self.skip_group(number, 0)?;
                    continue;
                }
                5 => Raw::Fixed32(u32::from_le_bytes(self.array()?)),
                _ => return Err(Malformed),
            };
            return Ok(Some((number, raw)));
        }
        Ok(None)
    }

    /// The next varint, as in a packed list.
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for (i, byte) in self.rest.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*head)
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Malformed)?;
        self.rest = rest;
        Ok(head)
    }

    fn skip_group(&mut self, number: u32, depth: u32) -> Result<(), Malformed> {
        if depth > 100 {
            return Err(Malformed);
        }
        loop {
            let tag = self.varint()?;
            match tag & 7 {
                0 => drop(self.varint()?),
                1 => drop(self.array::<8>()?),
                2 => {
                    let len = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                    self.take(len)?;
                }
                3 => self.skip_group((tag >> 3) as u32, depth + 1)?,
                4 if (tag >> 3) as u32 == number => return Ok(()),
                5 => drop(self.array::<4>()?),
                _ => return Err(Malformed),
            }
        }
    }
}

/// The last value of a bytes, text or message field; empty when there is none.
pub fn bytes_of(wire: &[u8], number: u32) -> Result<&[u8], Malformed> {
    let mut fields = Fields::new(wire);
    let mut found: &[u8] = &[];
    while let Some((own, raw)) = fields.read()? {
        if let (true, Raw::Bytes(bytes)) = (own == number, raw) {
            found = bytes;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimited_moves_up_long_values() {
        for len in [0, 1, 127, 128, 16_383, 16_384, 70_000] {
            let mut out = vec![9];
            put_delimited(&mut out, |out| {
                out.resize(out.len() + len, 7);
                Ok::<_, ()>(())
            })
            .unwrap();
            let mut fields = Fields::new(&out[1..]);
            assert_eq!(fields.varint(), Ok(len as u64));
            assert_eq!(fields.rest, vec![7; len]);
        }
    }

    #[test]
    fn malformed_wire_is_refused() {
        for wire in [
            &[0x80][..],
            &[0x08],
            &[0x0a, 5, 1],
            &[0x00, 0],
            &[0x0f],
            &[0x0b, 0x08],
        ] {
            assert_eq!(Fields::new(wire).read(), Err(Malformed), "{wire:?}");
        }
    }
}
