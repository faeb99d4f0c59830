//! Whether a text says what another said already. Only what is repeated nearly word for
//! word is the same: who did what to whom, when, whether and how many is in the small
//! words and their order, so all of them count but a few that change nothing.

use std::collections::BTreeSet;

use xxhash_rust::xxh3::xxh3_64;

use super::DAY;
use super::lexicon::IRREGULAR;
use super::text::{Token, terms, tokens};
use super::times;

/// From which share of common stems two texts may be one memory.
pub const ALIKE: f64 = 0.9;

/// A text as far as repeats are told by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Of its words; the same for texts that say the same.
    pub hash: u64,
    /// How far apart in microseconds two tellings are one.
    pub within: i64,
}

/// What tells of something that happened is told again only on the same day.
const HAPPENED: i64 = DAY;
/// What is so may have changed in between, beyond this.
const HOLDS: i64 = 30 * DAY;

/// A text's form. Text without words of content has none, and neither has text that
/// speaks of a time, which is another one whenever it is said.
pub fn form(content: &str) -> Option<Form> {
    if terms(content).is_empty() {
        return None;
    }
    let said = times::said(content, 0);
    let tokens = tokens(content);
    let words: Vec<String> = tokens.iter().map(Token::lower).collect();
    if said.timed || !said.spans.is_empty() || words.iter().any(|word| passing(word)) {
        return None;
    }
    let happened = words.iter().enumerate().any(|(at, word)| {
        let before = at.checked_sub(1).and_then(|at| words.get(at));
        past(word) && !before.is_some_and(|before| is(before))
    });
    let mut out = String::with_capacity(content.len() + 8);
    let mut after = 0;
    for (token, word) in tokens.iter().zip(&words) {
        marks(
            &content[after..token.start],
            &content[token.start..],
            &mut out,
        );
        after = token.end();
        for part in whole(word) {
            if !idle(part) {
                out.push(' ');
                out.push_str(part);
            }
        }
    }
    marks(&content[after..], "", &mut out);
    Some(Form {
        hash: xxh3_64(out.as_bytes()),
        within: if happened { HAPPENED } else { HOLDS },
    })
}

/// Keeps the marks between words that mean something: a question, a sign, a picture.
fn marks(between: &str, next: &str, out: &mut String) {
    for c in between.chars() {
        let plain = c.is_whitespace()
            || matches!(
                c,
                '.' | ',' | '!' | ';' | ':' | '"' | '(' | ')' | '\'' | '*' | '_'
            )
            || matches!(
                c,
                '\u{2018}'..='\u{201d}' | '\u{2026}' | '\u{2013}' | '\u{2014}'
            );
        let minus =
            c == '-' && between.ends_with('-') && next.starts_with(|c: char| c.is_ascii_digit());
        if !plain && (c != '-' || minus) {
            out.push(' ');
            out.push(c);
        }
    }
}

/// The words that a shortened one stands for.
fn whole(word: &str) -> Vec<&str> {
    match word {
        "i'm" | "im" => vec!["i", "am"],
        "can't" | "cant" => vec!["can", "not"],
        "cannot" => vec!["can", "not"],
        "won't" => vec!["will", "not"],
        "dont" => vec!["do", "not"],
        _ => {
            for (end, stands) in [
                ("n't", "not"),
                ("'re", "are"),
                ("'ve", "have"),
                ("'ll", "will"),
            ] {
                if let Some(head) = word.strip_suffix(end) {
                    return vec![head, stands];
                }
            }
            vec![word]
        }
    }
}

/// Words that change nothing.
fn idle(word: &str) -> bool {
    matches!(
        word,
        "a" | "an"
            | "the"
            | "oh"
            | "hey"
            | "hi"
            | "well"
            | "um"
            | "uh"
            | "hmm"
            | "please"
            | "really"
            | "very"
            | "haha"
            | "lol"
    )
}

/// Words whose time is when they are said.
fn passing(word: &str) -> bool {
    matches!(
        word,
        "now"
            | "today"
            | "tonight"
            | "tomorrow"
            | "yesterday"
            | "currently"
            | "again"
            | "another"
            | "just"
            | "soon"
            | "later"
            | "still"
            | "already"
            | "yet"
            | "lately"
            | "recently"
            | "anymore"
            | "ago"
            | "last"
            | "next"
            | "morning"
            | "afternoon"
            | "evening"
            | "night"
            | "weekend"
            | "week"
            | "month"
            | "year"
            | "before"
            | "since"
            | "finally"
            | "used"
    )
}

/// Whether a word tells of what happened, as far as its form says.
fn past(word: &str) -> bool {
    word.ends_with("ed") && word.len() > 4
        || IRREGULAR.get(word).is_some_and(|base| base != word) && !word.ends_with('s')
        || matches!(
            word,
            "was" | "were" | "had" | "did" | "went" | "came" | "got"
        )
}

/// What comes before a word that tells how something is.
fn is(word: &str) -> bool {
    matches!(
        word,
        "is" | "are" | "am" | "be" | "i'm" | "im" | "it's" | "he's" | "she's"
    )
}

/// The stems of a text, sorted and each once; text without words of content has none.
pub fn stems(content: &str) -> Vec<String> {
    let stems: BTreeSet<_> = terms(content).into_iter().collect();
    stems.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        form(a).is_some() && form(a) == form(b)
    }

    #[test]
    fn the_same_words_are_one_memory() {
        for (a, b) in [
            ("My dog's name is Biscuit.", "my dog’s name is Biscuit!"),
            ("I don't like dogs.", "I do not like dogs"),
            (
                "I'm a nurse at the hospital.",
                "Well, I am a nurse at a hospital",
            ),
            ("I lent Bob 500 dollars.", "I lent Bob 500 dollars"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn what_differs_in_a_small_word_is_another() {
        for (a, b) in [
            ("My dog is Biscuit.", "My cat is Biscuit."),
            ("I like dogs.", "I don't like dogs."),
            ("You like the blue car.", "You like the blue car?"),
            (
                "The scan is at ward 3 near the car park.",
                "The scan is at ward 5 near the car park.",
            ),
            ("It costs 5 dollars", "It costs -5 dollars"),
            ("It costs $5", "It costs €5"),
            ("Alice lent Bob 500 dollars.", "Bob lent Alice 500 dollars."),
            ("I will meet Tom", "I met Tom"),
            ("Tom should meet me", "I meet Tom"),
            ("My sister is pregnant", "My sister was pregnant"),
            ("My sister is pregnant", "My sister might be pregnant"),
            ("My sister is pregnant", "Is my sister pregnant"),
            ("My brother likes his dog", "My brother liked his dog"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
        for text in [
            "It is what it is.",
            "I went to the dentist today.",
            "I moved to Leeds in May.",
            "I am eating noodles now",
            "We met last week",
        ] {
            assert_eq!(form(text), None, "{text}");
        }
    }

    #[test]
    fn what_happened_is_another_event_on_another_day() {
        let within = |text: &str| form(text).map(|form| form.within);
        assert_eq!(within("I went to the dentist."), Some(HAPPENED));
        assert_eq!(within("We visited Leeds"), Some(HAPPENED));
        assert_eq!(within("My dog is called Biscuit."), Some(HOLDS));
        assert_eq!(within("I live in Leeds"), Some(HOLDS));
    }
}
