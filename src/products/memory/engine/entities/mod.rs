//! What a text names: people, organizations, places, roles and more, by capitals, cue
//! words and word lists; and its domain of life, its topic and its summary.

mod labels;
mod names;

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

pub use self::labels::{domain, summary, topic};
use super::text::tokens;

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
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Person,
        Self::Organization,
        Self::Place,
        Self::Role,
        Self::Product,
        Self::Event,
        Self::Other,
    ];

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
        Self::ALL.into_iter().find(|kind| kind.name() == name)
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
    let (mut found, rest) = marked(content);
    let tokens = tokens(&rest);
    names::names(&rest, &tokens, &mut found);
    let mut spoken = Vec::new();
    names::roles(&rest, &tokens, &mut spoken);
    for entity in spoken {
        add(&mut found, &entity.name, entity.kind);
    }
    found
}

/// The names alone that a text has.
pub(super) fn names(content: &str) -> Vec<String> {
    let (mut found, rest) = marked(content);
    names::names(&rest, &tokens(&rest), &mut found);
    let capital = |entity: &Entity| entity.name.starts_with(char::is_uppercase);
    found.retain(capital);
    found.into_iter().map(|entity| entity.name).collect()
}

/// What marks itself as a name, and the text without it: what was quoted, addresses.
fn marked(content: &str) -> (Vec<Entity>, Cow<'_, str>) {
    let mut found: Vec<Entity> = Vec::new();
    let mut rest = Cow::Borrowed(content);
    if !content.contains(['"', '“', '@']) && !content.contains("://") {
        return (found, rest);
    }
    let Some(marked) = MARKED.as_ref() else {
        return (found, rest);
    };
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
        if kind != Kind::Product || name.starts_with(char::is_uppercase) {
            add(&mut found, name, kind);
        }
        // Its words are not read again; its place stays.
        rest.to_mut()
            .replace_range(whole.range(), &" ".repeat(whole.len()));
    }
    (found, rest)
}

fn add(found: &mut Vec<Entity>, name: &str, kind: Kind) {
    // A name stands in one line, wherever the text was broken.
    let words = name.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let name = words.join(" ");
    let known = found
        .iter()
        .any(|entity| entity.name.to_lowercase() == name.to_lowercase());
    if !known && found.len() < MOST && !name.is_empty() && name.len() <= LONGEST {
        found.push(Entity { name, kind });
    }
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
            ("Tomorrow Ana and I go hiking.", &[("Ana", "person")]),
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
    fn hyphens_join_names() {
        assert_eq!(
            found("I met Mary-Jane Watson at noon."),
            pairs(&[("Mary-Jane Watson", "person")])
        );
        assert_eq!(
            found("We saw my mother-in-law and my ex-wife."),
            pairs(&[("mother-in-law", "person"), ("ex-wife", "person")])
        );
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
