//! A search: BM25 over stems, then what the memories around, the speaker and the days
//! say, and other words of the best.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use uuid::Uuid;

use super::super::times::{Span, day};
use super::signs::{ASKS, HIDDEN, LEADS, OWN, TIMED};
use super::{Index, Kept, NONE, Question, TOGETHER, Tuning, slot};

/// A memory that a search found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Its id.
    pub id: Uuid,
    /// When it was said, in microseconds.
    pub at: i64,
    /// How well it fits: larger is better, only comparable within one search.
    pub score: f32,
    /// The share of the question's words, by rarity, that it or its neighbours hold.
    pub coverage: f32,
}

/// Words of one memory that others are looked for by.
const LOOKED_AT: usize = 200;

struct Search<'a> {
    index: &'a Index,
    tuning: &'a Tuning,
    question: &'a Question,
    /// By slot: the sum over words.
    total: Vec<f32>,
    /// Slots with a sum.
    touched: Vec<u32>,
    /// By slot, for one word at a time: what a memory itself gives.
    here: Vec<f32>,
    /// The same for the sum of what it and those around give.
    sum: Vec<f32>,
    /// By slot: the rarity of the words that it or those around hold.
    covered: Vec<f32>,
    mean: f32,
}

impl Index {
    /// The memories a question is about, best first, at most as many as asked for.
    pub fn search(&self, question: &Question, tuning: &Tuning, limit: usize) -> Vec<Found> {
        if self.is_empty() || limit == 0 {
            return Vec::new();
        }
        let slots = self.kept.len();
        let mut search = Search {
            index: self,
            tuning,
            question,
            total: vec![0.0; slots],
            touched: Vec::new(),
            here: vec![0.0; slots],
            sum: vec![0.0; slots],
            covered: vec![0.0; slots],
            mean: (self.words as f32 / self.len() as f32).max(1.0),
        };
        let whole = search.words();
        search.days();
        let mut best = search.ranked(limit.max(tuning.seeds), whole);
        if tuning.expansion > 0.0 && search.expand(&best) {
            best = search.ranked(limit, whole);
        }
        best.truncate(limit);
        best
    }

    /// How rare a number of memories is among all.
    fn rarity(&self, count: usize) -> f32 {
        let (all, count) = (self.len() as f32, count as f32);
        ((all - count + 0.5) / (count + 0.5)).max(0.0).ln_1p()
    }

    /// How many memories hold a term.
    pub(super) fn held(&self, term: u32) -> usize {
        self.postings.get(term as usize).map_or(0, Vec::len)
    }

    /// The memory before or after, when they belong together.
    pub(super) fn neighbour(&self, kept: &Kept, link: u32) -> Option<(u32, &Kept)> {
        let other = (link != NONE).then(|| self.at(link)).flatten()?;
        let together = kept.session != 0 || (kept.at - other.at).abs() <= TOGETHER;
        together.then_some((link, other))
    }
}

impl Search<'_> {
    fn add(&mut self, slot: usize, score: f32) {
        if let Some(total) = self.total.get_mut(slot) {
            if *total == 0.0 {
                self.touched.push(slot as u32);
            }
            *total += score;
        }
    }

    /// The question's words, each with what it may mean; the sum of their rarity.
    fn words(&mut self) -> f32 {
        let mut whole = 0.0;
        let question = self.question;
        let (related, meant) = (self.tuning.related, self.tuning.meant);
        for word in &question.words {
            let mut found = Vec::new();
            let rarity = self.term(&word.stem, 1.0, &mut found);
            whole += rarity;
            for (stems, share) in [(&word.related, related), (&word.meant, meant)] {
                for stem in stems.iter().filter(|_| share > 0.0) {
                    self.term(stem, share, &mut found);
                }
            }
            // In the order memories were made, so that sums round alike in any index.
            found.sort_unstable_by_key(|slot| self.index.at(*slot).map(|kept| kept.made));
            self.spread(&found, rarity);
        }
        whole
    }

    /// Notes one term's part where it is the largest of its word; returns its rarity.
    fn term(&mut self, stem: &str, share: f32, found: &mut Vec<u32>) -> f32 {
        let index = self.index;
        let number = index.vocabulary.get(stem).copied();
        let postings = number.and_then(|number| index.postings.get(number as usize));
        let Some(postings) = postings else {
            return index.rarity(0);
        };
        let rarity = index.rarity(postings.len());
        let (k1, b) = (self.tuning.k1, self.tuning.b);
        for posting in postings {
            let Some(kept) = index.at(posting >> 8) else {
                continue;
            };
            let count = (posting & 255) as f32;
            let long = 1.0 - b + b * kept.words.len() as f32 / self.mean;
            let part = share * rarity * count * (k1 + 1.0) / (count + k1 * long);
            if let Some(here) = self.here.get_mut(slot(*posting)) {
                if *here == 0.0 {
                    found.push(posting >> 8);
                }
                *here = here.max(part);
            }
        }
        rarity
    }

    /// Adds one word's part to the memories that hold it and those around them.
    fn spread(&mut self, found: &[u32], rarity: f32) {
        let mut reached = Vec::with_capacity(found.len() * 4);
        let tuning = self.tuning;
        for slot in found {
            let part = self
                .here
                .get_mut(*slot as usize)
                .map(std::mem::take)
                .unwrap_or_default();
            self.give(*slot, part, &mut reached);
            let Some(kept) = self.index.at(*slot) else {
                continue;
            };
            let answer = if kept.flags & LEADS != 0 {
                tuning.answer
            } else {
                tuning.neighbour
            };
            for (forward, beside) in [(false, tuning.neighbour), (true, answer)] {
                let mut last = kept;
                for share in [beside, tuning.further] {
                    let link = if forward { last.after } else { last.before };
                    let Some((next, other)) = self.index.neighbour(last, link) else {
                        break;
                    };
                    if share <= 0.0 {
                        break;
                    }
                    self.give(next, share * part, &mut reached);
                    last = other;
                }
            }
        }
        for slot in reached {
            let at = slot as usize;
            let sum = self.sum.get_mut(at).map(std::mem::take).unwrap_or_default();
            self.add(at, sum);
            if let Some(covered) = self.covered.get_mut(at) {
                *covered += sum.min(rarity);
            }
        }
    }

    fn give(&mut self, slot: u32, part: f32, reached: &mut Vec<u32>) {
        if let Some(sum) = self.sum.get_mut(slot as usize) {
            if *sum == 0.0 {
                reached.push(slot);
            }
            *sum += part;
        }
    }

    /// Memories of the days a question names: as if the day were one more word.
    fn days(&mut self) {
        if self.tuning.dated == 0.0 || self.question.spans.is_empty() {
            return;
        }
        let index = self.index;
        let mut said = Vec::new();
        let mut named = Vec::new();
        for (slot, kept) in index.kept.iter().enumerate() {
            let Some(kept) = kept else { continue };
            let spans = &self.question.spans;
            if spans
                .iter()
                .any(|span| kept.spans.iter().any(|own| fits(*own, *span)))
            {
                named.push(slot);
            } else if spans
                .iter()
                .any(|span| (span.from..=span.to).contains(&day(kept.at)))
            {
                said.push(slot);
            }
        }
        let rarity = self.tuning.dated * index.rarity(said.len() + named.len());
        for slot in said {
            self.add(slot, rarity);
        }
        for slot in named {
            self.add(slot, 1.3 * rarity);
        }
    }

    /// What kind of memory it is and who said it.
    fn sign(&self, kept: &Kept) -> f32 {
        let tuning = self.tuning;
        let flag = |flag: u8, asked: bool, share: f32| {
            if asked && kept.flags & flag != 0 {
                share
            } else {
                1.0
            }
        };
        let named = self.question.speakers.contains(&kept.speaker);
        flag(ASKS, true, tuning.asking)
            * flag(OWN, true, tuning.own)
            * flag(TIMED, self.question.when, tuning.timed)
            * if named { tuning.speaker } else { 1.0 }
    }

    /// The best.
    fn ranked(&self, limit: usize, whole: f32) -> Vec<Found> {
        let mut found: Vec<(Found, u32)> = self
            .touched
            .iter()
            .filter_map(|slot| {
                let kept = self
                    .index
                    .at(*slot)
                    .filter(|kept| kept.flags & HIDDEN == 0)?;
                let score = self.total.get(*slot as usize)? * self.sign(kept);
                let found = Found {
                    id: kept.id,
                    at: kept.at,
                    score,
                    coverage: 0.0,
                };
                (score > 0.0).then_some((found, *slot))
            })
            .collect();
        let by = |a: &(Found, u32), b: &(Found, u32)| {
            (b.0.score.total_cmp(&a.0.score))
                .then(b.0.at.cmp(&a.0.at))
                .then(a.0.id.cmp(&b.0.id))
        };
        if found.len() > limit {
            found.select_nth_unstable_by(limit, by);
            found.truncate(limit);
        }
        found.sort_unstable_by(by);
        found
            .into_iter()
            .map(|(found, slot)| {
                let covered = self.covered.get(slot as usize).copied().unwrap_or_default();
                let coverage = (covered / whole.max(f32::EPSILON)).min(1.0);
                Found { coverage, ..found }
            })
            .collect()
    }

    /// Follows what the best memories speak of and the question does not, names and
    /// other words that are not common. Says whether there was anything.
    fn expand(&mut self, best: &[Found]) -> bool {
        let mut followed: Vec<(u32, f32)> = self
            .spoken_of(best)
            .into_iter()
            .map(|(term, share)| {
                (
                    term,
                    share.min(1.0) * self.index.rarity(self.index.held(term)),
                )
            })
            .collect();
        // A stable sort: equals stay in the order in which the best speak of them.
        followed.sort_by(|a, b| b.1.total_cmp(&a.1));
        followed.truncate(self.tuning.followed);
        let index = self.index;
        for (term, part) in &followed {
            for posting in index.postings.get(*term as usize).into_iter().flatten() {
                self.add(slot(*posting), self.tuning.expansion * part);
            }
        }
        !followed.is_empty()
    }

    /// The terms of the best memories in their order, each with how much of the best
    /// speaks of it.
    fn spoken_of(&self, best: &[Found]) -> Vec<(u32, f32)> {
        let index = self.index;
        let words = self.question.words.iter();
        let asked: Vec<u32> = words
            .filter_map(|word| index.vocabulary.get(word.stem.as_str()).copied())
            .collect();
        let top = best.first().map_or(1.0, |found| found.score);
        let common = index.len().max(16) / 8;
        let mut places: HashMap<u32, usize, FixedState> = HashMap::default();
        let mut shares: Vec<(u32, f32)> = Vec::new();
        for found in best.iter().take(self.tuning.seeds) {
            let Some(kept) = index.ids.get(&found.id).and_then(|slot| index.at(*slot)) else {
                continue;
            };
            for (at, term) in kept.words.iter().take(LOOKED_AT).enumerate() {
                let again = kept.words[..at].contains(term);
                if again || asked.contains(term) || !(2..common).contains(&index.held(*term)) {
                    continue;
                }
                let place = *places.entry(*term).or_insert(shares.len());
                match shares.get_mut(place) {
                    Some((_, share)) => *share += found.score / top,
                    None => shares.push((*term, found.score / top)),
                }
            }
        }
        shares
    }
}

/// Whether a memory's time is within what is asked for, or close about it.
fn fits(own: Span, asked: Span) -> bool {
    own.meets(asked) && own.len() <= 4 * asked.len().max(8)
}
