//! Wire bytes to JSON text.
//!
//! Members are written in the order of the `.proto`. Encoders write fields by
//! number, so a message is first indexed (where each field's values lie), then
//! its rows are walked once in declaration order.

mod known;
mod scalar;
mod string;

use std::collections::HashMap;

use super::{Rules, time};
use crate::policy::RawJson;
use crate::transcode::schema::{Field, Kind, Message, MessageId, Schema, Shape};
use crate::transcode::wire::{Fields, Malformed, Raw};

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

struct Encoder<'a> {
    schema: &'a Schema,
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

    fn enter(&mut self) -> Result<(), Malformed> {
        self.depth = self.depth.checked_sub(1).ok_or(Malformed)?;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth += 1;
    }

    fn message(&mut self, id: MessageId, wire: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
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
            // Of the members of a oneof the last counts.
            if let Some(oneof) = row.fields[usize::from(at)].oneof {
                let others = |e: &Entry<'_>| row.fields[usize::from(e.at)].oneof == Some(oneof);
                entries.retain(|entry| entry.at == at || !others(entry));
            }
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
    fn members(
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
            // An empty list that is named by a selection is shown.
            let is_list = matches!(field.shape, Shape::List { .. } | Shape::Map(_));
            let named = selects && field.omit_empty && is_list;
            let null = own.is_empty() && self.is_absent(field) && !named;
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
            Shape::List { .. } | Shape::Map(_) | Shape::Implicit => {
                !self.rules.defaults || field.omit_empty
            }
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
                ([one], None) if field.millis => {
                    let start = out.len();
                    self.value(field.kind, one.raw, out)?;
                    time::to_millis(out, start);
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
                        let raw = scalar::unpack(field.kind, &mut values)?;
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
        // Of several entries with one key the last counts.
        let mut members: Vec<(Vec<u8>, Vec<u8>)> = Vec::with_capacity(own.len());
        let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
        for entry in own {
            let (name, value) = self.map_entry(field, key, entry)?;
            match places.get(&name) {
                Some(at) => members[*at].1 = value,
                None => {
                    if own.len() > 1 {
                        places.insert(name.clone(), members.len());
                    }
                    members.push((name, value));
                }
            }
        }
        out.push(b'{');
        for (i, (name, value)) in members.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            out.extend_from_slice(name);
            out.push(b':');
            out.extend_from_slice(value);
        }
        out.push(b'}');
        Ok(())
    }

    /// Key and value of a map's entry, as JSON.
    fn map_entry(
        &mut self,
        field: &Field,
        key: Kind,
        entry: &Entry<'_>,
    ) -> Result<(Vec<u8>, Vec<u8>), Malformed> {
        let Raw::Bytes(bytes) = entry.raw else {
            return Err(Malformed);
        };
        let (mut name, mut values) = (None, Vec::new());
        let mut fields = Fields::new(bytes);
        while let Some((number, raw)) = fields.read()? {
            match number {
                1 => name = Some(raw),
                2 => values.push(Entry { at: entry.at, raw }),
                _ => {}
            }
        }
        let mut text = Vec::new();
        match name {
            Some(raw) => self.value(key, raw, &mut text)?,
            None => self.default_value(key, &mut text),
        }
        if text.first() != Some(&b'"') {
            text.insert(0, b'"');
            text.push(b'"');
        }
        let mut value = Vec::new();
        match values.as_slice() {
            [] => self.default_value(field.kind, &mut value),
            several => self.merged(field.kind, several, &mut value)?,
        }
        Ok((text, value))
    }
}
