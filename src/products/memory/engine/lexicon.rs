//! The word lists, which are files beside this one: read once, at first use. A line is
//! words, or a word and its value; what follows `#` is a comment.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::text::stem;

/// A set of words.
pub type Words = HashSet<String, foldhash::fast::FixedState>;
/// Words with a value.
pub type Valued<T> = HashMap<String, T, foldhash::fast::FixedState>;

/// The first person, as written in lower case.
pub static FIRST_PERSON: LazyLock<Words> =
    LazyLock::new(|| plain(include_str!("lexicons/first_person.txt")));
/// Words without content, as written in lower case.
pub static STOP: LazyLock<Words> = LazyLock::new(|| plain(include_str!("lexicons/stop.txt")));
/// Stems of words that questions are made of.
pub static ASKING: LazyLock<Words> = LazyLock::new(|| stems(include_str!("lexicons/asking.txt")));
/// Stems of words of a person's own life.
pub static PERSONAL: LazyLock<Words> =
    LazyLock::new(|| stems(include_str!("lexicons/personal.txt")));
/// Stems of the words that life events are told in.
pub static EVENT_WORDS: LazyLock<Words> =
    LazyLock::new(|| told(include_str!("lexicons/events.txt")));
/// Stems of feelings, with their intensity.
pub static EMOTIONS: LazyLock<Valued<f64>> =
    LazyLock::new(|| valued(include_str!("lexicons/emotions.txt")));
/// Irregular forms and what they are forms of.
pub static IRREGULAR: LazyLock<Valued<String>> =
    LazyLock::new(|| pairs(include_str!("lexicons/irregular.txt")));
/// Stems of what people are by work.
pub static ROLES: LazyLock<Words> = LazyLock::new(|| stems(include_str!("lexicons/roles.txt")));
/// What people are to each other, as written.
pub static RELATIONS: LazyLock<Words> =
    LazyLock::new(|| plain(include_str!("lexicons/relations.txt")));
/// Words that make a name a place's.
pub static PLACES: LazyLock<Words> = LazyLock::new(|| plain(include_str!("lexicons/places.txt")));
/// Words that make a name an organization's.
pub static ORGANIZATIONS: LazyLock<Words> =
    LazyLock::new(|| plain(include_str!("lexicons/organizations.txt")));
/// Domains of life in the order of their file, each with its stems.
pub static DOMAINS: LazyLock<Vec<(&'static str, Words)>> = LazyLock::new(domains);
/// For a stem, the stems it may also mean.
pub static RELATED: LazyLock<Valued<Vec<String>>> =
    LazyLock::new(|| related(include_str!("lexicons/related.txt")));

/// Lines of the thesaurus, sorted by the stem each begins with.
static THESAURUS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| lines(include_str!("lexicons/thesaurus.txt")).collect());

/// Stems of ordinary words: a sentence that begins with one need not begin with a name.
pub static ORDINARY: LazyLock<Words> = LazyLock::new(|| {
    let thesaurus = THESAURUS.iter().flat_map(|line| line.split(' '));
    let mut words: Words = thesaurus.map(str::to_owned).collect();
    words.extend(
        RELATED
            .iter()
            .flat_map(|(head, others)| std::iter::once(head).chain(others))
            .cloned(),
    );
    words
});

/// The stems that a stem may mean by the thesaurus.
pub fn meant(stem: &str) -> impl Iterator<Item = &'static str> {
    let head = |line: &str| line.split(' ').next().map(|head| head.cmp(stem));
    let at = THESAURUS.binary_search_by(|line| head(line).unwrap_or(Ordering::Less));
    let line = at.ok().and_then(|at| THESAURUS.get(at));
    line.into_iter().flat_map(|line| line.split(' ').skip(1))
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
}

pub(super) fn plain(text: &'static str) -> Words {
    lines(text)
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect()
}

fn stems(text: &'static str) -> Words {
    lines(text)
        .flat_map(str::split_whitespace)
        .map(stem)
        .collect()
}

/// The words of phrases, without those that carry no content.
fn told(text: &'static str) -> Words {
    lines(text)
        .flat_map(|line| line.split([' ', '|', '?']))
        .filter(|word| word.len() > 2 && word.chars().all(|c| c.is_ascii_lowercase()))
        .filter(|word| !STOP.contains(*word))
        .map(stem)
        .collect()
}

/// Two words of one stem share the larger value.
fn valued(text: &'static str) -> Valued<f64> {
    let mut values = Valued::default();
    for (word, value) in lines(text).filter_map(|line| line.split_once(' ')) {
        let value: f64 = value.trim().parse().unwrap_or_default();
        let held = values.entry(stem(word)).or_insert(value);
        *held = held.max(value);
    }
    values
}

fn pairs(text: &'static str) -> Valued<String> {
    lines(text)
        .filter_map(|line| line.split_once(' '))
        .map(|(form, word)| (form.to_owned(), word.trim().to_owned()))
        .collect()
}

fn domains() -> Vec<(&'static str, Words)> {
    lines(include_str!("lexicons/domains.txt"))
        .filter_map(|line| line.split_once(':'))
        .map(|(name, words)| (name, words.split_whitespace().map(stem).collect()))
        .collect()
}

fn related(text: &'static str) -> Valued<Vec<String>> {
    let mut table: Valued<Vec<String>> = Valued::default();
    for line in lines(text) {
        let mut words = line.split_whitespace().map(stem);
        let Some(head) = words.next() else { continue };
        let held = table.entry(head.clone()).or_default();
        for word in words {
            if word != head && !held.contains(&word) {
                held.push(word);
            }
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every list must hold; a slip in a file shows here.
    #[test]
    fn files_are_read_whole() {
        for (name, words, least) in [
            ("first person", &FIRST_PERSON, 15),
            ("stop", &STOP, 200),
            ("asking", &ASKING, 25),
            ("personal", &PERSONAL, 80),
            ("roles", &ROLES, 80),
            ("relations", &RELATIONS, 40),
            ("places", &PLACES, 30),
            ("organizations", &ORGANIZATIONS, 20),
        ] {
            assert!(words.len() >= least, "{name}: {}", words.len());
            assert!(
                words.iter().all(|word| word.to_lowercase() == *word),
                "{name}"
            );
        }
        assert_eq!(DOMAINS.len(), 9);
        assert!(IRREGULAR.len() > 140);
        assert!(RELATED.len() > 130);
    }

    #[test]
    fn the_thesaurus_is_sorted() {
        let heads: Vec<_> = THESAURUS
            .iter()
            .map(|line| line.split(' ').next())
            .collect();
        assert!(heads.len() > 8000 && heads.is_sorted());
        assert!(meant(&stem("photograph")).any(|word| word == stem("photo")));
        assert_eq!(meant("nothingofthekind").count(), 0);
    }

    #[test]
    fn values_lie_in_their_ranges() {
        assert!(EVENT_WORDS.len() > 200);
        assert!(EMOTIONS.len() > 60 && EMOTIONS.values().all(|v| (0.1..=1.0).contains(v)));
    }

    #[test]
    fn a_form_leads_to_a_word_that_is_none() {
        for (form, word) in IRREGULAR.iter() {
            assert!(!IRREGULAR.contains_key(word), "{form} {word}");
        }
    }

    #[test]
    fn nothing_without_content_is_personal() {
        assert!(
            PERSONAL.iter().all(|word| !STOP.contains(word)),
            "a stop word is personal"
        );
    }
}
