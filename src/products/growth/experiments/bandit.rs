//! Bandits: what earns more is shown more. A variant's share is the chance that it is
//! the best of all, after what visitors did so far (Thompson sampling: one draw per
//! variant from what is believed of its rate, and the highest wins). No variant ever
//! gets less than a floor, so that what is believed can change.

use statrs::distribution::{Beta, ContinuousCDF as _};

use super::results::Look;
use super::{buckets, live, state, store};
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::clock::MICROS;
use crate::error::Result;
use crate::products::growth::Growth;
use crate::products::timestamp;
use crate::server::Shared;

/// How often shares are set anew.
pub(super) const EVERY: i64 = 3600 * MICROS;
/// Visitors per variant until which all shares stay as they are.
const LEAST: i64 = 200;
/// Percent every variant gets at least, of up to ten.
const FLOOR: f64 = 5.0;
/// Points at which a rate's distribution is looked at.
const POINTS: u32 = 200;

impl Growth {
    /// Sets the shares of a bandit anew by what its variants have earned.
    pub(super) async fn reweigh(
        &self,
        shared: &Shared,
        project: ProjectId,
        experiment: &pb::Experiment,
    ) -> Result<()> {
        let known = shared.directory.snapshot().project(project).cloned();
        let Some(project) = known else {
            return Ok(());
        };
        let look = Look::plain(experiment);
        let shares = match self.count(&project, experiment, &look).await {
            Ok(counted) => shares(&counted.arms()),
            // It is tried again in an hour, rather than all the time.
            Err(error) => {
                tracing::warn!(
                    experiment = experiment.id,
                    cause = error.log_cause(),
                    "cannot count what a bandit earned"
                );
                None
            }
        };
        let (project, id, now) = (project.id, experiment.id.clone(), self.0.clock.micros());
        let written = self.0.db.write(move |tx| {
            Box::pin(async move {
                live::changed(tx, project).await?;
                let mut experiment = store::find(tx, project, &id).await?;
                if experiment.status != state::RUNNING {
                    return Ok(());
                }
                if let Some(shares) = shares.filter(|own| own.len() == experiment.variants.len()) {
                    let before = buckets::owners(&experiment.variants);
                    for (variant, share) in experiment.variants.iter_mut().zip(&shares) {
                        variant.weight = Some(*share);
                    }
                    let owners = buckets::by_other_weights(&before, &shares);
                    buckets::tell(&mut experiment.variants, &owners);
                }
                experiment.weighed_at = Some(timestamp(now));
                store::save(tx, project, &experiment).await
            })
        });
        written.await
    }
}

/// Percents by visitors and conversions; `None` as long as too little is known.
fn shares(arms: &[(i64, i64)]) -> Option<Vec<f64>> {
    if arms.len() < 2 || arms.iter().any(|(visitors, _)| *visitors < LEAST) {
        return None;
    }
    let believed = arms.iter().map(|(visitors, conversions)| {
        let missed = visitors - conversions;
        Beta::new(*conversions as f64 + 1.0, missed as f64 + 1.0).ok()
    });
    let believed: Vec<Beta> = believed.collect::<Option<_>>()?;
    let chances: Vec<f64> = (0..arms.len())
        .map(|at| chance_of_best(at, &believed))
        .collect();
    let all: f64 = chances.iter().sum();
    let floor = FLOOR.min((50.0 / arms.len() as f64).floor());
    let rest = 100.0 - floor * arms.len() as f64;
    let shares: Vec<f64> = chances.iter().map(|own| floor + rest * own / all).collect();
    Some(whole(&shares))
}

/// Percents without fractions, which no bucket has; those that lose most get what is
/// left over.
fn whole(shares: &[f64]) -> Vec<f64> {
    let mut whole: Vec<f64> = shares.iter().map(|own| own.floor()).collect();
    let left = 100.0 - whole.iter().sum::<f64>();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|a, b| shares[*b].fract().total_cmp(&shares[*a].fract()));
    for at in order.into_iter().cycle().take(left as usize) {
        whole[at] += 1.0;
    }
    whole
}

/// The chance that a draw from one distribution is higher than those from all others.
fn chance_of_best(at: usize, believed: &[Beta]) -> f64 {
    let point = |number: u32| {
        let rate = believed[at].inverse_cdf((f64::from(number) + 0.5) / f64::from(POINTS));
        let others = believed
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at);
        others.map(|(_, other)| other.cdf(rate)).product::<f64>()
    };
    (0..POINTS).map(point).sum::<f64>() / f64::from(POINTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_what_is_earned_and_keep_a_floor() {
        assert_eq!(shares(&[(199, 20), (1000, 50)]), None);
        let even = shares(&[(1000, 100), (1000, 100)]).unwrap();
        assert_eq!(even, [50.0, 50.0]);
        let clear = shares(&[(1000, 50), (1000, 150)]).unwrap();
        assert_eq!(clear, [5.0, 95.0]);
        // Of a closed form: the chance that Beta(2, 2) is more than Beta(1, 3) is 0.8.
        let two = [Beta::new(1.0, 3.0).unwrap(), Beta::new(2.0, 2.0).unwrap()];
        assert!((chance_of_best(1, &two) - 0.8).abs() < 1e-3);
        let three = shares(&[(500, 50), (500, 60), (500, 55)]).unwrap();
        assert_eq!(three.iter().sum::<f64>(), 100.0);
        assert!(three[1] > three[2] && three[2] > three[0], "{three:?}");
        let many = shares(&[(200, 0); 20]).unwrap();
        assert!(many.iter().all(|own| *own == 5.0));
    }
}
