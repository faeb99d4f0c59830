//! One value by its kind, as a JSON token, as the key of a map, or as the plain
//! text of a path or a query.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine};

use super::Decoder;
use crate::transcode::json::fault::{Fault, Parsed};
use crate::transcode::json::lexer::Token;
use crate::transcode::json::number;
use crate::transcode::schema::{EnumId, Field, Kind, Schema};
use crate::transcode::wire::{WireType, put_bytes, put_delimited, put_tag, put_varint, zigzag};

const LENIENT_PADDING: GeneralPurposeConfig = engine::general_purpose::PAD
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT_PADDING);

impl<'a> Decoder<'a> {
    /// A value without its tag.
    pub(super) fn value(&mut self, kind: Kind, out: &mut Vec<u8>) -> Parsed<()> {
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

    /// A map's key; all keys are strings in JSON.
    pub(super) fn key(&mut self, kind: Kind, name: &str, out: &mut Vec<u8>) -> Parsed<()> {
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

fn unknown_word(schema: &Schema, id: EnumId) -> Fault {
    let words: Vec<&str> = schema.enumeration(id).words().collect();
    let mut fault = Fault::shape(format!("must be one of {}", words.join(", ")));
    fault.unknown_word = true;
    fault
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
fn bytes(text: &str) -> Parsed<Vec<u8>> {
    let decoded = match text.contains(['-', '_']) {
        true => URL_SAFE.decode(text),
        false => STANDARD.decode(text),
    };
    decoded.map_err(|_| Fault::shape("must be base64"))
}
