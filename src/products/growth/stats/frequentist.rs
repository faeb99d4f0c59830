//! Tests of whether there is any effect: Welch's, for one look at a time that was
//! settled beforehand, and a confidence sequence that holds however often one looks
//! (Waudby-Smith et al., arXiv 2103.06476v7, equations 9, 155 and 161).

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::effect::Effect;

/// Welch's test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    pub t: f64,
    /// Two-sided.
    pub p_value: f64,
    pub interval: (f64, f64),
}

impl Test {
    /// Tests an effect. `None` when its degrees of freedom are no number.
    pub fn of(effect: &Effect, alpha: f64) -> Option<Self> {
        let student = StudentsT::new(0.0, 1.0, effect.degrees_of_freedom).ok()?;
        let t = effect.estimate / effect.standard_error;
        let half = student.inverse_cdf(1.0 - alpha / 2.0) * effect.standard_error;
        Some(Self {
            t,
            p_value: 2.0 * student.sf(t.abs()),
            interval: (effect.estimate - half, effect.estimate + half),
        })
    }
}

/// A test that may be looked at at any time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sequential {
    pub p_value: f64,
    pub interval: (f64, f64),
}

impl Sequential {
    /// Tests an effect; the interval is narrowest, compared to others of its kind,
    /// at `tuning` visitors.
    pub fn of(effect: &Effect, alpha: f64, tuning: f64) -> Self {
        let log = -2.0 * alpha.ln();
        let rho = (log + (1.0 + log).ln()) / tuning;
        let count = effect.users;
        let k = count * rho + 1.0;
        let width = (2.0 * k / (count * rho) * (k.sqrt() / alpha).ln()).sqrt();
        let half = width * effect.standard_error;
        let z = effect.estimate / effect.standard_error;
        let p_value = k.sqrt() * (-rho * count * z * z / (2.0 * k)).exp();
        Self {
            p_value: p_value.min(1.0),
            interval: (effect.estimate - half, effect.estimate + half),
        }
    }
}
