//! Whether visitors were split as they should have been. If not, something lost
//! some of them, and no other figure of the experiment can be trusted.

use statrs::distribution::{ChiSquared, ContinuousCDF as _};

/// Below this chance a split is no accident.
const ALARM: f64 = 0.001;

/// How visitors were split, compared to how they should have been.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    pub chi_square: f64,
    pub degrees_of_freedom: usize,
    pub p_value: f64,
    /// Whether something is wrong.
    pub mismatch: bool,
}

/// Compares visitors per variation to the weights of the variations. `None` without
/// visitors, weights, or a second variation.
pub fn split(users: &[f64], weights: &[f64]) -> Option<Split> {
    let (all, weight): (f64, f64) = (users.iter().sum(), weights.iter().sum());
    if users.len() < 2 || users.len() != weights.len() || !(all > 0.0 && weight > 0.0) {
        return None;
    }
    let terms = users
        .iter()
        .zip(weights)
        .filter(|(_, weight)| **weight > 0.0);
    let chi_square: f64 = terms
        .map(|(count, own)| {
            let expected = all * own / weight;
            (count - expected).powi(2) / expected
        })
        .sum();
    let degrees_of_freedom = users.len() - 1;
    let p_value = ChiSquared::new(degrees_of_freedom as f64)
        .ok()?
        .sf(chi_square);
    Some(Split {
        chi_square,
        degrees_of_freedom,
        p_value,
        mismatch: p_value < ALARM,
    })
}
