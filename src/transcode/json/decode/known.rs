//! Well-known types that have a JSON form of their own, from JSON.

use super::Decoder;
use crate::transcode::json::fault::{Fault, Parsed};
use crate::transcode::json::lexer::Token;
use crate::transcode::json::{mask, number, time};
use crate::transcode::schema::{Known, Message};
use crate::transcode::wire::{WireType, put_bytes, put_delimited, put_tag, put_varint};

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
        put_bytes(out, mask::snake(path).as_bytes());
    }
    Ok(())
}
