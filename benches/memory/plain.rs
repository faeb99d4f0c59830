//! What to compare with: BM25 over stems without stop words, each turn by itself or with
//! a share of the turns beside it.

use std::collections::HashMap;

use apex::products::memory::engine::text::terms;

/// Turns by their words.
#[derive(Debug)]
pub struct Plain {
    turns: Vec<HashMap<String, f64>>,
    lengths: Vec<f64>,
    held: HashMap<String, f64>,
}

const K1: f64 = 0.9;
const B: f64 = 0.4;

impl Plain {
    /// Reads the turns.
    pub fn new(texts: &[String]) -> Self {
        let mut plain = Self {
            turns: Vec::new(),
            lengths: Vec::new(),
            held: HashMap::new(),
        };
        for text in texts {
            let terms = terms(text);
            let mut counts: HashMap<String, f64> = HashMap::new();
            plain.lengths.push(terms.len() as f64);
            for term in terms {
                *counts.entry(term).or_default() += 1.0;
            }
            for term in counts.keys() {
                *plain.held.entry(term.clone()).or_default() += 1.0;
            }
            plain.turns.push(counts);
        }
        plain
    }

    /// The best twenty, each with a share of what the turns before and after it score.
    pub fn search(&self, question: &str, share: f64) -> Vec<usize> {
        let all = self.turns.len() as f64;
        let mean = self.lengths.iter().sum::<f64>() / all.max(1.0);
        let mut words = terms(question);
        words.sort();
        words.dedup();
        let own: Vec<f64> = self
            .turns
            .iter()
            .zip(&self.lengths)
            .map(|(counts, length)| {
                let long = 1.0 - B + B * length / mean;
                words
                    .iter()
                    .filter_map(|word| Some((counts.get(word)?, self.held.get(word)?)))
                    .map(|(count, held)| {
                        let rarity = (1.0 + (all - held + 0.5) / (held + 0.5)).ln();
                        rarity * count * (K1 + 1.0) / (count + K1 * long)
                    })
                    .sum()
            })
            .collect();
        let beside = |at: Option<usize>| at.and_then(|at| own.get(at)).copied().unwrap_or_default();
        let mut scores: Vec<(f64, usize)> = (0..own.len())
            .map(|at| {
                let around = beside(at.checked_sub(1)) + beside(Some(at + 1));
                (own[at] + share * around, at)
            })
            .filter(|(score, _)| *score > 0.0)
            .collect();
        scores.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
        scores.into_iter().take(20).map(|(_, at)| at).collect()
    }
}
