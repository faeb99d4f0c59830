//! How far a variation is from the baseline, and how sure that is.

use super::moments::Moments;

/// What an effect is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// In the metric's own unit.
    Absolute,
    /// As a share of the baseline's mean.
    Relative,
}

/// A difference between two variations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    pub estimate: f64,
    pub standard_error: f64,
    /// Of Welch and Satterthwaite, on the absolute scale.
    pub degrees_of_freedom: f64,
    /// Visitors of both.
    pub users: f64,
    /// What a prior on the relative effect is multiplied by: the baseline's mean on
    /// the absolute scale, one on the relative.
    pub unit: f64,
}

/// Why there is no effect to speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undefined {
    /// A variation has fewer than two visitors, or of a ratio nothing to divide by.
    TooFew,
    /// The baseline's mean is zero, so that nothing is a share of it.
    NoBaseline,
    /// Within a variation everybody did the same.
    NoVariance,
}

impl Undefined {
    /// A code for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooFew => "TOO_FEW_USERS",
            Self::NoBaseline => "ZERO_BASELINE",
            Self::NoVariance => "ZERO_VARIANCE",
        }
    }
}

impl Effect {
    /// The effect of a variation, compared to a baseline.
    pub fn of(scale: Scale, baseline: &Moments, variation: &Moments) -> Result<Self, Undefined> {
        let (a, b) = (baseline, variation);
        if a.users < 2.0 || b.users < 2.0 || !(a.mean.is_finite() && b.mean.is_finite()) {
            return Err(Undefined::TooFew);
        }
        if a.plain == 0.0 {
            return Err(Undefined::NoBaseline);
        }
        // Rounding may leave less than nothing of a variance that is zero.
        if !(a.variance > 0.0 && b.variance > 0.0) {
            return Err(Undefined::NoVariance);
        }
        let (of_a, of_b) = (a.variance / a.users, b.variance / b.users);
        let both = (of_a + of_b).powi(2);
        let parts = of_a.powi(2) / (a.users - 1.0) + of_b.powi(2) / (b.users - 1.0);
        let (estimate, variance, unit) = match scale {
            Scale::Absolute => (b.mean - a.mean, of_a + of_b, a.plain.abs()),
            Scale::Relative => (
                (b.mean - a.mean) / a.plain,
                of_b / a.plain.powi(2) + of_a * b.mean.powi(2) / a.plain.powi(4),
                1.0,
            ),
        };
        let effect = Self {
            estimate,
            standard_error: variance.sqrt(),
            degrees_of_freedom: both / parts,
            users: a.users + b.users,
            unit,
        };
        // Figures beyond what numbers hold are no figures.
        let sound = [
            effect.estimate,
            effect.standard_error,
            effect.degrees_of_freedom,
        ];
        match sound.iter().all(|figure| figure.is_finite()) && effect.standard_error > 0.0 {
            true => Ok(effect),
            false => Err(Undefined::NoVariance),
        }
    }
}
