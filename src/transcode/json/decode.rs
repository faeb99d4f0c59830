//! JSON text to wire bytes.

use std::borrow::Cow;
use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine};

use super::fault::{Fault, Parsed};
use super::lexer::{Lexer, Token};
use super::{DEPTH, Rules, number};
use crate::policy::RawJson;
use crate::transcode::schema::{EnumId, Field, Kind, Known, Message, MessageId, Schema, Shape};
use crate::transcode::wire::{WireType, put_bytes, put_delimited, put_tag, put_varint, zigzag};

const LENIENT_PADDING: GeneralPurposeConfig = engine::general_purpose::PAD
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT_PADDING);

/// Reads a whole text as a message and appends its wire bytes.
pub fn message(
    schema: &Schema,
    rules: Rules,
    id: MessageId,
    text: &str,
    out: &mut Vec<u8>,
) -> Parsed<()> {
    let mut decoder = Decoder::new(schema, rules, text);
    decoder.message(id, out)?;
    decoder.lexer.end()
}

/// Reads a whole text as the value of one field and appends the field.
pub fn field(
    schema: &Schema,
    rules: Rules,
    field: &Field,
    text: &str,
    out: &mut Vec<u8>,
) -> Parsed<()> {
    let mut decoder = Decoder::new(schema, rules, text);
    decoder.field(field, out)?;
    decoder.lexer.end()
}

/// Reads a whole text as one element of a repeated field and appends it.
pub fn element(
    schema: &Schema,
    rules: Rules,
    field: &Field,
    text: &str,
    out: &mut Vec<u8>,
) -> Parsed<()> {
    let mut decoder = Decoder::new(schema, rules, text);
    decoder.tagged(field.number, field.kind, out)?;
    decoder.lexer.end()
}

/// Reads one scalar given as plain text, as in a path or a query.
pub fn scalar(schema: &Schema, field: &Field, text: &str, out: &mut Vec<u8>) -> Parsed<()> {
    let canonical = Rules::of(crate::policy::Profile::Canonical);
    let mut decoder = Decoder::new(schema, canonical, "");
    decoder.plain(field, text, out)
}

pub(super) struct Decoder<'a> {
    pub(super) schema: &'a Schema,
    pub(super) rules: Rules,
    pub(super) lexer: Lexer<'a>,
}

/// Which fields of a message were read, to refuse a second value. Messages of
/// more than 128 fields share bits with none: they use the spill.
#[derive(Default)]
struct Seen {
    fields: u128,
    spill: Vec<u16>,
    oneofs: u64,
}

impl Seen {
    fn field(&mut self, at: u16) -> bool {
        if at < 128 {
            let bit = 1_u128 << at;
            let again = self.fields & bit != 0;
            self.fields |= bit;
            return !again;
        }
        let fresh = !self.spill.contains(&at);
        self.spill.push(at);
        fresh
    }

    fn oneof(&mut self, at: u16) -> bool {
        let bit = 1_u64.checked_shl(u32::from(at)).unwrap_or(0);
        let again = self.oneofs & bit != 0;
        self.oneofs |= bit;
        !again
    }
}

impl<'a> Decoder<'a> {
    pub(super) fn new(schema: &'a Schema, rules: Rules, text: &'a str) -> Self {
        Self {
            schema,
            rules,
            lexer: Lexer::new(text, rules.depth),
        }
    }

    pub(super) fn message(&mut self, id: MessageId, out: &mut Vec<u8>) -> Parsed<()> {
        let row = self.schema.message(id);
        match row.known {
            Some(known) => self.known(known, row, out),
            None => self.members(row, out, None),
        }
    }

    /// The members of an object. `skip` names one that was read before.
    pub(super) fn members(
        &mut self,
        row: &Message,
        out: &mut Vec<u8>,
        skip: Option<&str>,
    ) -> Parsed<()> {
        self.expect(Token::Object)?;
        self.lexer.open(b'{')?;
        let mut seen = Seen::default();
        let mut hint = 0;
        let mut first = true;
        while self.lexer.more(b'}', first)? {
            first = false;
            let name = self.lexer.name()?;
            let Some(at) = row.position(&name, hint) else {
                if !self.rules.ignore_unknown && skip != Some(name.as_ref()) {
                    return Err(Fault::shape("is not known").in_member(&name));
                }
                self.lexer.skip()?;
                continue;
            };
            hint = usize::from(at) + 1;
            let field = &row.fields[usize::from(at)];
            if !seen.field(at) {
                return Err(Fault::shape("is given twice").in_member(&field.json));
            }
            let set = self
                .field(field, out)
                .map_err(|fault| fault.in_member(&field.json))?;
            if let Some(oneof) = field.oneof
                && set
                && !seen.oneof(oneof)
            {
                let fault = Fault::shape("cannot be combined with the member before it");
                return Err(fault.in_member(&field.json));
            }
        }
        Ok(())
    }

    /// The value of a field; `false` when it was null and so absent.
    fn field(&mut self, field: &Field, out: &mut Vec<u8>) -> Parsed<bool> {
        if self.lexer.peek()? == Token::Null && !self.takes_null(field) {
            self.lexer.word("null")?;
            return Ok(false);
        }
        match field.shape {
            Shape::List { packed } => self.list(field, packed, out)?,
            Shape::Map(key) => self.map(field, key, out)?,
            Shape::Implicit | Shape::Optional => match field.raw {
                Some(raw) => {
                    let text = self.raw(raw)?;
                    put_tag(out, field.number, WireType::Delimited);
                    put_bytes(out, text.as_bytes());
                }
                None => self.singular(field, out)?,
            },
        }
        Ok(true)
    }

    /// A single value. A field without presence is not written at its default,
    /// whose bytes are all zero, so that equal messages have equal bytes.
    fn singular(&mut self, field: &Field, out: &mut Vec<u8>) -> Parsed<()> {
        let before = out.len();
        put_tag(out, field.number, field.kind.wire_type());
        let start = out.len();
        self.value(field.kind, out)?;
        if field.shape == Shape::Implicit && out[start..].iter().all(|byte| *byte == 0) {
            out.truncate(before);
        }
        Ok(())
    }

    /// `google.protobuf.Value` and `NullValue` have null among their values.
    fn takes_null(&self, field: &Field) -> bool {
        let single = matches!(field.shape, Shape::Implicit | Shape::Optional);
        match field.kind {
            Kind::Message(id) => single && self.schema.message(id).known == Some(Known::Value),
            Kind::Enum(id) => single && self.schema.enumeration(id).is_null,
            _ => field.raw == Some(RawJson::Any),
        }
    }

    /// A value kept as it is written. Its depth counts from itself, so that the
    /// same object is accepted wherever it stands and on every protocol.
    fn raw(&mut self, raw: RawJson) -> Parsed<&'a str> {
        match (raw, self.lexer.peek()?) {
            (RawJson::Object, Token::Object) | (RawJson::Any, _) => {}
            (RawJson::Object, _) => return Err(Fault::shape("must be an object")),
        }
        self.lexer.with_depth(DEPTH, Lexer::skip)
    }

    fn list(&mut self, field: &Field, packed: bool, out: &mut Vec<u8>) -> Parsed<()> {
        self.expect(Token::Array)?;
        if packed && field.kind.is_packable() {
            put_tag(out, field.number, WireType::Delimited);
            return put_delimited(out, |out| {
                self.elements(|this, out| this.value(field.kind, out), out)
            });
        }
        self.elements(|this, out| this.element(field, out), out)
    }

    fn elements(
        &mut self,
        mut read: impl FnMut(&mut Self, &mut Vec<u8>) -> Parsed<()>,
        out: &mut Vec<u8>,
    ) -> Parsed<()> {
        self.lexer.open(b'[')?;
        let mut index = 0;
        while self.lexer.more(b']', index == 0)? {
            read(self, out).map_err(|fault| fault.in_element(index))?;
            index += 1;
        }
        Ok(())
    }

    /// One element of a list. An item that takes its own parse error replaces
    /// the unreadable element; text that is no JSON still fails as a whole.
    fn element(&mut self, field: &Field, out: &mut Vec<u8>) -> Parsed<()> {
        let Kind::Message(id) = field.kind else {
            return self.tagged(field.number, field.kind, out);
        };
        let row = self.schema.message(id);
        let Some(parse_error) = row.parse_error else {
            return self.tagged(field.number, field.kind, out);
        };
        self.lexer.peek()?;
        let (before, start) = (out.len(), self.lexer);
        let Err(fault) = self.tagged(field.number, field.kind, out) else {
            return Ok(());
        };
        if fault.syntax {
            return Err(fault);
        }
        out.truncate(before);
        self.lexer = start;
        self.lexer.with_depth(DEPTH, Lexer::skip)?;
        put_tag(out, field.number, WireType::Delimited);
        put_delimited(out, |out| {
            let number = row.fields[usize::from(parse_error)].number;
            put_tag(out, number, WireType::Delimited);
            put_bytes(out, fault.to_string().as_bytes());
            Ok(())
        })
    }

    fn map(&mut self, field: &Field, key: Kind, out: &mut Vec<u8>) -> Parsed<()> {
        self.expect(Token::Object)?;
        self.lexer.open(b'{')?;
        let mut names: HashSet<Cow<'a, str>> = HashSet::new();
        while self.lexer.more(b'}', names.is_empty())? {
            let name = self.lexer.name()?;
            put_tag(out, field.number, WireType::Delimited);
            put_delimited(out, |out| {
                self.key(key, &name, out)?;
                self.tagged(2, field.kind, out)
            })
            .map_err(|fault| fault.in_member(&name))?;
            if let Some(twice) = names.replace(name) {
                return Err(Fault::shape("is given twice").in_member(&twice));
            }
        }
        Ok(())
    }

    /// A map's key; all keys are strings in JSON.
    fn key(&mut self, kind: Kind, name: &str, out: &mut Vec<u8>) -> Parsed<()> {
        match kind {
            Kind::String => {
                put_tag(out, 1, WireType::Delimited);
                put_bytes(out, name.as_bytes());
            }
            Kind::Bool => {
                put_tag(out, 1, WireType::Varint);
                put_varint(out, u64::from(boolean(name)?));
            }
            kind => {
                if !number::is_number(name) {
                    return Err(Fault::shape("is no number"));
                }
                put_tag(out, 1, kind.wire_type());
                put_number(kind, name, out)?;
            }
        }
        Ok(())
    }

    /// A tag and a value.
    pub(super) fn tagged(&mut self, number: u32, kind: Kind, out: &mut Vec<u8>) -> Parsed<()> {
        put_tag(out, number, kind.wire_type());
        self.value(kind, out)
    }

    /// A value without its tag.
    fn value(&mut self, kind: Kind, out: &mut Vec<u8>) -> Parsed<()> {
        match kind {
            Kind::Message(id) => put_delimited(out, |out| self.message(id, out)),
            Kind::String => {
                self.expect(Token::String)?;
                put_bytes(out, self.lexer.string()?.as_bytes());
                Ok(())
            }
            Kind::Bytes => {
                self.expect(Token::String)?;
                put_bytes(out, &bytes(&self.lexer.string()?)?);
                Ok(())
            }
            Kind::Bool => {
                let value = self.lexer.peek()? == Token::True;
                if !value {
                    self.expect(Token::False)?;
                }
                self.lexer.word(if value { "true" } else { "false" })?;
                out.push(u8::from(value));
                Ok(())
            }
            Kind::Enum(id) => self.enumeration(id, out),
            kind => {
                let text = self.number_text(kind)?;
                put_number(kind, &text, out)
            }
        }
    }

    /// The digits of a number, quoted or not.
    fn number_text(&mut self, kind: Kind) -> Parsed<Cow<'a, str>> {
        if self.lexer.peek()? != Token::String || !self.rules.quoted_numbers {
            self.expect(Token::Number)?;
            return Ok(Cow::Borrowed(self.lexer.number()?));
        }
        let text = self.lexer.string()?;
        let special = matches!(text.as_ref(), "NaN" | "Infinity" | "-Infinity");
        let floating = matches!(kind, Kind::Double | Kind::Float);
        if !(number::is_number(&text) || special && floating) {
            return Err(Fault::shape("must be a number"));
        }
        Ok(text)
    }

    fn enumeration(&mut self, id: EnumId, out: &mut Vec<u8>) -> Parsed<()> {
        let row = self.schema.enumeration(id);
        let number = match self.lexer.peek()? {
            Token::Null if row.is_null => {
                self.lexer.word("null")?;
                0
            }
            Token::String => {
                let name = self.lexer.string()?;
                row.number(&name)
                    .ok_or_else(|| unknown_word(self.schema, id))?
            }
            Token::Number => {
                let text = self.lexer.number()?;
                number::integer(text, i32::MIN.into(), i32::MAX.into())? as i32
            }
            _ => return Err(Fault::shape("must be a string")),
        };
        put_varint(out, i64::from(number) as u64);
        Ok(())
    }

    pub(super) fn expect(&mut self, token: Token) -> Parsed<()> {
        if self.lexer.peek()? == token {
            return Ok(());
        }
        Err(Fault::shape(format!("must be {}", token.name())))
    }

    /// A scalar given as plain text rather than as a JSON token.
    pub(super) fn plain(&mut self, field: &Field, text: &str, out: &mut Vec<u8>) -> Parsed<()> {
        let kind = field.kind;
        put_tag(out, field.number, kind.wire_type());
        match kind {
            Kind::String => put_bytes(out, text.as_bytes()),
            Kind::Bytes => put_bytes(out, &bytes(text)?),
            Kind::Bool => put_varint(out, u64::from(boolean(text)?)),
            Kind::Enum(id) => {
                let row = self.schema.enumeration(id);
                let number = match row.number(text) {
                    Some(number) => number,
                    None => text.parse().map_err(|_| unknown_word(self.schema, id))?,
                };
                put_varint(out, i64::from(number) as u64);
            }
            Kind::Message(id) => return self.plain_known(self.schema.message(id), text, out),
            kind => {
                let special = matches!(text, "NaN" | "Infinity" | "-Infinity");
                let floating = matches!(kind, Kind::Double | Kind::Float);
                if !(number::is_number(text) || special && floating) {
                    return Err(Fault::shape("must be a number"));
                }
                put_number(kind, text, out)?;
            }
        }
        Ok(())
    }
}

impl Kind {
    pub(super) fn wire_type(self) -> WireType {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => WireType::Fixed64,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => WireType::Fixed32,
            Self::Int32
            | Self::Int64
            | Self::Uint32
            | Self::Uint64
            | Self::Sint32
            | Self::Sint64
            | Self::Bool
            | Self::Enum(_) => WireType::Varint,
            Self::String | Self::Bytes | Self::Message(_) => WireType::Delimited,
        }
    }
}

fn unknown_word(schema: &Schema, id: EnumId) -> Fault {
    let words: Vec<&str> = schema.enumeration(id).words().collect();
    Fault::shape(format!("must be one of {}", words.join(", ")))
}

/// Writes the value of a numeric kind.
fn put_number(kind: Kind, text: &str, out: &mut Vec<u8>) -> Parsed<()> {
    let signed = |bits: u32| {
        let half = 1_i128 << (bits - 1);
        number::integer(text, -half, half - 1).map(|n| n as i64)
    };
    let unsigned = |bits: u32| number::integer(text, 0, (1_i128 << bits) - 1).map(|n| n as u64);
    match kind {
        Kind::Int32 => put_varint(out, signed(32)? as u64),
        Kind::Int64 => put_varint(out, signed(64)? as u64),
        Kind::Uint32 => put_varint(out, unsigned(32)?),
        Kind::Uint64 => put_varint(out, unsigned(64)?),
        Kind::Sint32 => put_varint(out, zigzag(signed(32)?)),
        Kind::Sint64 => put_varint(out, zigzag(signed(64)?)),
        Kind::Fixed32 => out.extend_from_slice(&(unsigned(32)? as u32).to_le_bytes()),
        Kind::Fixed64 => out.extend_from_slice(&unsigned(64)?.to_le_bytes()),
        Kind::Sfixed32 => out.extend_from_slice(&(signed(32)? as i32).to_le_bytes()),
        Kind::Sfixed64 => out.extend_from_slice(&signed(64)?.to_le_bytes()),
        Kind::Double => {
            let value = match special(text) {
                Some(value) => value,
                None => number::double(text)?,
            };
            out.extend_from_slice(&value.to_le_bytes());
        }
        Kind::Float => {
            let value = match special(text) {
                Some(value) => value as f32,
                None => number::float(text)?,
            };
            out.extend_from_slice(&value.to_le_bytes());
        }
        Kind::Bool | Kind::String | Kind::Bytes | Kind::Enum(_) | Kind::Message(_) => {
            return Err(Fault::shape("must be a number"));
        }
    }
    Ok(())
}

fn special(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// `True` and `False` too: Google's Python client sends them in queries.
fn boolean(text: &str) -> Parsed<bool> {
    match text {
        "true" | "True" => Ok(true),
        "false" | "False" => Ok(false),
        _ => Err(Fault::shape("must be true or false")),
    }
}

/// Base64 of either alphabet, padded or not.
pub(super) fn bytes(text: &str) -> Parsed<Vec<u8>> {
    let decoded = match text.contains(['-', '_']) {
        true => URL_SAFE.decode(text),
        false => STANDARD.decode(text),
    };
    decoded.map_err(|_| Fault::shape("must be base64"))
}
