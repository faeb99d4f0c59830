//! The domain, the topic and the summary of a text.

use super::super::lexicon::DOMAINS;
use super::super::text::{self, stem, stop, tokens};
use super::LONGEST;

/// The domain of life that most words speak of; `other` when none does. The first in
/// the list wins a tie.
pub fn domain(content: &str) -> &'static str {
    let stems = text::terms(content);
    let mut best = ("other", 0);
    for (name, words) in DOMAINS.iter() {
        let count = stems.iter().filter(|stem| words.contains(*stem)).count();
        if count > best.1 {
            best = (name, count);
        }
    }
    best.0
}

/// A short label: the two words of content that say most, as they are first written.
/// Words that occur more often, then longer ones, say more.
pub fn topic(content: &str) -> String {
    let mut words: Vec<(String, String, usize, usize)> = Vec::new();
    for (at, token) in tokens(content).iter().enumerate() {
        let lower = token.lower();
        if stop(&lower) || token.number() || token.text.len() > LONGEST {
            continue;
        }
        let stem = stem(&lower);
        match words.iter().position(|word| word.0 == stem) {
            Some(held) => words[held].2 += 1,
            None if words.len() < 256 => {
                let surface = if token.capital() && !token.first {
                    token.text.to_owned()
                } else {
                    lower
                };
                words.push((stem, surface, 1, at));
            }
            None => {}
        }
    }
    words.sort_by(|a, b| (b.2, b.1.len().min(12), a.3).cmp(&(a.2, a.1.len().min(12), b.3)));
    words.truncate(2);
    words.sort_by_key(|word| word.3);
    let words: Vec<_> = words.into_iter().map(|word| word.1).collect();
    words.join(" ")
}

/// Bytes of a text in which its first sentence is looked for.
const LOOKED_AT: usize = 2000;
/// The longest summary, in characters.
const SUMMARY: usize = 160;

/// The first sentence, at most 160 characters of it.
pub fn summary(content: &str) -> String {
    let content = content.trim_start();
    let content = &content[..content.floor_char_boundary(LOOKED_AT)];
    let content = content.trim_end();
    let mut end = content.len();
    for (at, c) in content.char_indices() {
        let mark = matches!(c, '.' | '!' | '?' | '。' | '！' | '？');
        let after = at + c.len_utf8();
        let closes = content[after..].starts_with(|c: char| c.is_whitespace());
        let words = content[..at]
            .trim()
            .chars()
            .filter(|c| c.is_whitespace())
            .count()
            > 0;
        if c == '\n' || mark && closes && words && !abbreviation(&content[..at]) {
            end = if c == '\n' { at } else { after };
            break;
        }
    }
    let sentence = content[..end]
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    if sentence.chars().count() <= SUMMARY {
        return sentence;
    }
    let cut: String = sentence.chars().take(SUMMARY - 1).collect();
    let whole = cut
        .rfind(' ')
        .filter(|at| *at > SUMMARY / 2)
        .unwrap_or(cut.len());
    format!("{}…", cut[..whole].trim_end())
}

fn abbreviation(before: &str) -> bool {
    let word = before
        .rsplit(char::is_whitespace)
        .next()
        .unwrap_or_default();
    matches!(
        word,
        "Dr" | "Mr" | "Mrs" | "Ms" | "St" | "Prof" | "vs" | "e.g" | "i.e" | "approx"
    )
}
