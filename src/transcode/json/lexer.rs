//! Reads JSON tokens (RFC 8259) from a text that is known to be UTF-8. It never
//! builds a tree: a value is read into its place, or skipped and kept as a slice.

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

    /// A string, borrowed when it holds no escape.
    #[inline]
    pub fn string(&mut self) -> Parsed<Cow<'a, str>> {
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut at = start;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'"' => {
                    self.at = at + 1;
                    return Ok(Cow::Borrowed(&self.text[start..at]));
                }
                b'\\' => {
                    let mut text = self.text[start..at].to_owned();
                    self.at = at;
                    self.escaped(&mut text)?;
                    return Ok(Cow::Owned(text));
                }
                0..0x20 => {
                    self.at = at;
                    return self.fault("control character in a string");
                }
                _ => at += 1,
            }
        }
        self.at = at;
        self.fault("unexpected end of a string")
    }

    /// The rest of a string, from its first escape on.
    fn escaped(&mut self, text: &mut String) -> Parsed<()> {
        loop {
            let start = self.at;
            while self
                .byte()
                .is_some_and(|b| b != b'"' && b != b'\\' && b >= 0x20)
            {
                self.at += 1;
            }
            text.push_str(&self.text[start..self.at]);
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                Some(_) => return self.fault("control character in a string"),
                None => return self.fault("unexpected end of a string"),
            }
        }
    }

    fn escape(&mut self) -> Parsed<char> {
        let Some(byte) = self.byte() else {
            return self.fault("unexpected end of a string");
        };
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return self.fault("unknown escape"),
        })
    }

    /// A `\u` escape; a surrogate must be half of a pair.
    fn unicode(&mut self) -> Parsed<char> {
        let high = self.hex()?;
        if !(0xd800..0xdc00).contains(&high) {
            return match char::from_u32(high) {
                Some(c) => Ok(c),
                None => self.fault("unpaired surrogate"),
            };
        }
        if !self.text[self.at..].starts_with("\\u") {
            return self.fault("unpaired surrogate");
        }
        self.at += 2;
        let low = self.hex()?;
        if !(0xdc00..0xe000).contains(&low) {
            return self.fault("unpaired surrogate");
        }
        let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        char::from_u32(code).map_or_else(|| self.fault("unpaired surrogate"), Ok)
    }

    fn hex(&mut self) -> Parsed<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let digits = digits.filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits.and_then(|d| std::str::from_utf8(d).ok()) else {
            return self.fault("expected four hex digits");
        };
        self.at += 4;
        u32::from_str_radix(digits, 16).map_or_else(|_| self.fault("expected four hex digits"), Ok)
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

/// Checks that a text is one JSON object of at most `depth` levels.
pub fn check_object(text: &str, depth: u32) -> Parsed<()> {
    let mut lexer = Lexer::new(text, depth);
    if lexer.peek()? != Token::Object {
        return Err(Fault::shape("must be an object"));
    }
    lexer.skip()?;
    lexer.end()
}

/// Checks that a text is one JSON value of at most `depth` levels.
pub fn check_any(text: &str, depth: u32) -> Parsed<()> {
    let mut lexer = Lexer::new(text, depth);
    lexer.skip()?;
    lexer.end()
}

/// The top-level members of an object, each with the text of its value.
pub fn members(text: &str, depth: u32) -> Parsed<Vec<(Cow<'_, str>, &str)>> {
    let mut lexer = Lexer::new(text, depth);
    let mut members = Vec::new();
    lexer.open(b'{')?;
    let mut first = true;
    while lexer.more(b'}', first)? {
        let name = lexer.name()?;
        members.push((name, lexer.skip()?));
        first = false;
    }
    Ok(members)
}

/// The text a JSON string stands for; `None` of any other value.
pub fn text(value: &str) -> Option<String> {
    let mut lexer = Lexer::new(value, 1);
    match lexer.peek() {
        Ok(Token::String) => lexer.string().ok().map(Cow::into_owned),
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_byte_for_byte() {
        let text = r#" {"a" : [1, 2.50e+1 ,"\u00e9\ud83d\ude00"], "b":{} } "#;
        let mut lexer = Lexer::new(text, 32);
        assert_eq!(lexer.skip(), Ok(text.trim()));
        assert_eq!(lexer.end(), Ok(()));
        let found = members(text.trim(), 32).unwrap();
        assert_eq!(found[0].1, r#"[1, 2.50e+1 ,"\u00e9\ud83d\ude00"]"#);
        assert_eq!(found[1], ("b".into(), "{}"));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "[",
            "}",
            "{]",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{'a':1}",
            "[1 2]",
            "01",
            "-",
            "1.",
            ".5",
            "+1",
            "1e",
            "0x1",
            "tru",
            "nul",
            "NaN",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "\"\n\"",
            "[1]]",
            "1 1",
            "// a\n1",
        ] {
            let fault = check_any(text, 32).unwrap_err();
            assert!(fault.syntax, "{text}: {fault}");
        }
        assert!(Lexer::check(b"\xff").unwrap_err().syntax);
        assert!(Lexer::check(b"\xef\xbb\xbf{}").unwrap_err().syntax);
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert_eq!(check_any(&nested(32), 32), Ok(()));
        let fault = check_any(&nested(33), 32).unwrap_err();
        assert_eq!(fault.to_string(), "The body is nested too deeply");
        assert!(check_any(&nested(100_000), 32).is_err());
    }
}
