//! Phrases of words as the data files write them, found in text that is given as words
//! with a space before each: `|` parts words of which one stands there, `*` stands for
//! up to three words, `?` ends a word that may be missing, `.` is a sentence's end.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use foldhash::fast::FixedState;
use regex::Regex;

/// Phrases: each is compiled when a text has the word that it is looked for by.
#[derive(Debug)]
pub(super) struct Phrases<T> {
    values: Vec<T>,
    sources: Vec<String>,
    each: Vec<OnceLock<Option<Regex>>>,
    /// Phrases by words of which a text must have one.
    by: HashMap<String, Vec<usize>, FixedState>,
}

impl<T: Copy> Phrases<T> {
    /// Makes them of lines, each with what it stands for.
    pub(super) fn new<'t>(lines: impl Iterator<Item = (T, &'t str)>) -> Self {
        let mut all = Self {
            values: Vec::new(),
            sources: Vec::new(),
            each: Vec::new(),
            by: HashMap::default(),
        };
        for (value, phrase) in lines {
            for word in key(phrase) {
                all.by.entry(word).or_default().push(all.values.len());
            }
            all.values.push(value);
            all.sources.push(source(phrase));
            all.each.push(OnceLock::new());
        }
        all
    }

    /// Phrases that may be in a text, with what they stand for.
    pub(super) fn near(&self, text: &str) -> impl Iterator<Item = (&Regex, T)> {
        let words = text.split(' ').map(|word| word.trim_end_matches(','));
        let found = words.filter_map(|word| self.by.get(word));
        let found: BTreeSet<usize> = found.flatten().copied().collect();
        let near = found.into_iter();
        near.filter_map(|at| Some((self.one(at)?, *self.values.get(at)?)))
    }

    /// Whether each compiles and is looked for by a word.
    #[cfg(test)]
    pub(super) fn sound(&self) -> bool {
        let found: BTreeSet<_> = self.by.values().flatten().collect();
        let all = 0..self.values.len();
        found.len() == all.len() && all.into_iter().all(|at| self.one(at).is_some())
    }

    /// What they stand for.
    #[cfg(test)]
    pub(super) fn values(&self) -> &[T] {
        &self.values
    }

    fn one(&self, at: usize) -> Option<&Regex> {
        let source = self.sources.get(at)?;
        let compiled = self.each.get(at)?.get_or_init(|| Regex::new(source).ok());
        compiled.as_ref()
    }
}

/// The lines of a file but its comments.
pub(super) fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The words that a phrase has in one place; one of them must stand there.
fn options(word: &str) -> Vec<String> {
    let options = word.split('|').filter(|option| !option.is_empty());
    options.map(squeeze).collect()
}

/// Words of which a text must have one to have a phrase: those of its place with the
/// longest, for they are rare.
fn key(phrase: &str) -> Vec<String> {
    let must = |word: &&str| *word != "*" && !word.ends_with('?');
    let written = |options: &Vec<String>| {
        let mut letters = options.iter().flat_map(|option| option.chars());
        letters.all(|c| c.is_ascii_lowercase())
    };
    let places = phrase.split_whitespace().filter(must).map(options);
    let places = places.filter(written);
    let length = |options: &Vec<String>| options.iter().map(String::len).min();
    places.max_by_key(length).unwrap_or_default()
}

/// A phrase of a file as an expression over words, each of which has a space before it;
/// a comma may end the word before.
pub(super) fn source(phrase: &str) -> String {
    let mut out = String::new();
    for word in phrase.split_whitespace() {
        if word == "*" {
            out.push_str("(?: [!-~]+){0,3}?");
            continue;
        }
        if word == "." {
            out.push_str(r",? \.");
            continue;
        }
        let (word, optional) = match word.strip_suffix('?') {
            Some(word) => (word, "?"),
            None => (word, ""),
        };
        let options = options(word);
        if options.is_empty() {
            continue;
        }
        out.push_str(&format!("(?:,? (?:{})){optional}", options.join("|")));
    }
    format!("{out},? ")
}

/// One letter for each run of it: "sooo" is "so", and so are the words compared with.
pub(super) fn squeeze(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        if !out.ends_with(c) || c.is_ascii_digit() {
            out.push(c);
        }
    }
    out
}
