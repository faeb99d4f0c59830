//! JSON kept as text: checked, taken apart into members, or read as a string,
//! without a place for its value. Free-form objects travel and are stored so.

use std::borrow::Cow;

use super::fault::{Fault, Parsed};
use super::lexer::{Lexer, Token};

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
    let mut members = Vec::new();
    each_member(text, depth, |name, value| members.push((name, value)))?;
    Ok(members)
}

/// Shows the top-level members of an object, each with the text of its value.
pub fn each_member<'a>(
    text: &'a str,
    depth: u32,
    mut show: impl FnMut(Cow<'a, str>, &'a str),
) -> Parsed<()> {
    let mut lexer = Lexer::new(text, depth);
    lexer.open(b'{')?;
    let mut first = true;
    while lexer.more(b'}', first)? {
        let name = lexer.name()?;
        show(name, lexer.skip()?);
        first = false;
    }
    Ok(())
}

/// The text a JSON string stands for; `None` of any other value.
pub fn text(value: &str) -> Option<String> {
    string(value).map(Cow::into_owned)
}

/// The same, copied only where something in it is escaped.
pub fn string(value: &str) -> Option<Cow<'_, str>> {
    let mut lexer = Lexer::new(value, 1);
    match lexer.peek() {
        Ok(Token::String) => lexer.string().ok(),
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
