//! Well-known types that have a JSON form of their own, in both directions.

use super::decode::Decoder;
use super::encode::{Encoder, put_string};
use super::fault::{Fault, Parsed};
use super::lexer::Token;
use super::{number, time};
use crate::transcode::schema::{Kind, Known, Message};
use crate::transcode::wire::{
    Fields, Malformed, Raw, WireType, put_bytes, put_delimited, put_tag, put_varint,
};

impl Decoder<'_> {
    /// Reads a well-known type and writes its fields.
    pub(super) fn known(&mut self, known: Known, row: &Message, out: &mut Vec<u8>) -> Parsed<()> {
        match known {
            Known::Any => self.any(out),
            Known::Struct => self.structure(out),
            Known::Value => self.dynamic(out),
            Known::ListValue => self.dynamic_list(out),
            Known::Wrapper => self.tagged(1, row.fields[0].kind, out),
            Known::Timestamp | Known::Duration | Known::FieldMask => {
                self.expect(Token::String)?;
                let text = self.lexer.string()?;
                put_text_like(known, &text, out)
            }
        }
    }

    /// Reads a well-known type given as plain text, as in a query.
    pub(super) fn plain_known(
        &mut self,
        row: &Message,
        text: &str,
        out: &mut Vec<u8>,
    ) -> Parsed<()> {
        put_delimited(out, |out| match row.known {
            Some(Known::Wrapper) => self.plain(&row.fields[0], text, out),
            Some(known) => put_text_like(known, text, out),
            None => Err(Fault::shape("cannot be given in the query")),
        })
    }

    /// `{"@type": url, …members}`, or `{"@type": url, "value": …}` around a type
    /// with a form of its own. The type may stand anywhere in the object.
    fn any(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        self.expect(Token::Object)?;
        let start = self.lexer;
        let url = self.any_type()?;
        let Some(url) = url else {
            return Ok(());
        };
        let name = url.rsplit('/').next().unwrap_or_default();
        let unknown = || Fault::shape("names no known message").in_member("@type");
        let id = self.schema.find(name).filter(|_| url.contains('/'));
        let row = self.schema.message(id.ok_or_else(unknown)?);
        self.lexer = start;
        put_tag(out, 1, WireType::Delimited);
        put_bytes(out, url.as_bytes());
        put_tag(out, 2, WireType::Delimited);
        put_delimited(out, |out| match row.known {
            Some(known) => self.any_value(known, row, out),
            None => self.members(row, out, Some("@type")),
        })
    }

    /// The `@type` of an object, which is passed over; `None` of an empty one.
    fn any_type(&mut self) -> Parsed<Option<String>> {
        self.lexer.open(b'{')?;
        let mut url = None;
        let mut first = true;
        while self.lexer.more(b'}', first)? {
            first = false;
            if self.lexer.name()? == "@type" {
                self.expect(Token::String)?;
                url = Some(self.lexer.string()?.into_owned());
            } else {
                self.lexer.skip()?;
            }
        }
        if url.is_none() && !first {
            return Err(Fault::shape("has no @type"));
        }
        Ok(url)
    }

    fn any_value(&mut self, known: Known, row: &Message, out: &mut Vec<u8>) -> Parsed<()> {
        self.lexer.open(b'{')?;
        let mut first = true;
        while self.lexer.more(b'}', first)? {
            first = false;
            match self.lexer.name()?.as_ref() {
                "value" => self
                    .known(known, row, out)
                    .map_err(|f| f.in_member("value"))?,
                "@type" => drop(self.lexer.skip()?),
                name => return Err(Fault::shape("is not known").in_member(name)),
            }
        }
        Ok(())
    }

    fn structure(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        self.expect(Token::Object)?;
        self.lexer.open(b'{')?;
        let mut first = true;
        while self.lexer.more(b'}', first)? {
            first = false;
            let name = self.lexer.name()?;
            put_tag(out, 1, WireType::Delimited);
            put_delimited(out, |out| {
                put_tag(out, 1, WireType::Delimited);
                put_bytes(out, name.as_bytes());
                put_tag(out, 2, WireType::Delimited);
                put_delimited(out, |out| self.dynamic(out))
            })
            .map_err(|fault| fault.in_member(&name))?;
        }
        Ok(())
    }

    fn dynamic_list(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        self.expect(Token::Array)?;
        self.lexer.open(b'[')?;
        let mut index = 0;
        while self.lexer.more(b']', index == 0)? {
            put_tag(out, 1, WireType::Delimited);
            put_delimited(out, |out| self.dynamic(out)).map_err(|f| f.in_element(index))?;
            index += 1;
        }
        Ok(())
    }

    /// Any JSON value, as `google.protobuf.Value`.
    fn dynamic(&mut self, out: &mut Vec<u8>) -> Parsed<()> {
        match self.lexer.peek()? {
            Token::Null => {
                self.lexer.word("null")?;
                put_tag(out, 1, WireType::Varint);
                put_varint(out, 0);
            }
            Token::Number => {
                let value = number::double(self.lexer.number()?)?;
                put_tag(out, 2, WireType::Fixed64);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Token::String => {
                put_tag(out, 3, WireType::Delimited);
                put_bytes(out, self.lexer.string()?.as_bytes());
            }
            token @ (Token::True | Token::False) => {
                let value = token == Token::True;
                self.lexer.word(if value { "true" } else { "false" })?;
                put_tag(out, 4, WireType::Varint);
                put_varint(out, u64::from(value));
            }
            Token::Object => {
                put_tag(out, 5, WireType::Delimited);
                put_delimited(out, |out| self.structure(out))?;
            }
            Token::Array => {
                put_tag(out, 6, WireType::Delimited);
                put_delimited(out, |out| self.dynamic_list(out))?;
            }
        }
        Ok(())
    }
}

/// Writes the fields of a well-known type that is text in JSON.
fn put_text_like(known: Known, text: &str, out: &mut Vec<u8>) -> Parsed<()> {
    let (seconds, nanos) = match known {
        Known::Timestamp => time::timestamp(text)?,
        Known::Duration => time::duration(text)?,
        Known::FieldMask => return put_mask(text, out),
        Known::Any | Known::Struct | Known::Value | Known::ListValue | Known::Wrapper => {
            return Err(Fault::shape("is no scalar"));
        }
    };
    if seconds != 0 {
        put_tag(out, 1, WireType::Varint);
        put_varint(out, seconds as u64);
    }
    if nanos != 0 {
        put_tag(out, 2, WireType::Varint);
        put_varint(out, i64::from(nanos) as u64);
    }
    Ok(())
}

fn put_mask(text: &str, out: &mut Vec<u8>) -> Parsed<()> {
    for path in text.split(',').filter(|path| !path.is_empty()) {
        let valid = path.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
        if !valid {
            return Err(Fault::shape("must be a comma list of lowerCamel names"));
        }
        put_tag(out, 1, WireType::Delimited);
        put_bytes(out, snake(path).as_bytes());
    }
    Ok(())
}

fn snake(path: &str) -> String {
    let mut text = String::new();
    for c in path.chars() {
        if c.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// The lowerCamel form of a path; `None` when it could not be read back.
fn camel(path: &str) -> Option<String> {
    let mut text = String::new();
    let mut upper = false;
    for c in path.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                text.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => text.push(c),
        }
    }
    (snake(&text) == path).then_some(text)
}

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
            Known::FieldMask => mask(wire, out),
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

fn mask(wire: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut fields = Fields::new(wire);
    let mut paths = Vec::new();
    while let Some((number, raw)) = fields.read()? {
        if let (1, Raw::Bytes(path)) = (number, raw) {
            let path = std::str::from_utf8(path).map_err(|_| Malformed)?;
            paths.push(camel(path).ok_or(Malformed)?);
        }
    }
    put_string(out, &paths.join(","));
    Ok(())
}
