//! One value by its kind, as it lies on the wire, in a packed list, or when the
//! wire has none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Encoder;
use super::string::put_string;
use crate::transcode::json::number;
use crate::transcode::schema::Kind;
use crate::transcode::wire::{Fields, Malformed, Raw, unzigzag};

impl Encoder<'_> {
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

/// The next value of a packed list.
pub fn unpack<'w>(kind: Kind, values: &mut Fields<'w>) -> Result<Raw<'w>, Malformed> {
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
