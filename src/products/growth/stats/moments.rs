//! Mean and variance of a metric, from sums alone: no result needs a second look
//! at single visitors.

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The share of visitors who did something.
    Proportion,
    /// Something per visitor, such as revenue.
    Mean,
    /// Something per something else, such as revenue per order.
    Ratio,
    /// Something per visitor, less what the time before explains (CUPED: Deng, Xu,
    /// Kohavi and Walker, 2013).
    Adjusted,
}

/// Sums over the visitors of one variation. What a kind has no use for is zero.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Summary {
    /// Visitors.
    pub users: f64,
    /// Sum of the metric; of a proportion, the visitors who converted.
    pub sum: f64,
    /// Sum of its squares.
    pub squares: f64,
    /// Sum of the other figure: a ratio's denominator, or the time before.
    pub other_sum: f64,
    /// Sum of that figure's squares.
    pub other_squares: f64,
    /// Sum of the products of both.
    pub products: f64,
}

/// A metric of one variation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    pub users: f64,
    pub mean: f64,
    pub variance: f64,
    /// The mean without adjustment, which is what relative effects are relative to.
    pub plain: f64,
}

impl Summary {
    fn mean(&self) -> f64 {
        self.sum / self.users
    }

    fn variance(&self) -> f64 {
        sample(self.squares, self.sum, self.sum, self.users)
    }

    fn other_variance(&self) -> f64 {
        sample(
            self.other_squares,
            self.other_sum,
            self.other_sum,
            self.users,
        )
    }

    fn covariance(&self) -> f64 {
        sample(self.products, self.sum, self.other_sum, self.users)
    }

    fn with(&self, other: &Self) -> Self {
        Self {
            users: self.users + other.users,
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
            other_sum: self.other_sum + other.other_sum,
            other_squares: self.other_squares + other.other_squares,
            products: self.products + other.products,
        }
    }
}

/// The covariance of a sample, from sums.
fn sample(products: f64, left: f64, right: f64, count: f64) -> f64 {
    match count > 1.0 {
        true => (products - left * right / count) / (count - 1.0),
        false => 0.0,
    }
}

/// The moments of a baseline and of a variation. An adjustment is common to both, or
/// it would be an effect of its own.
pub fn moments(kind: Kind, baseline: &Summary, variation: &Summary) -> (Moments, Moments) {
    let slope = match kind {
        Kind::Adjusted => {
            let both = baseline.with(variation);
            let slope = both.covariance() / both.other_variance();
            // Nothing varied before, so it explains nothing.
            if slope.is_finite() { slope } else { 0.0 }
        }
        Kind::Proportion | Kind::Mean | Kind::Ratio => 0.0,
    };
    let one = |summary: &Summary| {
        let (mean, variance) = match kind {
            Kind::Proportion => {
                let rate = summary.mean();
                (rate, rate * (1.0 - rate))
            }
            Kind::Mean => (summary.mean(), summary.variance()),
            Kind::Ratio => ratio(summary),
            Kind::Adjusted => (
                summary.mean() - slope * summary.other_sum / summary.users,
                summary.variance() + slope * slope * summary.other_variance()
                    - 2.0 * slope * summary.covariance(),
            ),
        };
        let plain = match kind {
            Kind::Adjusted => summary.mean(),
            Kind::Proportion | Kind::Mean | Kind::Ratio => mean,
        };
        Moments {
            users: summary.users,
            mean,
            variance,
            plain,
        }
    };
    (one(baseline), one(variation))
}

/// A ratio of two means, its variance by the delta method.
fn ratio(summary: &Summary) -> (f64, f64) {
    let (above, below) = (summary.mean(), summary.other_sum / summary.users);
    let variance = summary.variance() / below.powi(2)
        - 2.0 * summary.covariance() * above / below.powi(3)
        + above.powi(2) * summary.other_variance() / below.powi(4);
    (above / below, variance)
}
