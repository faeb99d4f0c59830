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

#[cfg(test)]
mod tests {
    use super::super::{Kind, Scale, Summary, moments};
    use super::*;

    /// Visitors who convert by chance, each one of four.
    struct Coins(u64);

    impl Coins {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }

        /// Every bit of two numbers' intersection is set once in four times.
        fn converted_of_500(&mut self) -> f64 {
            let whole: u32 = (0..7)
                .map(|_| (self.next() & self.next()).count_ones())
                .sum();
            let rest = self.next() & self.next() & ((1 << 52) - 1);
            f64::from(whole + rest.count_ones())
        }
    }

    /// 4,000 experiments without any effect, looked at 20 times each, on both scales: the
    /// absolute one is what verdicts are made of.
    #[test]
    fn who_looks_often_is_not_fooled() {
        let (mut peeking, mut relative, mut absolute) = (0, 0, 0);
        let mut coins = Coins(7);
        for _ in 0..4000 {
            let (mut a, mut b) = (Summary::default(), Summary::default());
            let (mut once, mut ever, mut ever_absolute) = (false, false, false);
            for _ in 0..20 {
                for arm in [&mut a, &mut b] {
                    arm.users += 500.0;
                    arm.sum += coins.converted_of_500();
                    arm.squares = arm.sum;
                }
                let (a, b) = moments(Kind::Proportion, &a, &b);
                let alarm = |scale| {
                    let effect = Effect::of(scale, &a, &b).unwrap();
                    let sequential = Sequential::of(&effect, 0.05, 5000.0).p_value < 0.05;
                    (Test::of(&effect, 0.05).unwrap().p_value < 0.05, sequential)
                };
                let (plain, sequential) = alarm(Scale::Relative);
                once |= plain;
                ever |= sequential;
                ever_absolute |= alarm(Scale::Absolute).1;
            }
            peeking += i32::from(once);
            relative += i32::from(ever);
            absolute += i32::from(ever_absolute);
        }
        for sequential in [relative, absolute] {
            assert!(sequential <= 200, "{sequential} false alarms of 4,000");
        }
        // The test has power to tell: peeking at the plain one is far off.
        assert!(peeking > 600, "{peeking}");
    }
}
