//! JSON text to wire bytes.

mod known;
mod scalar;

use std::borrow::Cow;
use std::collections::HashSet;

use super::fault::{Fault, Parsed};
use super::lexer::{Lexer, Token};
use super::{DEPTH, Rules};
use crate::policy::RawJson;
use crate::transcode::schema::{Field, Kind, Known, Message, MessageId, Schema, Shape};
use crate::transcode::wire::{WireType, put_bytes, put_delimited, put_tag};

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
    let read = decoder.plain(field, text, out);
    read.map_err(|fault| fault.within(field.bounds))
}

struct Decoder<'a> {
    schema: &'a Schema,
    rules: Rules,
    lexer: Lexer<'a>,
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
    fn new(schema: &'a Schema, rules: Rules, text: &'a str) -> Self {
        Self {
            schema,
            rules,
            lexer: Lexer::new(text, rules.depth),
        }
    }

    fn message(&mut self, id: MessageId, out: &mut Vec<u8>) -> Parsed<()> {
        let row = self.schema.message(id);
        match row.known {
            Some(known) => self.known(known, row, out),
            None => self.members(row, out, None),
        }
    }

    /// The members of an object. `skip` names one that was read before.
    fn members(&mut self, row: &Message, out: &mut Vec<u8>, skip: Option<&str>) -> Parsed<()> {
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
            enough(field, 0)?;
            return Ok(false);
        }
        let read = self.given(field, out);
        read.map_err(|fault| fault.within(field.bounds))
    }

    /// The value of a field that is not null.
    fn given(&mut self, field: &Field, out: &mut Vec<u8>) -> Parsed<bool> {
        match field.shape {
            Shape::List { packed } => self.list(field, packed, out)?,
            Shape::Map(key) => self.map(field, key, out)?,
            Shape::Implicit | Shape::Optional => match field.raw {
                Some(raw) => {
                    let text = self.raw(raw)?;
                    put_tag(out, field.number, WireType::Delimited);
                    put_bytes(out, text.as_bytes());
                }
                None if field.decimal => self.decimal(field, out)?,
                None => return self.unless_unknown(out, |this, out| this.singular(field, out)),
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

    /// A number where the field is text, or text where it is a number, is read as well.
    fn decimal(&mut self, field: &Field, out: &mut Vec<u8>) -> Parsed<()> {
        if field.kind == Kind::String && self.lexer.peek()? == Token::Number {
            put_tag(out, field.number, WireType::Delimited);
            put_bytes(out, self.lexer.number()?.as_bytes());
            return Ok(());
        }
        let rules = self.rules;
        self.rules.quoted_numbers = true;
        let read = self.singular(field, out);
        self.rules = rules;
        read
    }

    /// Leaves a value out that is a word its enum does not know, where unknown
    /// members are ignored; `false` says so.
    fn unless_unknown(
        &mut self,
        out: &mut Vec<u8>,
        read: impl FnOnce(&mut Self, &mut Vec<u8>) -> Parsed<()>,
    ) -> Parsed<bool> {
        let before = out.len();
        match read(self, out) {
            Ok(()) => Ok(true),
            Err(fault) if fault.unknown_word && self.rules.ignore_unknown => {
                out.truncate(before);
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
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
        let count = if packed && field.kind.is_packable() {
            put_tag(out, field.number, WireType::Delimited);
            put_delimited(out, |out| {
                self.elements(|this, out| this.value(field.kind, out), out)
            })?
        } else {
            self.elements(|this, out| this.element(field, out), out)?
        };
        enough(field, count)
    }

    fn elements(
        &mut self,
        mut read: impl FnMut(&mut Self, &mut Vec<u8>) -> Parsed<()>,
        out: &mut Vec<u8>,
    ) -> Parsed<usize> {
        self.lexer.open(b'[')?;
        let mut index = 0;
        while self.lexer.more(b']', index == 0)? {
            self.unless_unknown(out, &mut read)
                .map_err(|fault| fault.in_element(index))?;
            index += 1;
        }
        Ok(index)
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
            put_bytes(out, fault.of("The item").as_bytes());
            Ok(())
        })
    }

    fn map(&mut self, field: &Field, key: Kind, out: &mut Vec<u8>) -> Parsed<()> {
        self.expect(Token::Object)?;
        self.lexer.open(b'{')?;
        let mut names: HashSet<Cow<'a, str>> = HashSet::new();
        while self.lexer.more(b'}', names.is_empty())? {
            let name = self.lexer.name()?;
            self.unless_unknown(out, |this, out| {
                put_tag(out, field.number, WireType::Delimited);
                put_delimited(out, |out| {
                    this.key(key, &name, out)?;
                    this.tagged(2, field.kind, out)
                })
            })
            .map_err(|fault| fault.in_member(&name))?;
            if let Some(twice) = names.replace(name) {
                return Err(Fault::shape("is given twice").in_member(&twice));
            }
        }
        Ok(())
    }

    /// A tag and a value.
    fn tagged(&mut self, number: u32, kind: Kind, out: &mut Vec<u8>) -> Parsed<()> {
        put_tag(out, number, kind.wire_type());
        self.value(kind, out)
    }

    fn expect(&mut self, token: Token) -> Parsed<()> {
        if self.lexer.peek()? == token {
            return Ok(());
        }
        Err(Fault::shape(format!("must be {}", token.name())))
    }
}

/// Refuses a list that is given with too few elements.
fn enough(field: &Field, count: usize) -> Parsed<()> {
    let least = field.min_items as usize;
    if count >= least {
        return Ok(());
    }
    Err(Fault::shape(match least {
        1 => "must not be empty".to_owned(),
        least => format!("must have at least {least} elements"),
    }))
}
