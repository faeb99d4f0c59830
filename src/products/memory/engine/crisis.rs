//! Triage of words of crisis: phrases in three levels, with guards against turns of
//! speech, denial, quotation and fiction; then the levels of the last messages together
//! say which way to go. It aims to miss little rather than to be quiet, knows English
//! only, and is no diagnosis.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{LazyLock, OnceLock};

use foldhash::fast::FixedState;
use regex::Regex;
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

/// Phrases: each is compiled when a text has the word that it is looked for by.
struct Phrases {
    levels: Vec<u8>,
    sources: Vec<String>,
    each: Vec<OnceLock<Option<Regex>>>,
    /// Phrases by words of which a text must have one.
    by: HashMap<String, Vec<usize>, FixedState>,
}

impl Phrases {
    /// Makes them of lines, each with its level.
    fn new<'t>(lines: impl Iterator<Item = (u8, &'t str)>) -> Self {
        let mut all = Self {
            levels: Vec::new(),
            sources: Vec::new(),
            each: Vec::new(),
            by: HashMap::default(),
        };
        for (level, phrase) in lines {
            for word in key(phrase) {
                all.by.entry(word).or_default().push(all.levels.len());
            }
            all.levels.push(level);
            all.sources.push(source(phrase));
            all.each.push(OnceLock::new());
        }
        all
    }

    /// Phrases that may be in a text, with their levels.
    fn near(&self, text: &str) -> impl Iterator<Item = (&Regex, u8)> {
        let found = text.split(' ').filter_map(|word| self.by.get(word));
        let found: BTreeSet<usize> = found.flatten().copied().collect();
        let near = found.into_iter();
        near.filter_map(|at| Some((self.one(at)?, *self.levels.get(at)?)))
    }

    fn one(&self, at: usize) -> Option<&Regex> {
        let source = self.sources.get(at)?;
        let compiled = self.each.get(at)?.get_or_init(|| Regex::new(source).ok());
        compiled.as_ref()
    }
}

static PHRASES: LazyLock<Phrases> = LazyLock::new(|| {
    let lines = lines(include_str!("lexicons/crisis.txt"));
    let lines = lines.filter_map(|line| line.split_once(' '));
    Phrases::new(lines.map(|(level, phrase)| (level.parse().unwrap_or(1), phrase)))
});

static IDIOMS: LazyLock<Phrases> = LazyLock::new(|| {
    let lines = lines(include_str!("lexicons/idioms.txt"));
    Phrases::new(lines.map(|phrase| (0, phrase)))
});

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
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
    let places = phrase.split_whitespace().filter(must).map(options);
    let length = |options: &Vec<String>| options.iter().map(String::len).min();
    places.max_by_key(length).unwrap_or_default()
}

/// A phrase of a file as an expression over words, each of which has a space before it.
fn source(phrase: &str) -> String {
    let mut out = String::new();
    for word in phrase.split_whitespace() {
        if word == "*" {
            out.push_str("(?: [!-~]+){0,3}?");
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
/// stand for. No phrase has other letters than ASCII's: `_` stands for all others, which
/// keeps the expressions small.
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
            _ if c.is_alphanumeric() => word.push(if c.is_ascii() { c } else { '_' }),
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
    for (idiom, _) in IDIOMS.near(&text.clone()) {
        text = idiom.replace_all(&text, " _ ").into_owned();
    }
    let told = FICTION.as_ref().is_some_and(|cues| cues.is_match(&text));
    let others = OTHERS.as_ref().is_some_and(|cues| cues.is_match(&text));
    let mut highest = 0;
    for (phrase, level) in PHRASES.near(&text) {
        for found in phrase.find_iter(&text) {
            let mut level = level;
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
        assert!(FICTION.is_some() && OTHERS.is_some());
        for phrases in [&PHRASES, &IDIOMS] {
            let found: BTreeSet<_> = phrases.by.values().flatten().collect();
            assert_eq!(found.len(), phrases.levels.len(), "each has a word");
        }
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
