//! Models of attribution: how a conversion is shared out among the touches before it.

use crate::error::{Error, Result};

/// How a conversion is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    FirstTouch,
    LastTouch,
    LastNonDirect,
    Linear,
    PositionBased,
}

impl Model {
    const ALL: [(&'static str, Self); 5] = [
        ("first_touch", Self::FirstTouch),
        ("last_touch", Self::LastTouch),
        ("linear", Self::Linear),
        ("position_based", Self::PositionBased),
        ("last_non_direct", Self::LastNonDirect),
    ];

    pub(super) fn of(word: &str) -> Result<(&'static str, Self)> {
        let word = if word.is_empty() {
            "position_based"
        } else {
            word
        };
        let mut all = Self::ALL.into_iter();
        all.find(|(own, _)| *own == word).ok_or_else(|| {
            let words = "model must be one of first_touch, last_touch, linear, position_based, \
                         last_non_direct";
            Error::invalid_field("model", words)
        })
    }

    /// Shares an amount out among so many touches, exactly. `direct` says whether a
    /// touch came from nowhere.
    pub(super) fn share(
        self,
        amount: i64,
        touches: usize,
        direct: impl Fn(usize) -> bool,
    ) -> Vec<i64> {
        let mut shares = vec![0; touches];
        let Some(last) = touches.checked_sub(1) else {
            return shares;
        };
        let even = |amount: i64, shares: &mut [i64]| {
            let count = shares.len() as i64;
            for (at, share) in (0..count).zip(shares) {
                // What cannot be divided goes to the earliest.
                *share += amount / count + i64::from(at < amount % count);
            }
        };
        match self {
            Self::FirstTouch => shares[0] = amount,
            Self::LastTouch => shares[last] = amount,
            Self::LastNonDirect => {
                let taken = (0..touches).rev().find(|at| !direct(*at));
                shares[taken.unwrap_or(last)] = amount;
            }
            Self::Linear => even(amount, &mut shares),
            Self::PositionBased if touches <= 2 => even(amount, &mut shares),
            Self::PositionBased => {
                let end = (i128::from(amount) * 2 / 5) as i64;
                (shares[0], shares[last]) = (end, end);
                even(amount - 2 * end, &mut shares[1..last]);
            }
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        let never = |_| false;
        let share = |model: Model, amount, touches| model.share(amount, touches, never);
        assert_eq!(share(Model::Linear, 10, 3), [4, 3, 3]);
        assert_eq!(
            share(Model::PositionBased, 1_000_000, 2),
            [500_000, 500_000]
        );
        let shares = share(Model::PositionBased, 1_000_000, 5);
        assert_eq!(shares, [400_000, 66_667, 66_667, 66_666, 400_000]);
        assert_eq!(share(Model::PositionBased, 1_000_000, 1), [1_000_000]);
        for (_, model) in Model::ALL {
            for touches in 1..40 {
                for amount in [0, 1, 7, 999_999, i64::MAX] {
                    let shares = model.share(amount, touches, |at| at % 3 == 0);
                    assert_eq!(shares.iter().sum::<i64>(), amount);
                }
            }
            assert!(model.share(5, 0, never).is_empty());
        }
        let direct = Model::LastNonDirect.share(9, 4, |at| at != 1);
        assert_eq!(direct, [0, 9, 0, 0]);
        assert_eq!(Model::LastNonDirect.share(9, 2, |_| true), [0, 9]);
    }
}
