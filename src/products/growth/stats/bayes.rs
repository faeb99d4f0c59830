//! What is believed of an effect after the data: the normal posterior, the chance to
//! win, and what is lost on average when the wrong variation is chosen.

use statrs::distribution::{Continuous as _, ContinuousCDF as _, Normal};

use super::effect::Effect;

/// A normal prior on the relative effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    pub mean: f64,
    pub deviation: f64,
}

/// What is believed after the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Posterior {
    pub mean: f64,
    pub deviation: f64,
    /// That the variation is better than the baseline.
    pub chance_to_win: f64,
    pub interval: (f64, f64),
    /// Lost on average by keeping the baseline, in the unit of the effect.
    pub loss_of_keeping: f64,
    /// Lost on average by taking the variation.
    pub loss_of_shipping: f64,
}

impl Posterior {
    /// What follows of an effect; without a prior nothing was believed before. With
    /// `inverse` less is better.
    pub fn of(effect: &Effect, prior: Option<Prior>, alpha: f64, inverse: bool) -> Self {
        let data = effect.standard_error.powi(-2);
        let (mean, deviation) = match prior {
            None => (effect.estimate, effect.standard_error),
            Some(prior) => {
                let before = (prior.deviation * effect.unit).powi(-2);
                let precision = data + before;
                let believed = prior.mean * effect.unit;
                let mean = (effect.estimate * data + believed * before) / precision;
                (mean, precision.sqrt().recip())
            }
        };
        let normal = Normal::standard();
        let z = mean / deviation;
        let bell = deviation * normal.pdf(z);
        let half = normal.inverse_cdf(1.0 - alpha / 2.0) * deviation;
        let wins = normal.cdf(z);
        let below = bell - mean * normal.cdf(-z);
        let above = bell + mean * wins;
        let (chance_to_win, loss_of_keeping, loss_of_shipping) = match inverse {
            false => (wins, above, below),
            true => (1.0 - wins, below, above),
        };
        Self {
            mean,
            deviation,
            chance_to_win,
            interval: (mean - half, mean + half),
            // Far out rounding leaves less than nothing.
            loss_of_keeping: loss_of_keeping.max(0.0),
            loss_of_shipping: loss_of_shipping.max(0.0),
        }
    }
}
