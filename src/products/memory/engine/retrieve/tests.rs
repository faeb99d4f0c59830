//! What is told, over small conversations.

use super::super::DAY;
use super::super::decay::State;
use super::super::index::{Document, Reading};
use super::super::presets;
use super::*;

fn document(id: u128, content: &str) -> Document<'_> {
    Document {
        id: Uuid::from_u128(id),
        session: Some("s"),
        at: id as i64 * 1_000_000,
        reading: Reading::of(content, None, id as i64 * 1_000_000),
        state: State {
            base: 0.3,
            ..State::default()
        },
        spikes: &[],
        pinned: false,
    }
}

fn index(contents: &[&str]) -> Index {
    let mut index = Index::default();
    for (n, content) in contents.iter().enumerate() {
        index.insert(&document(n as u128 + 1, content));
    }
    index
}

fn ask(index: &Index, text: &str, limit: usize) -> Vec<Hit> {
    let profile = &presets::named(presets::DEFAULT).unwrap().effective;
    retrieve(
        index,
        &Request {
            text,
            now: DAY,
            limit,
            profile,
            alike: &[],
        },
    )
}

fn ids(hits: &[Hit]) -> Vec<u128> {
    hits.iter().map(|hit| hit.id.as_u128()).collect()
}

#[test]
fn what_is_asked_comes_first() {
    let index = index(&[
        "Ana: I adopted a dog called Biscuit.",
        "Ben: Lovely weather for the market.",
        "Ana: The bakery opens at nine.",
        "Ben: My brother plays the cello.",
    ]);
    let hits = ask(&index, "What is the name of Ana's dog?", 10);
    assert_eq!(hits[0].id.as_u128(), 1);
    assert_eq!(
        (hits[0].channel, hits[0].confidence),
        (Channel::Relevance, Confidence::High)
    );
    assert_eq!(
        ask(&index, "Which instrument does the brother play?", 1)[0]
            .id
            .as_u128(),
        4
    );
    assert!(hits.iter().all(|hit| (0.0..=1.0).contains(&hit.score)));
}

#[test]
fn nothing_asked_tells_what_matters_and_what_is_new() {
    let mut index = index(&["one apple", "two pears", "three plums"]);
    let lasting = State {
        base: 0.9,
        ..State::default()
    };
    index.update(Uuid::from_u128(2), lasting, &[]);
    let hits = ask(&index, "", 10);
    assert_eq!(hits.len(), 3);
    assert_eq!(
        (hits[0].id.as_u128(), hits[0].channel),
        (2, Channel::Salience)
    );
}

#[test]
fn pinned_is_first_and_hidden_is_never_told() {
    let mut index = index(&["I like apples", "I like apples too", "apples again"]);
    let mut pinned = document(9, "Allergic to nuts");
    pinned.pinned = true;
    index.insert(&pinned);
    index.hide(Uuid::from_u128(2), true);
    assert_eq!(index.about("apple"), [1, 2, 3].map(Uuid::from_u128));
    let hits = ask(&index, "apples?", 10);
    assert_eq!(hits[0].channel, Channel::Pinned);
    assert!(!ids(&hits).contains(&2));
    assert!(ids(&ask(&index, "", 10)).iter().all(|id| *id != 2));
}

#[test]
fn many_pins_leave_room_for_the_answer() {
    let mut index = index(&["The passport is kept in the blue safe behind the piano."]);
    for id in 2..60 {
        let said = format!("Remember that my locker number {id} is green.");
        let mut pinned = document(id, &said);
        pinned.pinned = true;
        index.insert(&pinned);
    }
    for limit in [1, 3, 20, 100] {
        let hits = ask(&index, "passport blue safe", limit);
        let at = hits.iter().position(|hit| hit.id.as_u128() == 1);
        assert_eq!(at, Some(pins(limit)), "{limit}");
        assert_eq!(hits[pins(limit)].channel, Channel::Relevance);
    }
    // One that a question is about is found as any other.
    let hits = ask(&index, "locker number 33", 20);
    assert!(ids(&hits)[..3].contains(&33), "{:?}", ids(&hits));
    // Where nothing is asked, the others matter as others do.
    assert!(ask(&index, "", 20).len() > pins(20) + 5);
}

#[test]
fn the_newer_statement_comes_first() {
    for (asked, old, new) in [
        (
            "What is my favourite colour?",
            "My favourite colour is green.",
            "My favourite colour is purple these days, I think.",
        ),
        (
            "Do I have a car?",
            "I have no car.",
            "I bought a car on Monday.",
        ),
    ] {
        let mut said = vec![old];
        said.extend(["Lovely weather.", "The bakery opens at nine."].repeat(10));
        said.push(new);
        said.extend(["The cello is loud.", "Trains are late."].repeat(10));
        let hits = ask(&index(&said), asked, 5);
        assert_eq!(ids(&hits)[..2], [22, 1], "{asked} {hits:?}");
        assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
    }
    // What fits better is first, however old it is.
    let index = index(&["Ana: My dog is called Biscuit.", "Ana: A dog barked."]);
    assert_eq!(ids(&ask(&index, "What is Ana's dog called?", 2)), [1, 2]);
}

#[test]
fn what_is_taken_out_leaves_nothing() {
    let mut whole = index(&[
        "a red house",
        "a blue house",
        "a green house",
        "the blue sea",
    ]);
    whole.remove(Uuid::from_u128(2));
    assert!(!ids(&ask(&whole, "blue house", 10)).contains(&2));
    whole.insert(&document(2, "a blue house"));
    let fresh = index(&[
        "a red house",
        "a blue house",
        "a green house",
        "the blue sea",
    ]);
    assert_eq!(
        ids(&ask(&whole, "blue house", 10)),
        ids(&ask(&fresh, "blue house", 10))
    );
    for id in 1..=4 {
        whole.remove(Uuid::from_u128(id));
    }
    assert!(whole.is_empty() && ask(&whole, "blue house", 10).is_empty());
}

#[test]
fn days_in_a_question_are_met() {
    let mut index = Index::default();
    let base = 19_480 * DAY;
    for n in 0..40 {
        let mut document = document(n + 1, "Ana: We went for a walk and had a chat.");
        document.at = base + n as i64 * 7 * DAY;
        index.insert(&document);
    }
    let wanted = index.time(Uuid::from_u128(12)).unwrap();
    let asked = format!(
        "Where did Ana walk on {}?",
        super::super::times::shown(wanted)
    );
    assert_eq!(ask(&index, &asked, 3)[0].id.as_u128(), 12);
}

#[test]
fn an_embedder_is_heard_beside_the_words() {
    let index = index(&["feline companion", "a dog barks", "the weather"]);
    let profile = &presets::named(presets::DEFAULT).unwrap().effective;
    let alike = [(1, 0.9), (2, 0.2), (3, 0.1)].map(|(id, c)| (Uuid::from_u128(id), c));
    let request = Request {
        text: "cat",
        now: DAY,
        limit: 3,
        profile,
        alike: &alike,
    };
    assert_eq!(retrieve(&index, &request)[0].id.as_u128(), 1);
}

#[test]
fn the_same_is_answered_the_same() {
    let text: Vec<String> = (0..300)
        .map(|n| format!("thing {} and {}", n % 7, n % 11))
        .collect();
    let text: Vec<&str> = text.iter().map(String::as_str).collect();
    let first = ask(&index(&text), "things 3 and 5", 100);
    assert_eq!(first, ask(&index(&text), "things 3 and 5", 100));
    assert_eq!(first.len(), 100);
}
