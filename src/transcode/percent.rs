//! Percent-decoding of paths and queries.
//!
//! A variable of one segment decodes everything, `%2F` included. A variable of
//! several keeps RFC 6570's reserved characters encoded, so that a slash that is
//! data is told from one that separates. `+` is a space in a query and a plus
//! sign in a path.

use std::borrow::Cow;

/// The text is not valid percent-encoded UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadEncoding;

/// Decodes a path variable.
pub fn path(text: &str, multi: bool) -> Result<Cow<'_, str>, BadEncoding> {
    decode(text, |byte| multi && b":/?#[]@!$&'()*+,;=".contains(&byte))
}

/// Decodes a name or value of a query.
pub fn query(text: &str) -> Result<Cow<'_, str>, BadEncoding> {
    if !text.contains('+') {
        return decode(text, |_| false);
    }
    let spaced = text.replace('+', " ");
    Ok(Cow::Owned(decode(&spaced, |_| false)?.into_owned()))
}

fn decode(text: &str, keep: impl Fn(u8) -> bool) -> Result<Cow<'_, str>, BadEncoding> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            out.push(byte);
            rest = tail;
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2).ok_or(BadEncoding)?;
        let value = hex(digits[0])? << 4 | hex(digits[1])?;
        if keep(value) {
            out.extend_from_slice(&rest[..3]);
        } else {
            out.push(value);
        }
        rest = tail;
    }
    String::from_utf8(out)
        .map(Cow::Owned)
        .map_err(|_| BadEncoding)
}

fn hex(digit: u8) -> Result<u8, BadEncoding> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(BadEncoding),
    }
}

/// The pairs of a query string, undecoded.
pub fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_characters_stay_in_multi_segment_variables() {
        assert_eq!(path("a%2Fb%20c+d", false).unwrap(), "a/b c+d");
        assert_eq!(path("a%2Fb%20c%2bd", true).unwrap(), "a%2Fb c%2bd");
        assert_eq!(query("a+b%2Bc%20d").unwrap(), "a b+c d");
        for bad in ["%", "%2", "%zz", "%ff", "a%"] {
            assert_eq!(query(bad), Err(BadEncoding), "{bad}");
        }
    }
}
