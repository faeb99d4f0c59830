//! Which memories are told whatever is asked: those that ask for it themselves, and
//! allergies. Only what is told to do counts; what merely begins with such a word
//! ("Never mind", "Remember when we met?") does not.

use super::text::{Token, denies, only_asks, tokens};

/// Whether a text says itself that it is to be kept in mind.
pub fn insists(content: &str) -> bool {
    let tokens = tokens(content);
    let mut starts: Vec<usize> = (0..tokens.len()).filter(|at| tokens[*at].first).collect();
    starts.push(tokens.len());
    starts.windows(2).any(|pair| {
        let (Some(first), Some(last)) = (tokens.get(pair[0]), tokens.get(pair[1] - 1)) else {
            return false;
        };
        let next = tokens.get(pair[1]).map_or(content.len(), |next| next.start);
        let words: Vec<String> = tokens[pair[0]..pair[1]].iter().map(Token::lower).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let asked = only_asks(&content[first.start..next.max(last.end())]);
        !asked && (orders(&words) || allergic(&words))
    })
}

/// Whether a sentence tells to do something from now on.
fn orders(words: &[&str]) -> bool {
    let polite = |word: &&str| matches!(*word, "please" | "ok" | "okay" | "also" | "and" | "so");
    let skipped = words.iter().take_while(|word| polite(word)).count();
    let asked = words[..skipped].contains(&"please");
    match &words[skipped..] {
        ["remember" | "note", rest @ ..]
        | ["don't" | "dont" | "never", "forget", rest @ ..]
        | ["do", "not", "forget", rest @ ..]
        | ["keep" | "bear", "in", "mind", rest @ ..]
        | ["always", "remember", rest @ ..] => fact(rest),
        ["from", "now", "on", rest @ ..] => {
            rest.first().is_some_and(|verb| wish(verb)) && mine(rest) || orders(rest)
        }
        ["always" | "never", "mind" | "forget" | "remember", ..] => false,
        ["never", "call", ..] => true,
        ["always" | "never", verb, rest @ ..] => wish(verb) && (asked || mine(rest) || way(rest)),
        _ => false,
    }
}

/// Whether what is to be remembered is a fact rather than an occasion of the past.
fn fact(words: &[&str]) -> bool {
    match words {
        ["that" | "this", subject, ..] => {
            subject_of(subject) || matches!(*subject, "the" | "a" | "an" | "it" | "there" | "no")
        }
        [subject, ..] => subject_of(subject),
        [] => false,
    }
}

fn subject_of(word: &str) -> bool {
    let word = word.split('\'').next().unwrap_or(word);
    matches!(
        word,
        "i" | "im" | "ive" | "my" | "we" | "our" | "me" | "he" | "she" | "they" | "his" | "her"
    )
}

/// What one asks of an assistant.
fn wish(verb: &str) -> bool {
    matches!(
        verb,
        "address"
            | "answer"
            | "ask"
            | "assume"
            | "book"
            | "call"
            | "give"
            | "include"
            | "mention"
            | "offer"
            | "order"
            | "recommend"
            | "refer"
            | "remind"
            | "reply"
            | "respond"
            | "schedule"
            | "send"
            | "share"
            | "show"
            | "speak"
            | "suggest"
            | "talk"
            | "tell"
            | "use"
            | "write"
    )
}

fn mine(words: &[&str]) -> bool {
    words
        .iter()
        .any(|word| matches!(*word, "me" | "my" | "us" | "our"))
}

/// How something is to be said: "in French", "with sources".
fn way(words: &[&str]) -> bool {
    matches!(words, ["in" | "with" | "without", _, ..])
}

/// Whether a sentence states an allergy.
fn allergic(words: &[&str]) -> bool {
    words.iter().enumerate().any(|(at, word)| {
        let before = &words[at.saturating_sub(4)..at];
        let after = words.get(at + 1).copied().unwrap_or_default();
        let has = before.iter().any(|word| {
            matches!(
                *word,
                "have" | "has" | "had" | "got" | "with" | "severe" | "serious" | "bad" | "deadly"
            )
        });
        let stated = match *word {
            "allergic" => matches!(after, "to" | "reaction") || after.is_empty(),
            "allergy" | "allergies" => after == "to" || has && !thing(after),
            "anaphylaxis" | "anaphylactic" => true,
            _ => false,
        };
        stated && !before.iter().any(|word| denies(word) || *word == "if")
    })
}

/// What an allergy is only the kind of: "allergy pills".
fn thing(word: &str) -> bool {
    matches!(
        word,
        "pill"
            | "pills"
            | "tablets"
            | "medicine"
            | "medication"
            | "meds"
            | "season"
            | "test"
            | "tests"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_to_do_is_pinned() {
        for text in [
            "Remember that my sister is vegan.",
            "Please remember my locker number is 12.",
            "remember: I work nights",
            "Don't forget that we moved.",
            "Keep in mind that the baby sleeps at seven.",
            "Always call me Bob.",
            "Never call me before noon.",
            "Hi there. Please always answer in French.",
            "Never suggest pork to me.",
            "From now on call me Max.",
            "Always answer with sources.",
            "I am allergic to peanuts.",
            "Allergic to nuts",
            "My son has a severe nut allergy.",
            "Remember I eat no nuts, I am allergic.",
        ] {
            assert!(insists(text), "{text}");
        }
    }

    #[test]
    fn what_only_begins_so_is_not() {
        for text in [
            "Never mind, it is fine.",
            "Always a pleasure talking to you",
            "Remember when we went to Rome by train?",
            "Remember that time in Rome",
            "Remember my old car?",
            "Never been to Spain.",
            "Never again!",
            "Always the same with trains",
            "Always use a sharp knife.",
            "Remember the Alamo",
            "I remember that my aunt sang.",
            "Are you allergic to anything?",
            "I am not allergic to cats.",
            "I forgot to buy my allergy pills.",
            "Allergy season is here.",
            "",
        ] {
            assert!(!insists(text), "{text}");
        }
    }
}
