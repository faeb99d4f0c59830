//! What a text names: people, organizations, places, roles and more, by capitals, cue
//! words and word lists; and its domain of life, its topic and its summary.

use std::sync::LazyLock;

use regex::Regex;

use super::lexicon::{self, DOMAINS, RELATIONS, ROLES, Words};
use super::text::{Token, stem, stop, tokens};

/// What kind of thing an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Somebody.
    Person,
    /// A company, school, club or the like.
    Organization,
    /// Somewhere.
    Place,
    /// What somebody is by work.
    Role,
    /// Something made: a book, a film, an app.
    Product,
    /// Something that happens.
    Event,
    /// Anything else.
    Other,
}

impl Kind {
    /// As clients see it and the database keeps it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Organization => "organization",
            Self::Place => "place",
            Self::Role => "role",
            Self::Product => "product",
            Self::Event => "event",
            Self::Other => "other",
        }
    }

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Self> {
        [
            Self::Person,
            Self::Organization,
            Self::Place,
            Self::Role,
            Self::Product,
            Self::Event,
            Self::Other,
        ]
        .into_iter()
        .find(|kind| kind.name() == name)
    }
}

/// Something a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// As written.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// Entities of one text, at most.
pub const MOST: usize = 24;
/// The longest name, in bytes.
const LONGEST: usize = 80;
/// How alike two names of one kind are that name one thing.
const ALIKE: f64 = 0.93;

static NO_NAMES: LazyLock<Words> =
    LazyLock::new(|| lexicon::plain(include_str!("lexicons/titles.txt")));

static MARKED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"(?P<quoted>"[^"\n]{2,60}"|“[^”\n]{2,60}”)"#,
        r"|(?P<url>https?://[^\s<>)]+)",
        r"|(?P<mail>[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,})",
        r"|(?P<handle>\B@[A-Za-z0-9_]{2,30})",
    ))
    .ok()
});

/// What a text names: names first, then roles and relations, each once.
pub fn extract(content: &str) -> Vec<Entity> {
    let mut found: Vec<Entity> = Vec::new();
    let mut rest = content.to_owned();
    if let Some(marked) = MARKED.as_ref() {
        for capture in marked.captures_iter(content) {
            let Some(whole) = capture.get(0) else {
                continue;
            };
            let kind = if capture.name("quoted").is_some() {
                Kind::Product
            } else if capture.name("url").is_some() {
                Kind::Other
            } else {
                Kind::Person
            };
            let name = whole.as_str().trim_matches(['"', '“', '”', '.', ',']);
            let named = kind != Kind::Product || name.starts_with(char::is_uppercase);
            if named {
                add(&mut found, name, kind);
            }
            // Its words are not read again; its place stays.
            rest.replace_range(whole.range(), &" ".repeat(whole.len()));
        }
    }
    let tokens = tokens(&rest);
    names(&rest, &tokens, &mut found);
    let mut spoken = Vec::new();
    roles(&rest, &tokens, &mut spoken);
    for entity in spoken {
        add(&mut found, &entity.name, entity.kind);
    }
    found
}

fn add(found: &mut Vec<Entity>, name: &str, kind: Kind) {
    let known = found
        .iter()
        .any(|entity| entity.name.to_lowercase() == name.to_lowercase());
    if !known && found.len() < MOST && !name.is_empty() && name.len() <= LONGEST {
        found.push(Entity {
            name: name.to_owned(),
            kind,
        });
    }
}

/// Whether a word may be part of a name.
fn nameable(token: &Token<'_>) -> bool {
    let lower = token.lower();
    let lower = lower.strip_suffix("'s").unwrap_or(&lower);
    token.capital() && !NO_NAMES.contains(lower) && !(stop(lower) && token.text.len() > 1)
}

/// Runs of capitalised words, with what joins them.
fn names(text: &str, tokens: &[Token<'_>], found: &mut Vec<Entity>) {
    let mut at = 0;
    while at < tokens.len() {
        if !nameable(&tokens[at]) {
            at += 1;
            continue;
        }
        let mut end = at + 1;
        loop {
            let near = |n: usize| tokens.get(n).filter(|token| !token.apart && !token.first);
            let next = near(end);
            if next.is_some_and(nameable) {
                end += 1;
            } else if next
                .is_some_and(|t| matches!(t.text, "of" | "the" | "de" | "von" | "van" | "la"))
                && near(end + 1).is_some_and(nameable)
                && end + 1 > at
            {
                end += 2;
            } else {
                break;
            }
        }
        // A sentence begins with a capital whatever its first word is.
        let alone = end == at + 1 && tokens[at].first;
        if !alone || elsewhere(tokens, at) {
            let name = &text[tokens[at].start..tokens[end - 1].end()];
            let name = name
                .strip_suffix("'s")
                .or(name.strip_suffix("’s"))
                .unwrap_or(name);
            add(found, name, kind(tokens, at, end));
        }
        at = end;
    }
}

/// Whether a sentence's first word is a name: it is written so within a sentence too,
/// or what follows is what people do.
fn elsewhere(tokens: &[Token<'_>], at: usize) -> bool {
    let word = tokens[at].text;
    let bare = word.strip_suffix("'s").or(word.strip_suffix("’s"));
    let again = tokens
        .iter()
        .enumerate()
        .any(|(n, token)| n != at && !token.first && token.text == bare.unwrap_or(word));
    let does = tokens
        .get(at + 1)
        .filter(|token| !token.first && !token.apart)
        .is_some_and(|next| {
            matches!(
                next.text,
                "is" | "was"
                    | "has"
                    | "said"
                    | "says"
                    | "told"
                    | "and"
                    | "loves"
                    | "likes"
                    | "wants"
                    | "thinks"
                    | "called"
                    | "asked"
                    | "got"
                    | "went"
                    | "will"
                    | "works"
                    | "lives"
                    | "moved"
                    | "came"
            )
        });
    let lower = token_lower(word);
    again || does && !ordinary(&lower)
}

fn token_lower(word: &str) -> String {
    word.to_lowercase()
}

/// Words that begin sentences and are no names.
fn ordinary(lower: &str) -> bool {
    let stem = stem(lower);
    stop(lower)
        || lexicon::PERSONAL.contains(&stem)
        || lexicon::RELATED.contains_key(&stem)
        || lexicon::EVENTS.contains_key(&stem)
        || lexicon::EMOTIONS.contains_key(&stem)
        || ROLES.contains(&stem)
        || lower.ends_with("ing")
        || lower.ends_with("ly")
}

/// What a name is of, by its last word and the words before it.
fn kind(tokens: &[Token<'_>], at: usize, end: usize) -> Kind {
    let last = tokens[end - 1].lower();
    let first = tokens[at].lower();
    if lexicon::ORGANIZATIONS.contains(&last) {
        return Kind::Organization;
    }
    if lexicon::PLACES.contains(&last) {
        return Kind::Place;
    }
    if matches!(
        first.as_str(),
        "dr" | "mr" | "mrs" | "ms" | "aunt" | "uncle" | "professor" | "prof"
    ) {
        return Kind::Person;
    }
    if matches!(
        last.as_str(),
        "festival" | "marathon" | "conference" | "pride" | "day" | "cup"
    ) {
        return Kind::Event;
    }
    let before = |n: usize| {
        at.checked_sub(n)
            .map(|at| tokens[at].lower())
            .unwrap_or_default()
    };
    match before(1).as_str() {
        "at" | "for" | "joined" | "join" => Kind::Organization,
        "in" | "to" | "from" | "near" | "visit" | "visited" | "visiting" | "around" | "across" => {
            Kind::Place
        }
        "the" => Kind::Other,
        "with" | "and" | "named" | "called" | "told" | "met" | "meet" | "meeting" | "asked"
        | "by" | "thanks" | "hi" | "hey" => Kind::Person,
        word if RELATIONS.contains(word) => Kind::Person,
        _ => match tokens
            .get(end)
            .filter(|token| !token.first)
            .map(Token::lower)
            .as_deref()
        {
            Some(
                "is" | "said" | "says" | "told" | "loves" | "likes" | "wants" | "thinks" | "and"
                | "works" | "lives",
            ) => Kind::Person,
            _ => Kind::Other,
        },
    }
}

/// "engineering manager", "my sister".
fn roles(text: &str, tokens: &[Token<'_>], found: &mut Vec<Entity>) {
    for (at, token) in tokens.iter().enumerate() {
        let lower = token.lower();
        let before = at
            .checked_sub(1)
            .map(|n| &tokens[n])
            .filter(|_| !token.first && !token.apart);
        if RELATIONS.contains(&lower) {
            let mine = before.is_some_and(|token| {
                matches!(
                    token.lower().as_str(),
                    "my" | "our" | "her" | "his" | "their"
                )
            });
            if mine && found.len() < MOST {
                let (name, kind) = (token.text.to_lowercase(), Kind::Person);
                found.push(Entity { name, kind });
            }
        } else if ROLES.contains(&stem(&lower)) && !token.capital() {
            // "to lead", "to judge" are verbs.
            let verb = before.is_some_and(|t| {
                matches!(
                    t.lower().as_str(),
                    "to" | "will" | "can" | "i" | "we" | "they" | "you"
                )
            });
            if verb {
                continue;
            }
            let start = before
                .filter(|token| {
                    !stop(&token.lower())
                        && !token.capital()
                        && !token.number()
                        && modifies(&token.lower())
                })
                .map_or(token.start, |token| token.start);
            let name = &text[start..token.end()];
            found.push(Entity {
                name: name.to_owned(),
                kind: Kind::Role,
            });
        }
    }
}

/// Whether a word before a role belongs to it: "software engineer", not "met doctors".
fn modifies(lower: &str) -> bool {
    lower.len() > 2
        && !lower.ends_with("ed")
        && !lexicon::IRREGULAR.contains_key(lower)
        && !matches!(
            lower,
            "new" | "old" | "great" | "good" | "best" | "amazing" | "favorite" | "former" | "local"
        )
}

/// The entity among those known that a name means: the same but for case, or nearly so
/// and of the same kind.
pub fn known<'a>(
    name: &str,
    kind: Kind,
    mut all: impl Iterator<Item = (&'a str, Kind)> + Clone,
) -> Option<usize> {
    let folded = name.to_lowercase();
    let same = all
        .clone()
        .position(|(other, _)| other.to_lowercase() == folded);
    same.or_else(|| {
        all.position(|(other, its)| {
            its == kind
                && folded.len() > 4
                && strsim::jaro_winkler(&other.to_lowercase(), &folded) >= ALIKE
        })
    })
}

/// The domain of life that most words speak of; `other` when none does. The first in
/// the list wins a tie.
pub fn domain(content: &str) -> &'static str {
    let stems = super::text::terms(content);
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

/// The longest summary, in characters.
const SUMMARY: usize = 160;

/// The first sentence, at most 160 characters of it.
pub fn summary(content: &str) -> String {
    let content = content.trim();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, &'static str)> {
        extract(text)
            .into_iter()
            .map(|e| (e.name, e.kind.name()))
            .collect()
    }

    fn pairs(list: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
        list.iter()
            .map(|(name, kind)| ((*name).to_owned(), *kind))
            .collect()
    }

    #[test]
    fn the_published_example() {
        assert_eq!(
            found(
                "I just got promoted to engineering manager at Dataflow. My team is 12 people now."
            ),
            pairs(&[
                ("Dataflow", "organization"),
                ("engineering manager", "role")
            ])
        );
    }

    #[test]
    fn kinds_follow_their_cues() {
        for (text, wanted) in [
            (
                "We flew to New Zealand in May.",
                &[("New Zealand", "place")][..],
            ),
            (
                "My sister Ana works at Mercy Hospital.",
                &[
                    ("Ana", "person"),
                    ("Mercy Hospital", "organization"),
                    ("sister", "person"),
                ],
            ),
            (
                "I read \"The Left Hand of Darkness\" twice.",
                &[("The Left Hand of Darkness", "product")],
            ),
            ("Dr. Patel said I need rest.", &[("Patel", "person")]),
            (
                "She is a software engineer.",
                &[("software engineer", "role")],
            ),
            (
                "mail me at a.b@example.com",
                &[("a.b@example.com", "person")],
            ),
            ("Great. Thanks! On Monday I rest.", &[]),
            (
                "We saw the Bank of England.",
                &[("Bank of England", "other")],
            ),
            (
                "Biscuit is my dog. I walk Biscuit daily.",
                &[("Biscuit", "person")],
            ),
        ] {
            assert_eq!(found(text), pairs(wanted), "{text}");
        }
    }

    #[test]
    fn names_that_are_nearly_the_same_are_one() {
        let all = [("Katherine", Kind::Person), ("Leeds", Kind::Place)];
        assert_eq!(known("katherine", Kind::Other, all.into_iter()), Some(0));
        assert_eq!(known("Katharine", Kind::Person, all.into_iter()), Some(0));
        assert_eq!(known("Katharine", Kind::Place, all.into_iter()), None);
        assert_eq!(known("Leads", Kind::Place, all.into_iter()), None);
    }

    #[test]
    fn labels_are_short() {
        let text =
            "I just got promoted to engineering manager at Dataflow. My team is 12 people now.";
        assert_eq!(domain(text), "work");
        assert_eq!(topic(text), "promoted engineering");
        assert_eq!(
            summary(text),
            "I just got promoted to engineering manager at Dataflow."
        );
        assert_eq!(domain("The sky."), "other");
        assert_eq!(topic(""), "");
        let long = summary(&"many words ".repeat(40));
        assert!(long.chars().count() <= 160 && long.ends_with('…'));
        assert_eq!(summary("Dr. Lee came. I left."), "Dr. Lee came.");
    }

    #[test]
    fn what_is_found_is_bounded() {
        let text: String = (0..500).map(|n| format!("see Name{n}x, ")).collect();
        assert!(extract(&text).len() <= MOST);
    }
}
