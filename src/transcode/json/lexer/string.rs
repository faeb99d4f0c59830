//! Strings of a JSON text. Most hold no escape and are borrowed; the others are
//! copied from their first escape on.

use std::borrow::Cow;

use super::Lexer;
use crate::transcode::json::fault::Parsed;

impl<'a> Lexer<'a> {
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
}
