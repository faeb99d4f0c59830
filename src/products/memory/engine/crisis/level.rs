//! How much one message tells of a crisis: the level of its gravest phrase, unless it is a
//! turn of speech, denied, quoted, made up or of somebody else.

use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use super::super::phrases::{Phrases, lines, source, squeeze};

static PHRASES: LazyLock<Phrases<u8>> = LazyLock::new(|| {
    let lines = lines(include_str!("../lexicons/crisis.txt"));
    let lines = lines.filter_map(|line| line.split_once(' '));
    Phrases::new(lines.map(|(level, phrase)| (level.parse().unwrap_or(1), phrase)))
});

static IDIOMS: LazyLock<Phrases<()>> = LazyLock::new(|| {
    let lines = lines(include_str!("../lexicons/idioms.txt"));
    Phrases::new(lines.map(|phrase| ((), phrase)))
});

/// Text as the phrases see it: words in lower case with a space before each and one at
/// the end, a full stop as a word of its own (also before the first word and after the
/// last), a comma at the end of the word before it, figures among letters as the letters they
/// stand for. No phrase has other letters than ASCII's: `_` stands for all others, which
/// keeps the expressions small.
fn normal(text: &str) -> String {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let mut out = String::with_capacity(folded.len() + 8);
    out.push_str(" .");
    let mut word = String::new();
    let flush = |word: &mut String, out: &mut String| {
        if word.is_empty() {
            return;
        }
        if word.chars().any(char::is_alphabetic) {
            *word = word.chars().map(letter).collect();
        }
        word.retain(|c| !matches!(c, '@' | '$'));
        // "My self" is "myself".
        let parted = word == "self" && [" my", " him", " her"].iter().any(|own| out.ends_with(own));
        if !parted {
            out.push(' ');
        }
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
            ',' | ':' | '(' | ')' | '\u{2013}' | '\u{2014}' => {
                flush(&mut word, &mut out);
                if !out.ends_with(['.', ',']) {
                    out.push(',');
                }
            }
            _ => flush(&mut word, &mut out),
        }
    }
    flush(&mut word, &mut out);
    out.push_str(" . ");
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
pub(super) fn level(content: &str) -> u8 {
    let mut text = normal(content);
    for (idiom, ()) in IDIOMS.near(&text.clone()) {
        text = idiom.replace_all(&text, " _ ").into_owned();
    }
    let told = FICTION.as_ref().is_some_and(|cues| cues.is_match(&text));
    let others = OTHERS.as_ref().is_some_and(|cues| cues.is_match(&text));
    let mut highest = 0;
    for (phrase, level) in PHRASES.near(&text) {
        for found in phrase.find_iter(&text) {
            let mut level = level;
            let imminent = level == 3;
            let own = found.as_str().split(' ').any(|word| {
                matches!(
                    word.trim_end_matches(','),
                    "i" | "im" | "me" | "my" | "myself"
                )
            });
            let parted = found.as_str().starts_with(',');
            if !parted && denied(&text[..found.start()]) {
                level = 0;
            } else if told || others && !own {
                level -= 1;
            }
            highest = highest.max(if imminent { level.max(1) } else { level });
        }
    }
    highest
}

/// Whether the four words before a phrase, in its part of the sentence, deny it.
fn denied(before: &str) -> bool {
    let mut after = "";
    for word in before.split(' ').rev().filter(|w| !w.is_empty()).take(4) {
        if word == "but" || word.ends_with(['.', ',']) {
            return false;
        }
        // A sentence may begin without a mark: "I am not well I want to".
        if matches!(after, "i" | "im" | "ill") && !leads(word) {
            return false;
        }
        if denies(word) {
            return !earnest(after);
        }
        after = word;
    }
    false
}

fn denies(word: &str) -> bool {
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
}

/// Whether to deny it says that one means what follows or is not well.
fn earnest(word: &str) -> bool {
    matches!(
        word,
        "joking"
            | "kiding"
            | "lying"
            | "pretending"
            | "exagerating"
            | "blufing"
            | "ok"
            | "okay"
            | "fine"
            | "alright"
            | "wel"
            | "good"
            | "hapy"
            | "coping"
    )
}

/// What "I" follows within a sentence: "I don't think I want to".
fn leads(word: &str) -> bool {
    matches!(
        word,
        "think"
            | "thinking"
            | "thought"
            | "believe"
            | "mean"
            | "say"
            | "said"
            | "saying"
            | "feel"
            | "like"
            | "that"
            | "because"
            | "if"
            | "when"
            | "why"
            | "what"
            | "as"
            | "wish"
            | "sugesting"
            | "implying"
    )
}

/// A story, a quotation or a study is spoken of.
static FICTION: LazyLock<Option<Regex>> =
    LazyLock::new(|| cues(include_str!("../lexicons/fiction.txt")));
/// Somebody else is spoken of.
static OTHERS: LazyLock<Option<Regex>> =
    LazyLock::new(|| cues(include_str!("../lexicons/others.txt")));

fn cues(text: &'static str) -> Option<Regex> {
    let cues: Vec<_> = lines(text).map(source).collect();
    Regex::new(&cues.join("|")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &str = include_str!("../../../../../tests/data/memory/crisis.tsv");

    #[test]
    fn every_phrase_compiles() {
        assert!(PHRASES.sound() && IDIOMS.sound());
        assert!(PHRASES.values().iter().all(|level| (1..=3).contains(level)));
        assert!(FICTION.is_some() && OTHERS.is_some());
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
    fn what_is_denied_is_within_its_part_of_a_sentence() {
        for text in [
            "I'm not joking, I will kill myself",
            "I am not kidding I want to die",
            "never felt so bad, want to die",
            "I'm not okay I want to die",
            "I don't know, I want to die",
        ] {
            assert!(level(text) >= 2, "{text}");
        }
        for text in [
            "I would never kill myself",
            "I don't think I want to die",
            "I'm not saying I want to die",
            "It hurt my self-esteem",
        ] {
            assert!(level(text) < 2, "{text}");
        }
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
