//! Wire bytes to JSON text.
//!
//! Members are written in the order of the `.proto`. Encoders write fields by
//! number, so a message is first indexed (where each field's values lie), then
//! its rows are walked once in declaration order.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Rules, number};
use crate::policy::RawJson;
use crate::transcode::schema::{Field, Kind, Message, MessageId, Schema, Shape};
use crate::transcode::wire::{Fields, Malformed, Raw, unzigzag};

/// Writes a message as JSON.
pub fn message(
    schema: &Schema,
    rules: Rules,
    id: MessageId,
    wire: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    Encoder::new(schema, rules).message(id, wire, out)
}

/// Writes one field of a message as a whole answer: a list or a scalar is bare.
pub fn field(
    schema: &Schema,
    rules: Rules,
    id: MessageId,
    at: u16,
    wire: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    let row = schema.message(id);
    let field = &row.fields[usize::from(at)];
    let mut encoder = Encoder::new(schema, rules);
    let (entries, _) = encoder.index(row, wire)?;
    let own: Vec<Entry> = entries.into_iter().filter(|e| e.at == at).collect();
    if own.is_empty() && matches!(field.shape, Shape::Optional) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    encoder.field_value(field, &own, out)
}

pub(super) struct Encoder<'a> {
    pub(super) schema: &'a Schema,
    rules: Rules,
    depth: u32,
}

/// One value of a field, where it lies on the wire.
#[derive(Clone, Copy)]
struct Entry<'w> {
    at: u16,
    raw: Raw<'w>,
}

impl<'a> Encoder<'a> {
    fn new(schema: &'a Schema, rules: Rules) -> Self {
        // Answers may be deeper than requests: a page of records that hold
        // free-form objects of full depth.
        Self {
            schema,
            rules,
            depth: 100,
        }
    }

    pub(super) fn enter(&mut self) -> Result<(), Malformed> {
        self.depth = self.depth.checked_sub(1).ok_or(Malformed)?;
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth += 1;
    }

    pub(super) fn message(
        &mut self,
        id: MessageId,
        wire: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Malformed> {
        let row = self.schema.message(id);
        self.enter()?;
        match row.known {
            Some(known) => self.known(known, row, wire, out)?,
            None => {
                out.push(b'{');
                self.members(row, wire, out, true)?;
                out.push(b'}');
            }
        }
        self.leave();
        Ok(())
    }

    /// The values of a message by field, in declaration order, and whether any
    /// is a selection.
    fn index<'w>(
        &self,
        row: &Message,
        wire: &'w [u8],
    ) -> Result<(Vec<Entry<'w>>, bool), Malformed> {
        let mut entries: Vec<Entry<'w>> = Vec::with_capacity(row.fields.len());
        let mut fields = Fields::new(wire);
        let (mut ordered, mut selects) = (true, false);
        while let Some((number, raw)) = fields.read()? {
            let Some(at) = row.by_number(number) else {
                continue;
            };
            ordered &= entries.last().is_none_or(|last| last.at <= at);
            selects |= row.selection == Some(at);
            entries.push(Entry { at, raw });
        }
        if !ordered {
            entries.sort_by_key(|entry| entry.at);
        }
        Ok((entries, selects))
    }

    /// The members of a message, without its braces.
    pub(super) fn members(
        &mut self,
        row: &Message,
        wire: &[u8],
        out: &mut Vec<u8>,
        mut first: bool,
    ) -> Result<(), Malformed> {
        let (entries, selects) = self.index(row, wire)?;
        let selected = |field: &Field| {
            !selects
                || entries.iter().any(|entry| {
                    Some(entry.at) == row.selection
                        && entry.raw == Raw::Bytes(field.json.as_bytes())
                })
        };
        let mut rest = entries.as_slice();
        for (at, field) in row.fields.iter().enumerate() {
            let len = rest.iter().take_while(|e| usize::from(e.at) == at).count();
            let own;
            (own, rest) = rest.split_at(len);
            if field.hidden || !selected(field) {
                continue;
            }
            let null = own.is_empty() && self.is_absent(field);
            if null && !field.nullable {
                continue;
            }
            if !first {
                out.push(b',');
            }
            first = false;
            out.extend_from_slice(field.quoted.as_bytes());
            if null {
                out.extend_from_slice(b"null");
            } else {
                self.field_value(field, own, out)?;
            }
        }
        Ok(())
    }

    /// Whether a field without a value on the wire is left out (or null).
    fn is_absent(&self, field: &Field) -> bool {
        match field.shape {
            Shape::Optional => true,
            Shape::List { .. } | Shape::Map(_) => !self.rules.defaults || field.omit_empty,
            Shape::Implicit => !self.rules.defaults,
        }
    }

    fn field_value(
        &mut self,
        field: &Field,
        own: &[Entry<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), Malformed> {
        match field.shape {
            Shape::List { .. } => self.list(field, own, out),
            Shape::Map(key) => self.map(field, key, own, out),
            Shape::Implicit | Shape::Optional => match (own, field.raw) {
                ([], Some(RawJson::Object)) => {
                    out.extend_from_slice(b"{}");
                    Ok(())
                }
                ([], Some(RawJson::Any)) => {
                    out.extend_from_slice(b"null");
                    Ok(())
                }
                ([], None) => {
                    self.default_value(field.kind, out);
                    Ok(())
                }
                ([.., last], Some(_)) => {
                    let Raw::Bytes(text) = last.raw else {
                        return Err(Malformed);
                    };
                    out.extend_from_slice(if text.is_empty() { b"null" } else { text });
                    Ok(())
                }
                ([one], None) => self.value(field.kind, one.raw, out),
                (several, None) => self.merged(field.kind, several, out),
            },
        }
    }

    /// Several values of a singular field: the last scalar wins, messages merge,
    /// which on the wire is concatenation.
    fn merged(
        &mut self,
        kind: Kind,
        several: &[Entry<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), Malformed> {
        let Kind::Message(_) = kind else {
            return match several.last() {
                Some(last) => self.value(kind, last.raw, out),
                None => Ok(()),
            };
        };
        let mut joined = Vec::new();
        for entry in several {
            let Raw::Bytes(bytes) = entry.raw else {
                return Err(Malformed);
            };
            joined.extend_from_slice(bytes);
        }
        self.value(kind, Raw::Bytes(&joined), out)
    }

    fn list(
        &mut self,
        field: &Field,
        own: &[Entry<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), Malformed> {
        out.push(b'[');
        let mut first = true;
        let mut comma = |out: &mut Vec<u8>| {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
        };
        for entry in own {
            match entry.raw {
                Raw::Bytes(packed) if field.kind.is_packable() => {
                    let mut values = Fields::new(packed);
                    while !values.is_empty() {
                        comma(out);
                        let raw = unpack(field.kind, &mut values)?;
                        self.value(field.kind, raw, out)?;
                    }
                }
                raw => {
                    comma(out);
                    self.value(field.kind, raw, out)?;
                }
            }
        }
        out.push(b']');
        Ok(())
    }

    fn map(
        &mut self,
        field: &Field,
        key: Kind,
        own: &[Entry<'_>],
        out: &mut Vec<u8>,
    ) -> Result<(), Malformed> {
        out.push(b'{');
        for (i, entry) in own.iter().enumerate() {
            let Raw::Bytes(entry) = entry.raw else {
                return Err(Malformed);
            };
            let (mut name, mut value) = (None, None);
            let mut fields = Fields::new(entry);
            while let Some((number, raw)) = fields.read()? {
                match number {
                    1 => name = Some(raw),
                    2 => value = Some(raw),
                    _ => {}
                }
            }
            if i > 0 {
                out.push(b',');
            }
            let start = out.len();
            match name {
                Some(raw) => self.value(key, raw, out)?,
                None => self.default_value(key, out),
            }
            if out.get(start) != Some(&b'"') {
                out.insert(start, b'"');
                out.push(b'"');
            }
            out.push(b':');
            match value {
                Some(raw) => self.value(field.kind, raw, out)?,
                None => self.default_value(field.kind, out),
            }
        }
        out.push(b'}');
        Ok(())
    }

    /// A value of the kind; the wire type must fit.
    pub(super) fn value(
        &mut self,
        kind: Kind,
        raw: Raw<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Malformed> {
        match (kind, raw) {
            (Kind::String, Raw::Bytes(bytes)) => {
                put_string(out, std::str::from_utf8(bytes).map_err(|_| Malformed)?);
            }
            (Kind::Message(id), Raw::Bytes(bytes)) => self.message(id, bytes, out)?,
            (Kind::Bytes, Raw::Bytes(bytes)) => {
                put_string(out, &STANDARD.encode(bytes));
            }
            (Kind::Bool, Raw::Varint(value)) => {
                out.extend_from_slice(if value == 0 { b"false" } else { b"true" });
            }
            (Kind::Enum(id), Raw::Varint(value)) => {
                let row = self.schema.enumeration(id);
                match row.value(value as i32) {
                    Some(_) if row.is_null => out.extend_from_slice(b"null"),
                    Some(named) => {
                        let word = named.word.as_deref().filter(|_| self.rules.defaults);
                        put_string(out, word.unwrap_or(&named.name));
                    }
                    None => number::put_integer(out, value as i32),
                }
            }
            (Kind::Int32, Raw::Varint(value)) => number::put_integer(out, value as i32),
            (Kind::Uint32, Raw::Varint(value)) => number::put_integer(out, value as u32),
            (Kind::Sint32, Raw::Varint(value)) => {
                number::put_integer(out, unzigzag(u64::from(value as u32)) as i32);
            }
            (Kind::Fixed32, Raw::Fixed32(value)) => number::put_integer(out, value),
            (Kind::Sfixed32, Raw::Fixed32(value)) => number::put_integer(out, value as i32),
            (Kind::Int64, Raw::Varint(value)) => self.wide(value as i64, out),
            (Kind::Uint64, Raw::Varint(value)) => self.wide(value, out),
            (Kind::Sint64, Raw::Varint(value)) => self.wide(unzigzag(value), out),
            (Kind::Fixed64, Raw::Fixed64(value)) => self.wide(value, out),
            (Kind::Sfixed64, Raw::Fixed64(value)) => self.wide(value as i64, out),
            (Kind::Double, Raw::Fixed64(bits)) => number::put_double(out, f64::from_bits(bits)),
            (Kind::Float, Raw::Fixed32(bits)) => number::put_float(out, f32::from_bits(bits)),
            _ => return Err(Malformed),
        }
        Ok(())
    }

    fn wide(&self, value: impl itoa::Integer, out: &mut Vec<u8>) {
        if self.rules.quoted_numbers {
            out.push(b'"');
            number::put_integer(out, value);
            out.push(b'"');
        } else {
            number::put_integer(out, value);
        }
    }

    /// The value a field has when the wire has none.
    pub(super) fn default_value(&mut self, kind: Kind, out: &mut Vec<u8>) {
        let written = match kind {
            Kind::String | Kind::Bytes => {
                out.extend_from_slice(b"\"\"");
                Ok(())
            }
            Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => self.value(kind, Raw::Fixed64(0), out),
            Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => self.value(kind, Raw::Fixed32(0), out),
            Kind::Message(id) => self.message(id, &[], out),
            Kind::Int32
            | Kind::Int64
            | Kind::Uint32
            | Kind::Uint64
            | Kind::Sint32
            | Kind::Sint64
            | Kind::Bool
            | Kind::Enum(_) => self.value(kind, Raw::Varint(0), out),
        };
        debug_assert!(written.is_ok(), "a default is well formed");
    }
}

fn unpack<'w>(kind: Kind, values: &mut Fields<'w>) -> Result<Raw<'w>, Malformed> {
    Ok(match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => {
            Raw::Fixed64(u64::from_le_bytes(values.array()?))
        }
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => {
            Raw::Fixed32(u32::from_le_bytes(values.array()?))
        }
        _ => Raw::Varint(values.varint()?),
    })
}

/// Writes a JSON string. Only what JSON demands is escaped.
pub fn put_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            0..0x20 => 0,
            _ => continue,
        };
        out.extend_from_slice(&bytes[start..i]);
        start = i + 1;
        if short == 0 {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        } else {
            out.extend_from_slice(&[b'\\', short]);
        }
    }
    out.extend_from_slice(&bytes[start..]);
    out.push(b'"');
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
