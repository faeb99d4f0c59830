//! Triage of words of crisis: phrases in three levels, with guards against turns of
//! speech, denial, quotation and fiction; then the levels of the last messages together
//! say which way to go. It aims to miss little rather than to be quiet, knows English
//! only, and is no diagnosis.

use std::collections::VecDeque;
use std::sync::{LazyLock, OnceLock};

use regex::{Regex, RegexSet};
use unicode_normalization::UnicodeNormalization;

/// What to do about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// Nothing.
    Pass,
    /// Watch the next messages.
    Monitor,
    /// Add guidance to the conversation.
    Intervene,
    /// A crisis: answer it as one.
    Escalate,
}

impl Route {
    /// As clients see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Monitor => "monitor",
            Self::Intervene => "intervene",
            Self::Escalate => "escalate",
        }
    }
}

/// What was found in a message and those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Triage {
    /// 0 nothing, 1 hopelessness, 2 ideation or violence suffered, 3 imminent.
    pub level: u8,
    /// Which way to go.
    pub route: Route,
}

impl Triage {
    /// Whether it counts as a crisis.
    pub fn detected(self) -> bool {
        self.level >= 2 || self.route >= Route::Intervene
    }
}

/// The levels of a user's last messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ring(VecDeque<u8>);

/// Messages that a ring remembers.
pub const REMEMBERED: usize = 10;

impl Ring {
    /// A ring as it was kept, oldest first; what is too much or out of range is left out.
    pub fn of(levels: &[u8]) -> Self {
        let newest = levels.len().saturating_sub(REMEMBERED);
        Self(
            levels[newest..]
                .iter()
                .map(|level| (*level).min(3))
                .collect(),
        )
    }

    /// What to keep, oldest first.
    pub fn levels(&self) -> Vec<u8> {
        self.0.iter().copied().collect()
    }

    /// What a message would mean after those before it.
    pub fn peek(&self, content: &str) -> Triage {
        let level = level(content);
        let before = self
            .0
            .iter()
            .fold(0.0, |sum, level| 0.7 * sum + f64::from(*level));
        let sum = 0.7 * before + f64::from(level);
        let route = match sum {
            _ if level == 3 || sum >= 4.0 => Route::Escalate,
            2.0.. => Route::Intervene,
            1.0.. => Route::Monitor,
            _ => Route::Pass,
        };
        Triage { level, route }
    }

    /// The same, and remembers it.
    pub fn push(&mut self, content: &str) -> Triage {
        let triage = self.peek(content);
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(triage.level);
        triage
    }
}

/// Phrases: the set says which there are in a text, and only those are compiled alone.
struct Phrases {
    levels: Vec<u8>,
    set: RegexSet,
    sources: Vec<String>,
    each: Vec<OnceLock<Option<Regex>>>,
}

impl Phrases {
    fn one(&self, at: usize) -> Option<&Regex> {
        let source = self.sources.get(at)?;
        let compiled = self.each.get(at)?.get_or_init(|| Regex::new(source).ok());
        compiled.as_ref()
    }
}

static PHRASES: LazyLock<Phrases> = LazyLock::new(|| {
    let mut levels = Vec::new();
    let mut sources = Vec::new();
    for line in lines(include_str!("lexicons/crisis.txt")) {
        let Some((level, phrase)) = line.split_once(' ') else {
            continue;
        };
        levels.push(level.parse().unwrap_or(1));
        sources.push(source(phrase));
    }
    compile(levels, sources)
});

static IDIOMS: LazyLock<Phrases> = LazyLock::new(|| {
    let sources: Vec<_> = lines(include_str!("lexicons/idioms.txt"))
        .map(source)
        .collect();
    compile(vec![0; sources.len()], sources)
});

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn compile(levels: Vec<u8>, sources: Vec<String>) -> Phrases {
    Phrases {
        levels,
        set: RegexSet::new(&sources).unwrap_or_else(|_| RegexSet::empty()),
        each: sources.iter().map(|_| OnceLock::new()).collect(),
        sources,
    }
}

/// A phrase of a file as an expression over words, each of which has a space before it.
fn source(phrase: &str) -> String {
    let mut out = String::new();
    for word in phrase.split_whitespace() {
        if word == "*" {
            out.push_str("(?: [^ ]+){0,3}?");
            continue;
        }
        let (word, optional) = match word.strip_suffix('?') {
            Some(word) => (word, "?"),
            None => (word, ""),
        };
        let options: Vec<_> = word
            .split('|')
            .filter(|w| !w.is_empty())
            .map(squeeze)
            .collect();
        if options.is_empty() {
            continue;
        }
        out.push_str(&format!("(?: (?:{})){optional}", options.join("|")));
    }
    format!("{out} ")
}

/// One letter for each run of it: "sooo" is "so", and so are the words compared with.
fn squeeze(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        if !out.ends_with(c) || c.is_ascii_digit() {
            out.push(c);
        }
    }
    out
}

/// Text as the phrases see it: words in lower case with a space before each and one at
/// the end, a full stop as a word of its own, figures among letters as the letters they
/// stand for.
fn normal(text: &str) -> String {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let mut out = String::with_capacity(folded.len() + 2);
    let mut word = String::new();
    let flush = |word: &mut String, out: &mut String| {
        if word.is_empty() {
            return;
        }
        if word.chars().any(char::is_alphabetic) {
            *word = word.chars().map(letter).collect();
        }
        word.retain(|c| !matches!(c, '@' | '$'));
        out.push(' ');
        out.push_str(&squeeze(word));
        word.clear();
    };
    for c in folded.chars() {
        match c {
            '\'' | '\u{2019}' | '\u{02bc}' | '*' => {}
            _ if c.is_alphanumeric() => word.push(c),
            '@' | '$' => word.push(c),
            '.' | '!' | '?' | ';' | '\n' => {
                flush(&mut word, &mut out);
                out.push_str(" .");
            }
            _ => flush(&mut word, &mut out),
        }
    }
    flush(&mut word, &mut out);
    out.push(' ');
    out
}

fn letter(c: char) -> char {
    match c {
        '0' => 'o',
        '1' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        _ => c,
    }
}

/// The level of one message, 0 to 3.
pub fn level(content: &str) -> u8 {
    let mut text = normal(content);
    for at in IDIOMS.set.matches(&text).into_iter().collect::<Vec<_>>() {
        if let Some(idiom) = IDIOMS.one(at) {
            text = idiom.replace_all(&text, " _ ").into_owned();
        }
    }
    let told = FICTION.as_ref().is_some_and(|cues| cues.is_match(&text));
    let others = OTHERS.as_ref().is_some_and(|cues| cues.is_match(&text));
    let mut highest = 0;
    for at in PHRASES.set.matches(&text) {
        let (Some(phrase), Some(level)) = (PHRASES.one(at), PHRASES.levels.get(at)) else {
            continue;
        };
        for found in phrase.find_iter(&text) {
            let mut level = *level;
            let imminent = level == 3;
            let own = found
                .as_str()
                .split(' ')
                .any(|word| matches!(word, "i" | "im" | "me" | "my" | "myself"));
            if denied(&text[..found.start()]) {
                level = 0;
            } else if told || others && !own {
                level -= 1;
            }
            highest = highest.max(if imminent { level.max(1) } else { level });
        }
    }
    highest
}

/// Whether the four words before a phrase, in its sentence, deny it.
fn denied(before: &str) -> bool {
    before
        .split(' ')
        .rev()
        .filter(|word| !word.is_empty())
        .take(4)
        .take_while(|word| *word != "." && *word != "but")
        .any(|word| {
            matches!(
                word,
                "not"
                    | "never"
                    | "dont"
                    | "didnt"
                    | "doesnt"
                    | "wont"
                    | "wouldnt"
                    | "isnt"
                    | "wasnt"
                    | "arent"
                    | "havent"
                    | "without"
                    | "nor"
                    | "neither"
                    | "stoped"
                    | "longer"
            )
        })
}

/// A story, a quotation or a study is spoken of.
static FICTION: LazyLock<Option<Regex>> =
    LazyLock::new(|| cues(include_str!("lexicons/fiction.txt")));
/// Somebody else is spoken of.
static OTHERS: LazyLock<Option<Regex>> =
    LazyLock::new(|| cues(include_str!("lexicons/others.txt")));

fn cues(text: &'static str) -> Option<Regex> {
    let cues: Vec<_> = lines(text).map(source).collect();
    Regex::new(&cues.join("|")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &str = include_str!("../../../../tests/data/memory/crisis.tsv");

    #[test]
    fn every_phrase_compiles() {
        assert!((0..PHRASES.levels.len()).all(|at| PHRASES.one(at).is_some()));
        assert!(PHRASES.levels.iter().all(|level| (1..=3).contains(level)));
        assert!((0..IDIOMS.levels.len()).all(|at| IDIOMS.one(at).is_some()));
        assert!(
            !PHRASES.set.is_empty()
                && !IDIOMS.set.is_empty()
                && FICTION.is_some()
                && OTHERS.is_some()
        );
    }

    /// Each line of the set is the level a reader gave it and the text.
    #[test]
    fn the_written_set_is_met() {
        let (mut hits, mut misses, mut alarms, mut exact, mut all) = (0, 0, 0, 0, 0);
        for line in SET
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
        {
            let (wanted, text) = line.split_once('\t').expect("a level and a text");
            let wanted: u8 = wanted.parse().expect("a level");
            let found = level(text);
            all += 1;
            exact += u32::from(found == wanted);
            match (wanted >= 2, found >= 2) {
                (true, true) => hits += 1,
                (true, false) => misses += 1,
                (false, true) => alarms += 1,
                (false, false) => {}
            }
            if found != wanted {
                println!("{found} for {wanted}: {text}");
            }
        }
        let recall = f64::from(hits) / f64::from(hits + misses);
        let precision = f64::from(hits) / f64::from(hits + alarms);
        println!("{all} lines: recall {recall:.3}, precision {precision:.3}, exact level {exact}");
        assert!(all >= 200 && recall >= 0.95 && precision >= 0.85);
    }

    #[test]
    fn messages_add_up() {
        let mut ring = Ring::default();
        assert_eq!(ring.push("hello there").route, Route::Pass);
        assert_eq!(ring.push("everything is pointless").route, Route::Monitor);
        assert!(!ring.peek("ok").detected());
        assert_eq!(ring.push("I hate my life").route, Route::Monitor);
        assert_eq!(ring.push("I feel so empty").route, Route::Intervene);
        assert!(ring.push("no hope left").detected());
        for _ in 0..20 {
            ring.push("fine");
        }
        assert_eq!(ring.levels(), [0; REMEMBERED]);
        assert_eq!(Ring::of(&ring.levels()), ring);
        assert_eq!(
            ring.peek("I am going to kill myself tonight").route,
            Route::Escalate
        );
    }

    #[test]
    fn spelling_hides_nothing() {
        for text in [
            "I want to d1e",
            "I wanna dieeee",
            "i want to k1ll myself",
            "I WANT TO DIE",
            "ｉ ｗａｎｔ ｔｏ ｄｉｅ",
            "I want 2 kill my$elf",
        ] {
            assert!(level(text) >= 2, "{text}");
        }
    }
}
