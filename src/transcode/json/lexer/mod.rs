//! Reads JSON tokens (RFC 8259) from a text that is known to be UTF-8. It never
//! builds a tree: a value is read into its place, or skipped and kept as a slice.

mod string;

use std::borrow::Cow;

use super::fault::{Fault, Parsed};

/// A position in a JSON text.
#[derive(Debug, Clone, Copy)]
pub struct Lexer<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

/// What a value is, told by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// `{`
    Object,
    /// `[`
    Array,
    /// `"`
    String,
    /// A digit or `-`.
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

impl Token {
    /// The kind of value, for an error message.
    pub fn name(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "a list",
            Self::String => "a string",
            Self::Number => "a number",
            Self::True | Self::False => "true or false",
            Self::Null => "null",
        }
    }
}

impl<'a> Lexer<'a> {
    /// Starts at the beginning of a text, allowing `depth` levels.
    pub fn new(text: &'a str, depth: u32) -> Self {
        Self { text, at: 0, depth }
    }

    /// Checks that the bytes are UTF-8 without a byte order mark.
    pub fn check(bytes: &[u8]) -> Parsed<&str> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Fault::syntax("invalid UTF-8", error.valid_up_to()))?;
        if text.starts_with('\u{feff}') {
            return Err(Fault::syntax("a byte order mark", 0));
        }
        Ok(text)
    }

    fn fault<T>(&self, what: &str) -> Parsed<T> {
        Err(Fault::syntax(what, self.at))
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn blank(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
    }

    /// Byte position in the text.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The text from a position up to here.
    pub fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    /// What comes next, after white space.
    #[inline]
    pub fn peek(&mut self) -> Parsed<Token> {
        self.blank();
        match self.byte() {
            Some(b'{') => Ok(Token::Object),
            Some(b'[') => Ok(Token::Array),
            Some(b'"') => Ok(Token::String),
            Some(b'-' | b'0'..=b'9') => Ok(Token::Number),
            Some(b't') => Ok(Token::True),
            Some(b'f') => Ok(Token::False),
            Some(b'n') => Ok(Token::Null),
            Some(_) => self.fault("expected a value"),
            None => self.fault("unexpected end"),
        }
    }

    /// Reads with another number of levels left.
    pub fn with_depth<T>(
        &mut self,
        depth: u32,
        read: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        let outer = std::mem::replace(&mut self.depth, depth);
        let result = read(self);
        self.depth = outer;
        result
    }

    /// Nothing but white space may follow.
    pub fn end(&mut self) -> Parsed<()> {
        self.blank();
        if self.at < self.text.len() {
            return self.fault("text after the value");
        }
        Ok(())
    }

    /// Enters an object or a list.
    pub fn open(&mut self, bracket: u8) -> Parsed<()> {
        self.blank();
        if self.byte() != Some(bracket) {
            return self.fault("unexpected value");
        }
        match self.depth.checked_sub(1) {
            Some(depth) => self.depth = depth,
            None => return Err(Fault::shape("is nested too deeply")),
        }
        self.at += 1;
        Ok(())
    }

    /// Moves to the next member or element: `false` at the closing bracket.
    #[inline]
    pub fn more(&mut self, close: u8, first: bool) -> Parsed<bool> {
        self.blank();
        match self.byte() {
            Some(byte) if byte == close => {
                self.at += 1;
                self.depth += 1;
                Ok(false)
            }
            Some(b',') if !first => {
                self.at += 1;
                self.blank();
                if self.byte() == Some(close) {
                    return self.fault("trailing comma");
                }
                Ok(true)
            }
            Some(_) if first => Ok(true),
            Some(_) => self.fault("expected a comma"),
            None => self.fault("unexpected end"),
        }
    }

    /// A member's name and its colon.
    #[inline]
    pub fn name(&mut self) -> Parsed<Cow<'a, str>> {
        self.blank();
        if self.byte() != Some(b'"') {
            return self.fault("expected a member name");
        }
        let name = self.string()?;
        self.blank();
        if self.byte() != Some(b':') {
            return self.fault("expected a colon");
        }
        self.at += 1;
        Ok(name)
    }

    /// A number, as it is written.
    pub fn number(&mut self) -> Parsed<&'a str> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            Some(_) | None => return self.fault("expected a digit"),
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Ok(self.since(start))
    }

    fn digits(&mut self) {
        while self.byte().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Parsed<()> {
        let start = self.at;
        self.digits();
        if self.at == start {
            return self.fault("expected a digit");
        }
        Ok(())
    }

    /// One of the words `true`, `false` and `null`.
    pub fn word(&mut self, word: &str) -> Parsed<()> {
        if !self.text[self.at..].starts_with(word) {
            return self.fault("expected a value");
        }
        self.at += word.len();
        Ok(())
    }

    /// Checks and passes over one value, and answers its text.
    pub fn skip(&mut self) -> Parsed<&'a str> {
        let token = self.peek()?;
        let start = self.at;
        match token {
            Token::Object => {
                self.open(b'{')?;
                let mut first = true;
                while self.more(b'}', first)? {
                    self.name()?;
                    self.skip()?;
                    first = false;
                }
            }
            Token::Array => {
                self.open(b'[')?;
                let mut first = true;
                while self.more(b']', first)? {
                    self.skip()?;
                    first = false;
                }
            }
            Token::String => drop(self.string()?),
            Token::Number => drop(self.number()?),
            Token::True => self.word("true")?,
            Token::False => self.word("false")?,
            Token::Null => self.word("null")?,
        }
        Ok(self.since(start))
    }
}
