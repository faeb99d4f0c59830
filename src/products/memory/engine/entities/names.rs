//! Names by their capitals, what they are of by the words beside them, and roles.

use std::collections::HashSet;
use std::sync::LazyLock;

use foldhash::fast::FixedState;

use super::super::lexicon::{self, RELATIONS, ROLES, Words};
use super::super::text::{Token, stem, stop};
use super::{Entity, Kind, MOST, add};

/// Capitalised words that are no names.
static NO_NAMES: LazyLock<Words> =
    LazyLock::new(|| lexicon::plain(include_str!("../lexicons/titles.txt")));

/// Whether a word may be part of a name.
fn nameable(token: &Token<'_>) -> bool {
    let lower = token.lower();
    let lower = lower.strip_suffix("'s").unwrap_or(&lower);
    token.capital() && !NO_NAMES.contains(lower) && !(stop(lower) && token.text.len() > 1)
}

/// Runs of capitalised words, with what joins them.
pub(super) fn names(text: &str, tokens: &[Token<'_>], found: &mut Vec<Entity>) {
    let within: HashSet<&str, FixedState> = tokens
        .iter()
        .filter(|token| !token.first)
        .map(|token| token.text)
        .collect();
    let mut at = 0;
    while at < tokens.len() && found.len() < MOST {
        if !nameable(&tokens[at]) {
            at += 1;
            continue;
        }
        let mut end = at + 1;
        loop {
            let near = |n: usize| {
                let beside = |token: &&Token<'_>| !token.apart || hyphen(text, tokens, n);
                tokens.get(n).filter(beside).filter(|token| !token.first)
            };
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
        if !alone || elsewhere(tokens, at, &within) {
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

/// Whether only a hyphen stands before a token: "Mary-Jane", "mother-in-law".
fn hyphen(text: &str, tokens: &[Token<'_>], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    let pair = before.zip(tokens.get(at));
    pair.is_some_and(|(before, token)| text.get(before.end()..token.start) == Some("-"))
}

/// Whether a sentence's first word is a name: it is written so within a sentence too,
/// or what follows is what people do.
fn elsewhere(tokens: &[Token<'_>], at: usize, within: &HashSet<&str, FixedState>) -> bool {
    let word = tokens[at].text;
    let bare = word.strip_suffix("'s").or(word.strip_suffix("’s"));
    let again = within.contains(bare.unwrap_or(word));
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
        || lexicon::EVENT_WORDS.contains(&stem)
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
pub(super) fn roles(text: &str, tokens: &[Token<'_>], found: &mut Vec<Entity>) {
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
                let joined = (at + 1..tokens.len()).take_while(|n| hyphen(text, tokens, *n));
                let end = joined.last().map_or(token.end(), |last| tokens[last].end());
                let (name, kind) = (text[token.start..end].to_lowercase(), Kind::Person);
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
