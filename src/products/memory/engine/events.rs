//! Events of a life, told by phrases about people: who died, married or lost work. The
//! same words about things ("the printer died") are none.

use std::sync::LazyLock;

use super::lexicon::{EVENT_WORDS, ORDINARY, RELATIONS};
use super::phrases::{Phrases, lines, squeeze};
use super::text::{Token, denies, stem, stop, tokens};

/// What a text tells of.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Events {
    /// How many events.
    pub count: usize,
    /// The strongest one's strength, 0 to 0.6.
    pub strength: f64,
    /// What is felt about them at most, 0 to 1.
    pub feeling: f64,
}

/// Relations by names that only those use who are close.
const CLOSE: &str = "nan|gran|granny|nana|grandad|granddad|auntie|mama|papa";

static PHRASES: LazyLock<Phrases<(f64, f64)>> = LazyLock::new(|| {
    let mut close: Vec<&str> = RELATIONS.iter().map(String::as_str).collect();
    close.extend(CLOSE.split('|'));
    close.sort_unstable();
    let theirs: Vec<String> = close.iter().map(|word| format!("{word}s")).collect();
    let (close, theirs) = (
        format!("~|{}", close.join("|")),
        format!("~s|{}", theirs.join("|")),
    );
    let read = lines(include_str!("lexicons/events.txt")).filter_map(|line| {
        let mut parts = line.splitn(3, ' ');
        let strength = parts.next()?.parse().ok()?;
        let feeling = parts.next()?.parse().ok()?;
        let phrase = parts.next()?.replace("@s", &theirs).replace('@', &close);
        Some(((strength, feeling), phrase))
    });
    let read: Vec<((f64, f64), String)> = read.collect();
    Phrases::new(read.iter().map(|(value, phrase)| (*value, phrase.as_str())))
});

/// The events that a text tells of.
pub fn found(content: &str) -> Events {
    let mut text = normal(content);
    for (turn, _) in PHRASES.near(&text.clone()).filter(|(_, v)| v.0 == 0.0) {
        text = turn.replace_all(&text, " _ ").into_owned();
    }
    let mut events = Events::default();
    let mut places = Vec::new();
    for (phrase, (strength, feeling)) in PHRASES.near(&text).filter(|(_, v)| v.0 > 0.0) {
        for found in phrase.find_iter(&text) {
            if denied(&text[..found.start()], found.as_str()) {
                continue;
            }
            events.strength = events.strength.max(strength);
            events.feeling = events.feeling.max(feeling);
            places.push((found.start(), found.end()));
        }
    }
    places.sort_unstable();
    let mut last = 0;
    for (start, end) in places {
        if start + 1 >= last {
            events.count += 1;
        }
        last = last.max(end);
    }
    events
}

/// Whether what is told is told not to be.
fn denied(before: &str, phrase: &str) -> bool {
    let mut words = before.rsplit(' ').filter(|word| !word.is_empty());
    let (near, far) = (words.next(), words.next());
    let open = !matches!(near, Some("." | "believe" | "only" | "sure" | "because"));
    near == Some("not") || open && far == Some("not") || phrase.contains(" not ")
}

/// Text as the phrases see it: words in lower case with a space before each, names as
/// `~`, every denial as "not", a full stop where a sentence begins and ends.
fn normal(content: &str) -> String {
    let mut out = String::with_capacity(content.len() + 8);
    for token in tokens(content) {
        if token.first {
            out.push_str(" .");
        }
        out.push(' ');
        let lower = token.lower();
        let own = lower.strip_suffix("'s");
        if name(&token, own.unwrap_or(&lower)) {
            out.push_str(if own.is_some() { "~s" } else { "~" });
        } else if denies(&lower) {
            out.push_str("not");
        } else {
            let letters = lower.chars().filter(|c| *c != '\'');
            let plain: String = letters
                .map(|c| if c.is_ascii() { c } else { '_' })
                .collect();
            out.push_str(&squeeze(&plain));
        }
    }
    out.push_str(" . ");
    out
}

/// Whether a word is somebody's name, as far as it looks so.
fn name(token: &Token<'_>, lower: &str) -> bool {
    if !token.capital() || lower.len() < 2 || stop(lower) || stop(&token.lower()) {
        return false;
    }
    let stem = stem(lower);
    let known = RELATIONS.contains(lower)
        || CLOSE.split('|').any(|word| word == lower)
        || EVENT_WORDS.contains(&stem);
    !known && (!token.first || !ORDINARY.contains(&stem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_is_read() {
        assert!(PHRASES.sound());
        let values = PHRASES.values();
        assert_eq!(
            values.len(),
            lines(include_str!("lexicons/events.txt")).count()
        );
        assert!(
            values
                .iter()
                .all(|(s, f)| (0.0..=0.6).contains(s) && (0.0..=1.0).contains(f))
        );
    }

    #[test]
    fn what_befalls_people_is_an_event() {
        for (text, least) in [
            ("My mum passed away", 0.6),
            ("My father just died.", 0.6),
            ("Grandma died last night", 0.6),
            ("Tom has died.", 0.6),
            ("My brother Tom died in May", 0.6),
            ("I can't believe my dad died", 0.6),
            ("I lost my baby", 0.6),
            ("We broke up", 0.4),
            ("My boyfriend broke up with me", 0.4),
            ("I was made redundant", 0.4),
            ("I got laid off yesterday", 0.4),
            ("I lost my job", 0.4),
            ("I was fired today", 0.4),
            ("My throat closes up if I eat shellfish", 0.4),
            ("I'm severely allergic to peanuts", 0.4),
            ("My dad had a stroke", 0.4),
            ("Ben proposed to me!", 0.4),
            ("We got married in June", 0.4),
            ("My sister is pregnant", 0.4),
            ("My daughter was born on Friday", 0.4),
            ("We are getting divorced", 0.4),
            ("I was diagnosed with diabetes", 0.4),
            ("My dog died", 0.4),
            ("I moved to Leeds", 0.2),
            ("I just got promoted to manager", 0.27),
        ] {
            let found = found(text);
            assert!(
                found.strength >= least && found.count > 0,
                "{text} {found:?}"
            );
        }
    }

    #[test]
    fn what_befalls_things_is_none() {
        let told: Vec<_> = [
            "The printer died again",
            "My phone battery keeps dying",
            "My Kindle died",
            "Batteries died",
            "Phone died, sorry",
            "My mom said the printer died",
            "I'd die for some chips",
            "I married the two datasets",
            "I fired up the grill",
            "The engagement on my post was high",
            "I moved the chair",
            "We broke up the chocolate bar",
            "You are breaking up, bad line",
            "I proposed a new budget",
            "A stroke of luck",
            "My husband left me a note",
            "We lost my mum in the supermarket for an hour",
            "I deleted it by accident",
            "The promotion on shoes ends today",
            "My wife was not fired",
            "I am not pregnant",
            "She never got married",
            "ok thanks",
            "",
        ]
        .into_iter()
        .filter(|text| found(text).strength > 0.0)
        .collect();
        assert_eq!(told, Vec::<&str>::new());
    }
}
