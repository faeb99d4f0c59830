//! Well-known types that have a JSON form of their own, to JSON.

use super::Encoder;
use super::string::put_string;
use crate::transcode::json::{mask, number, time};
use crate::transcode::schema::{Kind, Known, Message};
use crate::transcode::wire::{Fields, Malformed, Raw};

impl Encoder<'_> {
    /// Writes a well-known type.
    pub(super) fn known(
        &mut self,
        known: Known,
        row: &Message,
        wire: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Malformed> {
        match known {
            Known::Any => self.any(wire, out),
            Known::Struct => self.structure(wire, out),
            Known::Value => self.dynamic(wire, out),
            Known::ListValue => self.dynamic_list(wire, out),
            Known::Wrapper => self.wrapper(row.fields[0].kind, wire, out),
            Known::FieldMask => put_mask(wire, out),
            Known::Timestamp | Known::Duration => {
                let (mut seconds, mut nanos) = (0, 0);
                let mut fields = Fields::new(wire);
                while let Some(field) = fields.read()? {
                    match field {
                        (1, Raw::Varint(value)) => seconds = value as i64,
                        (2, Raw::Varint(value)) => nanos = value as i32,
                        _ => {}
                    }
                }
                match known {
                    Known::Timestamp => time::put_timestamp(out, seconds, nanos),
                    _ => time::put_duration(out, seconds, nanos),
                }
                .ok_or(Malformed)
            }
        }
    }

    fn wrapper(&mut self, kind: Kind, wire: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut fields = Fields::new(wire);
        let mut value = None;
        while let Some((number, raw)) = fields.read()? {
            if number == 1 {
                value = Some(raw);
            }
        }
        match value {
            Some(raw) => self.value(kind, raw, out),
            None => {
                self.default_value(kind, out);
                Ok(())
            }
        }
    }

    fn any(&mut self, wire: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let (mut url, mut value): (&[u8], &[u8]) = (&[], &[]);
        let mut fields = Fields::new(wire);
        while let Some(field) = fields.read()? {
            match field {
                (1, Raw::Bytes(bytes)) => url = bytes,
                (2, Raw::Bytes(bytes)) => value = bytes,
                _ => {}
            }
        }
        let url = std::str::from_utf8(url).map_err(|_| Malformed)?;
        out.push(b'{');
        if url.is_empty() && value.is_empty() {
            out.push(b'}');
            return Ok(());
        }
        out.extend_from_slice(b"\"@type\":");
        put_string(out, url);
        let name = url.rsplit('/').next().unwrap_or_default();
        let id = self.schema.find(name).ok_or(Malformed)?;
        let row = self.schema.message(id);
        match row.known {
            Some(known) => {
                out.extend_from_slice(b",\"value\":");
                self.known(known, row, value, out)?;
            }
            None => self.members(row, value, out, false)?,
        }
        out.push(b'}');
        Ok(())
    }

    fn structure(&mut self, wire: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut fields = Fields::new(wire);
        let mut first = true;
        out.push(b'{');
        while let Some((number, raw)) = fields.read()? {
            let (1, Raw::Bytes(entry)) = (number, raw) else {
                continue;
            };
            let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
            let mut entry = Fields::new(entry);
            while let Some(field) = entry.read()? {
                match field {
                    (1, Raw::Bytes(bytes)) => key = bytes,
                    (2, Raw::Bytes(bytes)) => value = bytes,
                    _ => {}
                }
            }
            if !first {
                out.push(b',');
            }
            first = false;
            put_string(out, std::str::from_utf8(key).map_err(|_| Malformed)?);
            out.push(b':');
            self.dynamic(value, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn dynamic_list(&mut self, wire: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut fields = Fields::new(wire);
        let mut first = true;
        out.push(b'[');
        while let Some((number, raw)) = fields.read()? {
            let (1, Raw::Bytes(value)) = (number, raw) else {
                continue;
            };
            if !first {
                out.push(b',');
            }
            first = false;
            self.dynamic(value, out)?;
        }
        out.push(b']');
        Ok(())
    }

    fn dynamic(&mut self, wire: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut fields = Fields::new(wire);
        let mut last = None;
        while let Some(field) = fields.read()? {
            last = Some(field);
        }
        self.enter()?;
        match last {
            None | Some((1, _)) => out.extend_from_slice(b"null"),
            Some((2, Raw::Fixed64(bits))) => {
                let value = f64::from_bits(bits);
                if !value.is_finite() {
                    return Err(Malformed);
                }
                number::put_double(out, value);
            }
            Some((3, Raw::Bytes(bytes))) => {
                put_string(out, std::str::from_utf8(bytes).map_err(|_| Malformed)?);
            }
            Some((4, Raw::Varint(value))) => {
                out.extend_from_slice(if value == 0 { b"false" } else { b"true" });
            }
            Some((5, Raw::Bytes(bytes))) => self.structure(bytes, out)?,
            Some((6, Raw::Bytes(bytes))) => self.dynamic_list(bytes, out)?,
            Some(_) => return Err(Malformed),
        }
        self.leave();
        Ok(())
    }
}

fn put_mask(wire: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut fields = Fields::new(wire);
    let mut paths = Vec::new();
    while let Some((number, raw)) = fields.read()? {
        if let (1, Raw::Bytes(path)) = (number, raw) {
            let path = std::str::from_utf8(path).map_err(|_| Malformed)?;
            paths.push(mask::camel(path).ok_or(Malformed)?);
        }
    }
    put_string(out, &paths.join(","));
    Ok(())
}
