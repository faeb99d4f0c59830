//! Whether a text says what another said already: the same words of content.

use std::collections::BTreeSet;

use super::text::{Token, denies, only_asks, terms, tokens};

/// From which share of common stems two texts are one memory.
pub const ALIKE: f64 = 0.9;

/// The stems that two texts are compared by, sorted and each once. Text without words
/// of content has none and equals nothing. To deny or to ask is not to say the same.
pub fn stems(content: &str) -> Vec<String> {
    let mut stems: BTreeSet<_> = terms(content).into_iter().collect();
    if stems.is_empty() {
        return Vec::new();
    }
    if tokens(content).iter().map(Token::lower).any(|w| denies(&w)) {
        stems.extend(["!no".to_owned(), "!not".to_owned()]);
    }
    if only_asks(content) {
        stems.extend(["?".to_owned(), "??".to_owned()]);
    }
    stems.into_iter().collect()
}

/// The share of common stems, 0 to 1. Both are as [`stems`] gives them.
pub fn jaccard<S: AsRef<str> + Ord>(a: &[S], b: &[S]) -> f64 {
    let (mut i, mut j, mut both) = (0, 0, 0usize);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                both += 1;
                i += 1;
                j += 1;
            }
        }
    }
    let either = a.len() + b.len() - both;
    if either == 0 {
        0.0
    } else {
        both as f64 / either as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(a: &str, b: &str) -> bool {
        jaccard(&stems(a), &stems(b)) >= ALIKE
    }

    #[test]
    fn the_same_words_are_one_memory() {
        assert!(alike(
            "My dog's name is Biscuit.",
            "my dog is named Biscuit!"
        ));
        assert!(!alike("My dog is Biscuit.", "My cat is Biscuit."));
        assert!(!alike(
            "I moved to Leeds in May.",
            "I moved to Leeds in June."
        ));
        assert!(!alike("I like dogs.", "I don't like dogs."));
        assert!(!alike(
            "I bought the blue car.",
            "Did you buy the blue car?"
        ));
        assert!(!alike("It is what it is.", "That was that."));
    }
}
