//! Statistics of experiments: is a variation better than the baseline, and by how
//! much? Every method starts from the same summaries (`moments`) and the same
//! effects (`effect`). Where the data allow no answer there is a reason instead of
//! a number; no figure is ever NaN or infinite.

mod bayes;
mod effect;
mod frequentist;
mod moments;
mod multiple;
mod split;

pub use bayes::{Posterior, Prior};
pub use effect::{Effect, Scale, Undefined};
pub use frequentist::{Sequential, Test};
pub use moments::{Kind, Moments, Summary, moments};
pub use multiple::{benjamini_hochberg, holm};
pub use split::split;

/// What a comparison is made with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Chance of a false alarm that intervals and adjusted values allow for.
    pub alpha: f64,
    /// Sample size at which the sequential interval is narrowest.
    pub tuning: f64,
    /// Whether less is better.
    pub inverse: bool,
    /// What is believed of the relative effect beforehand.
    pub prior: Prior,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            tuning: 5000.0,
            inverse: false,
            prior: Prior {
                mean: 0.0,
                deviation: 0.3,
            },
        }
    }
}
