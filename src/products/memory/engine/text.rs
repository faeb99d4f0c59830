//! Text as words: tokens, sentences, stems and the terms by which text is found.

use std::sync::LazyLock;

use frostem::{Algorithm, Stemmer};

use super::lexicon::{IRREGULAR, STOP};

/// A word of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// As written.
    pub text: &'a str,
    /// Where it begins, in bytes.
    pub start: usize,
    /// Whether it is the first of its sentence.
    pub first: bool,
    /// Whether anything but spaces stands between it and the one before.
    pub apart: bool,
}

impl Token<'_> {
    /// Where it ends, in bytes.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// In lower case, with plain apostrophes.
    pub fn lower(&self) -> String {
        lower(self.text)
    }

    /// Whether it begins with a capital.
    pub fn capital(&self) -> bool {
        self.text.chars().next().is_some_and(char::is_uppercase)
    }

    /// Whether it is a number.
    pub fn number(&self) -> bool {
        self.text.chars().any(|c| c.is_ascii_digit())
            && self
                .text
                .trim_end_matches(|c: char| c.is_alphabetic())
                .chars()
                .all(|c| c.is_ascii_digit())
    }
}

fn apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{02bc}')
}

fn ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

fn lower(word: &str) -> String {
    word.chars()
        .flat_map(char::to_lowercase)
        .map(|c| if apostrophe(c) { '\'' } else { c })
        .collect()
}

/// The words of a text: runs of letters, digits and inner apostrophes. Scripts without
/// spaces give a word for each sign.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut out = Vec::with_capacity(text.len() / 5 + 1);
    let mut first = true;
    let mut apart = false;
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        if !c.is_alphanumeric() {
            first |= matches!(c, '.' | '!' | '?' | '\n' | '。' | '！' | '？');
            apart |= !c.is_whitespace();
            continue;
        }
        let mut end = start + c.len_utf8();
        while let Some(&(at, next)) = chars.peek().filter(|_| !ideograph(c)) {
            let inner = apostrophe(next)
                && text[at + next.len_utf8()..].starts_with(|c: char| c.is_alphanumeric());
            if !(inner || next.is_alphanumeric() && !ideograph(next)) {
                break;
            }
            end = at + next.len_utf8();
            chars.next();
        }
        let text = &text[start..end];
        out.push(Token {
            text,
            start,
            first,
            apart,
        });
        (first, apart) = (false, false);
    }
    out
}

/// How many sentences there are: runs of full stops and marks that words come before,
/// at least one.
pub fn sentences(text: &str) -> usize {
    let mut count = 0;
    let mut open = false;
    for c in text.chars() {
        if matches!(c, '.' | '!' | '?' | '。' | '！' | '？') {
            count += usize::from(open);
            open = false;
        } else {
            open |= c.is_alphanumeric();
        }
    }
    (count + usize::from(open)).max(1)
}

/// What is asked rather than stated: every sentence with words ends in a question mark.
pub fn only_asks(text: &str) -> bool {
    let mut open = false;
    let mut asked = false;
    for c in text.chars() {
        match c {
            '?' | '？' => {
                asked |= open;
                open = false;
            }
            '.' | '!' | '。' | '！' if open => return false,
            _ => open |= c.is_alphanumeric(),
        }
    }
    asked && !open
}

/// The name before a colon with which a line of a transcript begins, and the rest. A
/// time in brackets may stand before the name.
pub fn speaker(content: &str) -> (Option<&str>, &str) {
    let line = content.trim_start();
    let stamped = [('[', ']'), ('(', ')')]
        .into_iter()
        .find_map(|(open, close)| {
            let (stamp, rest) = line.strip_prefix(open)?.split_once(close)?;
            let time = stamp.len() <= 48 && stamp.contains(|c: char| c.is_ascii_digit());
            time.then(|| rest.trim_start())
        });
    let Some((head, rest)) = stamped.unwrap_or(line).split_once(':') else {
        return (None, content);
    };
    let name = head.trim_matches(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | '*'));
    let named = (1..=40).contains(&name.len())
        && name.split_whitespace().count() <= 3
        && name.starts_with(char::is_uppercase)
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || c.is_whitespace() || matches!(c, '.' | '-' | '\''))
        && rest.starts_with(char::is_whitespace)
        && !rest.trim().is_empty();
    if named {
        (Some(name), rest.trim_start())
    } else {
        (None, content)
    }
}

static STEMMER: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::new(Algorithm::English));

/// A word's stem: its irregular form's word first, then by the rules of English.
pub fn stem(word: &str) -> String {
    let word = word.strip_suffix("'s").unwrap_or(word);
    let base = IRREGULAR.get(word).map_or(word, String::as_str);
    STEMMER.stem(base).to_string()
}

/// Whether a word in lower case carries no content.
pub fn stop(lower: &str) -> bool {
    STOP.contains(lower)
        || lower.chars().count() == 1
            && lower.is_ascii()
            && !lower.as_bytes().iter().all(u8::is_ascii_digit)
}

/// Whether a word in lower case denies something.
pub fn denies(word: &str) -> bool {
    word.ends_with("n't") || matches!(word, "not" | "no" | "never" | "nobody" | "nothing")
}

/// The stems of a text's words of content, in their order.
pub fn terms(text: &str) -> Vec<String> {
    tokens(text)
        .iter()
        .map(Token::lower)
        .filter(|word| !stop(word) && word.len() <= 64)
        .map(|word| stem(&word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokens(text).iter().map(|token| token.text).collect()
    }

    #[test]
    fn words_keep_inner_apostrophes() {
        assert_eq!(
            words("I don’t know 'why' — it's 12.5km!"),
            ["I", "don’t", "know", "why", "it's", "12", "5km"]
        );
        assert_eq!(words("東京へ go"), ["東", "京", "へ", "go"]);
        assert_eq!(words(" ...'' "), Vec::<&str>::new());
    }

    #[test]
    fn sentences_begin_after_their_marks() {
        let firsts: Vec<_> = tokens("Dr. No came. he left?! ok")
            .into_iter()
            .filter(|token| token.first)
            .map(|token| token.text)
            .collect();
        assert_eq!(firsts, ["Dr", "No", "he", "ok"]);
        assert_eq!(sentences("I came. I saw!! Why?"), 3);
        assert_eq!(sentences("…"), 1);
    }

    #[test]
    fn stems_know_irregular_forms() {
        assert_eq!(
            terms("She bought the children's books"),
            ["buy", "child", "book"]
        );
        assert_eq!(terms("buying a book for my kid"), ["buy", "book", "child"]);
    }

    #[test]
    fn asking_is_told_from_stating() {
        assert!(only_asks("How was it? And the food?"));
        assert!(!only_asks("I loved it. And you?"));
        assert!(!only_asks("Nice"));
    }

    #[test]
    fn lines_of_transcripts_name_their_speaker() {
        assert_eq!(speaker("Ana: I moved."), (Some("Ana"), "I moved."));
        assert_eq!(speaker("[Ana Lee]: hi"), (Some("Ana Lee"), "hi"));
        assert_eq!(
            speaker("[2023-05-08 13:56] Ana: I moved."),
            (Some("Ana"), "I moved.")
        );
        assert_eq!(
            speaker("(1:56 pm on 8 May, 2023) Ana: I moved."),
            (Some("Ana"), "I moved.")
        );
        assert_eq!(speaker("(2 of us) went").0, None);
        assert_eq!(speaker("note: buy milk").0, None);
        assert_eq!(speaker("See https://a.b").0, None);
        assert_eq!(speaker("Meet at 10:30").0, None);
    }
}
