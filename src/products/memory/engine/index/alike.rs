//! Memories that say what a new one says, or speak of what it speaks of.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;
use uuid::Uuid;

use super::super::duplicates;
use super::super::entities;
use super::super::text;
use super::super::times::day;
use super::signs::ASKS;
use super::{Index, role};

/// From which share of common words a memory counts as coming back.
const AGAIN: f64 = 0.6;
/// Memories that hold a word, beyond which the word says too little to look there.
const COMMON: usize = 2000;

/// What a memory speaks of, as far as two are told to be on one subject.
#[derive(Debug, Default)]
pub struct Subject {
    speaker: Option<u16>,
    /// Its words, sorted and each once.
    words: Vec<u32>,
}

/// Words of one memory that its subject is told by.
const SUBJECT: usize = 64;

impl Subject {
    /// Whether both are of one speaker and share at least half of the words of the
    /// shorter.
    pub fn same(&self, other: &Self) -> bool {
        let shared = self
            .words
            .iter()
            .filter(|word| other.words.binary_search(word).is_ok())
            .count();
        let least = self.words.len().min(other.words.len());
        self.speaker.is_some() && self.speaker == other.speaker && shared > 0 && 2 * shared >= least
    }
}

impl Index {
    /// What a memory speaks of; a question speaks of nothing.
    pub fn subject(&self, id: Uuid) -> Subject {
        let kept = self.ids.get(&id).and_then(|slot| self.at(*slot));
        let Some(kept) = kept.filter(|kept| kept.flags & ASKS == 0) else {
            return Subject::default();
        };
        let mut words: Vec<u32> = kept.words.iter().copied().take(SUBJECT).collect();
        words.sort_unstable();
        words.dedup();
        Subject {
            speaker: Some(kept.speaker),
            words,
        }
    }

    /// The memory that a new one of a speaker repeats, if there is one: the newest.
    pub fn duplicate(&self, content: &str, speaker: Option<&str>, at: i64) -> Option<Uuid> {
        let (named, said) = text::speaker(content);
        let told = speaker.filter(|name| !role(name));
        let speaker = told.or(named).or(speaker).unwrap_or_default();
        let speaker = speaker.trim().to_lowercase();
        let form = duplicates::form(said)?;
        self.alike(said, duplicates::ALIKE)
            .into_iter()
            .filter_map(|(slot, _)| self.at(slot))
            .filter(|kept| kept.form == form.hash)
            .filter(|kept| at.saturating_sub(kept.at).saturating_abs() < form.within)
            .filter(|kept| {
                let its = self.speakers.get(kept.speaker as usize);
                its.is_some_and(|(name, _)| **name == *speaker)
            })
            .max_by(|a, b| a.at.cmp(&b.at).then(b.id.cmp(&a.id)))
            .map(|kept| kept.id)
    }

    /// In how many sessions other than its own (UTC days where there are none) a memory
    /// shares a name with a new one or is like it.
    pub fn recurrence(&self, content: &str, session: Option<&str>, at: i64) -> u32 {
        let (_, said) = text::speaker(content);
        let mut slots: HashSet<u32, FixedState> = self
            .alike(said, AGAIN)
            .into_iter()
            .map(|(slot, _)| slot)
            .collect();
        for name in entities::names(said) {
            slots.extend(self.holding(&text::terms(&name)));
        }
        let own = session
            .and_then(|name| self.sessions.get(name).copied())
            .unwrap_or_default();
        let places: HashSet<(u32, i32), FixedState> = slots
            .into_iter()
            .filter_map(|slot| self.at(slot))
            .map(|kept| {
                if kept.session == 0 {
                    (0, day(kept.at))
                } else {
                    (kept.session, 0)
                }
            })
            .filter(|place| *place != (own, if own == 0 { day(at) } else { 0 }))
            .collect();
        places.len() as u32
    }

    /// Slots that hold all of some terms.
    pub(super) fn holding(&self, terms: &[String]) -> Vec<u32> {
        let numbers: Option<Vec<u32>> = terms
            .iter()
            .map(|term| self.vocabulary.get(term.as_str()).copied())
            .collect();
        let numbers = numbers.unwrap_or_default();
        let postings = numbers
            .iter()
            .filter_map(|number| self.postings.get(*number as usize));
        let rarest = postings.min_by_key(|postings| postings.len());
        rarest
            .into_iter()
            .flatten()
            .map(|posting| posting >> 8)
            .filter(|slot| {
                let words = self.at(*slot).map(|kept| &kept.words);
                words.is_some_and(|words| numbers.iter().all(|number| words.contains(number)))
            })
            .collect()
    }

    /// Slots whose stems have at least a share in common with a text's.
    fn alike(&self, said: &str, least: f64) -> Vec<(u32, f64)> {
        let mut terms = text::terms(said);
        terms.sort_unstable();
        terms.dedup();
        let mut common: HashMap<u32, u32, FixedState> = HashMap::default();
        for term in &terms {
            let number = self.vocabulary.get(term.as_str());
            let postings = number.and_then(|number| self.postings.get(*number as usize));
            for posting in postings.into_iter().flatten().take(COMMON) {
                *common.entry(posting >> 8).or_default() += 1;
            }
        }
        common
            .into_iter()
            .filter_map(|(slot, both)| {
                let mut words = self.at(slot)?.words.to_vec();
                words.sort_unstable();
                words.dedup();
                let either = terms.len() + words.len() - both as usize;
                let share = f64::from(both) / either.max(1) as f64;
                (share >= least).then_some((slot, share))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::super::super::DAY;
    use super::super::{Document, Reading, Tuning};
    use super::*;
    use crate::products::memory::engine::decay::State;

    fn index(lines: &[(&str, &str, i64)]) -> Index {
        let mut index = Index::default();
        for (n, (session, content, day)) in lines.iter().enumerate() {
            index.insert(&Document {
                id: Uuid::from_u128(n as u128),
                session: (!session.is_empty()).then_some(session),
                at: day * DAY,
                reading: Reading::of(content, None, day * DAY),
                state: State::default(),
                spikes: &[],
                pinned: false,
            });
        }
        index
    }

    #[test]
    fn what_is_said_again_by_the_same_is_found() {
        let index = index(&[
            ("a", "Ana: My dog is called Biscuit.", 1),
            ("a", "Ben: I love hiking.", 1),
        ]);
        let found = |text: &str| index.duplicate(text, None, 2 * DAY).map(|id| id.as_u128());
        assert_eq!(found("Ana: my dog is called Biscuit!"), Some(0));
        assert_eq!(found("Ben: My dog is called Biscuit."), None);
        assert_eq!(found("Ben: I don't love hiking."), None);
        assert_eq!(
            index
                .duplicate("I love hiking", Some("Ben"), DAY)
                .map(|id| id.as_u128()),
            Some(1)
        );
        assert_eq!(found("it is what it is"), None);
        let again = index.duplicate("Ben: I love hiking.", Some("user"), DAY);
        assert_eq!(again.map(|id| id.as_u128()), Some(1));
        // What was so long ago may have been otherwise since.
        let later = index.duplicate("Ben: I love hiking.", None, 90 * DAY);
        assert_eq!(later, None);
    }

    #[test]
    fn what_was_put_right_is_kept() {
        let said = "My appointment with Doctor Patel at Leeds General Infirmary about my left knee surgery \
                    follow-up scan results is in ward 3 near the east car park entrance.";
        let index = index(&[("", said, 1), ("", "I went to the dentist.", 1)]);
        let found = |text: &str, day: i64| {
            let found = index.duplicate(text, None, day * DAY);
            found.map(|id| id.as_u128())
        };
        assert_eq!(found(said, 1), Some(0));
        assert_eq!(found(&said.replace("ward 3", "ward 5"), 1), None);
        assert_eq!(found("I went to the dentist", 1), Some(1));
        assert_eq!(found("I went to the dentist", 36), None);
    }

    #[test]
    fn a_reading_is_kept() {
        let content = "Ana: I moved to Leeds on 8 May, 2021. And you?";
        let reading = Reading::of(content, Some("user"), DAY);
        let bytes = reading.encode_to_vec();
        assert_eq!(Reading::kept(&bytes), Some(reading));
        assert_eq!(Reading::kept(&[]), None);
        assert_eq!(Reading::kept(&bytes[..bytes.len() - 1]), None);
    }

    /// Whatever was put in and taken out before, what is left answers as a new index
    /// of it would.
    #[test]
    fn history_leaves_no_trace() {
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |limit: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % limit
        };
        let words = [
            "boat", "garden", "Katya", "seventy", "letters", "swim", "Oslo", "tea",
        ];
        let mut index = Index::default();
        let mut live: Vec<(u64, String, i64)> = Vec::new();
        for number in 0..600 {
            if below(3) == 0 && !live.is_empty() {
                let (id, ..) = live.remove(below(live.len() as u64) as usize);
                assert!(index.remove(Uuid::from_u128(id.into())));
                continue;
            }
            let said: Vec<_> = (0..=below(6)).map(|_| words[below(8) as usize]).collect();
            live.push((number, said.join(" "), below(20) as i64 * 600_000_000));
            insert(&mut index, live.last().unwrap());
        }
        let mut fresh = Index::default();
        for memory in &live {
            insert(&mut fresh, memory);
        }
        for asked in [
            "Who swam to Oslo?",
            "Katya's garden and tea",
            "letters",
            "seventy boats",
        ] {
            let found = |index: &Index| {
                index.search(&index.question(asked, 9 * DAY), &Tuning::default(), 50)
            };
            assert_eq!(found(&index), found(&fresh), "{asked}");
        }
        assert_eq!(index.len(), live.len());
    }

    fn insert(index: &mut Index, (id, content, at): &(u64, String, i64)) {
        index.insert(&Document {
            id: Uuid::from_u128((*id).into()),
            session: None,
            at: *at,
            reading: Reading::of(content, None, *at),
            state: State::default(),
            spikes: &[],
            pinned: false,
        });
    }

    #[test]
    fn sessions_are_counted_once() {
        let lines = [
            ("a", "I met Katya today.", 1),
            ("a", "We saw Katya again.", 1),
            ("b", "Lunch with Katya.", 2),
            ("", "A call from Katya.", 3),
            ("", "Then Katya left.", 3),
        ];
        let index = index(&lines);
        assert_eq!(index.recurrence("I wrote to Katya.", Some("c"), 9 * DAY), 3);
        assert_eq!(index.recurrence("I wrote to Katya.", Some("b"), 9 * DAY), 2);
        assert_eq!(index.recurrence("I wrote to Katya.", None, 3 * DAY), 2);
        assert_eq!(index.recurrence("Nothing of it.", None, 3 * DAY), 0);
    }
}
