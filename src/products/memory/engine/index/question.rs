//! What a question asks for: its words, the speakers it names, the days it means and
//! whether it wants a time.

use std::collections::HashSet;

use foldhash::fast::FixedState;

use super::super::lexicon::{self, ASKING, RELATED};
use super::super::text::{Token, stem, stop, tokens};
use super::super::times::{self, Span};
use super::Index;

/// A question, read once.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Its words of content, each once, in their order.
    pub words: Vec<Word>,
    /// Speakers it names, by number.
    pub(super) speakers: Vec<u16>,
    /// Days it means.
    pub spans: Vec<Span>,
    /// Whether a time is asked for.
    pub when: bool,
}

/// A word of a question.
#[derive(Debug, Clone, Default)]
pub struct Word {
    /// Its stem.
    pub stem: String,
    /// Stems that are of its kind or sense.
    pub related: Vec<String>,
    /// Stems that it may mean by the thesaurus.
    pub meant: Vec<String>,
}

/// Words of a question that are looked for, at most.
const ASKED: usize = 48;

impl Word {
    fn new(stem: String) -> Self {
        let related: Vec<String> = RELATED.get(&stem).cloned().unwrap_or_default();
        let meant = lexicon::meant(&stem).map(str::to_owned);
        let meant = meant.filter(|word| !related.contains(word)).collect();
        Self {
            stem,
            related,
            meant,
        }
    }
}

impl Index {
    /// Reads a question asked at a time in microseconds.
    pub fn question(&self, text: &str, now: i64) -> Question {
        let tokens = tokens(text);
        let lower: Vec<String> = tokens.iter().map(Token::lower).collect();
        let mut question = Question {
            spans: self.meant(text, now),
            when: asks_when(&lower),
            ..Question::default()
        };
        let (mut stems, mut spare) = (Vec::new(), Vec::new());
        let mut known: HashSet<String, FixedState> = HashSet::default();
        for word in &lower {
            if word.len() > 64 || stop(word) {
                continue;
            }
            let bare = word.strip_suffix("'s").unwrap_or(word);
            if let Some(speaker) = self.named(bare) {
                if !question.speakers.contains(&speaker) {
                    question.speakers.push(speaker);
                }
                spare.push(stem(word));
                continue;
            }
            let stem = stem(word);
            if ASKING.contains(&stem) {
                spare.push(stem);
                continue;
            }
            if known.insert(stem.clone()) {
                stems.push(stem);
            }
        }
        if stems.is_empty() {
            spare.truncate(ASKED);
            stems = spare;
        }
        question.words = self.rarest(stems).into_iter().map(Word::new).collect();
        question
    }

    /// The words to look for, where a whole page is asked: those that fewest memories
    /// hold, in their order.
    fn rarest(&self, mut stems: Vec<String>) -> Vec<String> {
        if stems.len() <= ASKED {
            return stems;
        }
        let held = |stem: &String| {
            let number = self.vocabulary.get(stem.as_str());
            number.map_or(0, |number| self.held(*number))
        };
        stems.retain(|stem| held(stem) > 0);
        let mut counts: Vec<usize> = stems.iter().map(held).collect();
        counts.sort_unstable();
        let most = counts.get(ASKED).copied().unwrap_or(usize::MAX);
        stems.retain(|stem| held(stem) <= most);
        stems.truncate(ASKED);
        stems
    }

    /// Days a question means, as the memories' own times allow.
    fn meant(&self, text: &str, now: i64) -> Vec<Span> {
        let times = self.kept.iter().flatten().map(|kept| kept.at);
        let (oldest, newest) = times.fold((i64::MAX, i64::MIN), |(oldest, newest), at| {
            (oldest.min(at), newest.max(at))
        });
        if oldest > newest {
            return Vec::new();
        }
        times::asked(text, now, oldest, newest).spans
    }

    /// The speaker of a name, by the whole of it or its first word.
    fn named(&self, lower: &str) -> Option<u16> {
        let found = self.speakers.iter().position(|(name, count)| {
            *count > 0
                && !name.is_empty()
                && (**name == *lower || name.split(' ').next() == Some(lower))
        });
        found.map(|number| number as u16)
    }
}

impl Question {
    /// Whether it has nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.spans.is_empty()
    }
}

fn asks_when(words: &[String]) -> bool {
    words.iter().enumerate().any(|(at, word)| {
        let next = words.get(at + 1).map_or("", String::as_str);
        match word.as_str() {
            "when" => true,
            "what" | "which" => matches!(next, "date" | "day" | "month" | "year" | "time" | "week"),
            "how" => next == "long",
            _ => false,
        }
    })
}
