//! `POST /api/experiments/analyze`: sums of variations in, what they show out.

use super::stats::{
    Effect, Kind, Moments, Posterior, Prior, Scale, Sequential, Settings, Summary, Test, Undefined,
    benjamini_hochberg, holm, moments, split,
};
use crate::api::apex::growth::v1 as pb;
use crate::error::{Error, Result};

/// Compares the variations of a request with the first of them.
pub(super) fn analyze(
    request: &pb::AnalyzeExperimentRequest,
) -> Result<pb::AnalyzeExperimentResponse> {
    let kind = kind(request.kind())?;
    let settings = settings(request.settings.unwrap_or_default());
    let numbered = request.variations.iter().enumerate();
    let summaries = numbered
        .map(|(index, sums)| summary(kind, index, sums))
        .collect::<Result<Vec<_>>>()?;
    let few = || Error::invalid_field("variations", "variations must have at least 2 elements");
    let (baseline, others) = summaries.split_first().ok_or_else(few)?;
    if others.is_empty() {
        return Err(few());
    }
    let mut comparisons = Vec::with_capacity(others.len());
    let mut tested = Vec::new();
    for (sums, other) in request.variations.iter().skip(1).zip(others) {
        let (a, b) = moments(kind, baseline, other);
        let relative = Figures::of(Scale::Relative, &a, &b, &settings);
        let absolute = Figures::of(Scale::Absolute, &a, &b, &settings);
        if let Ok(figures) = &relative {
            tested.push((sums.id.clone(), figures.test.p_value));
        }
        comparisons.push(pb::Comparison {
            variation: sums.id.clone(),
            frequentist: Some(pb::FrequentistScales {
                relative: Some(frequentist(&relative)),
                absolute: Some(frequentist(&absolute)),
            }),
            bayesian_flat_prior: Some(pb::BayesianScales {
                relative: Some(bayesian(&relative, |figures| figures.flat)),
                absolute: Some(bayesian(&absolute, |figures| figures.flat)),
            }),
            bayesian_normal_prior: Some(pb::BayesianScales {
                relative: Some(bayesian(&relative, |figures| figures.normal)),
                absolute: Some(bayesian(&absolute, |figures| figures.normal)),
            }),
        });
    }
    let users: Vec<_> = summaries.iter().map(|summary| summary.users).collect();
    let weights = request
        .variations
        .iter()
        .map(|sums| sums.weight.unwrap_or(1.0));
    let srm = split(&users, &weights.collect::<Vec<_>>());
    Ok(pb::AnalyzeExperimentResponse {
        srm: srm.map(|split| pb::SampleRatio {
            chi_square: split.chi_square,
            dof: split.degrees_of_freedom as u32,
            p_value: split.p_value,
            flagged_at_0_001: split.mismatch,
        }),
        comparisons,
        multiple_comparisons: (others.len() > 1).then(|| multiple(tested)),
    })
}

/// Everything that is said of one effect.
struct Figures {
    effect: Effect,
    test: Test,
    sequential: Sequential,
    flat: Posterior,
    normal: Posterior,
}

impl Figures {
    fn of(scale: Scale, a: &Moments, b: &Moments, settings: &Settings) -> Result<Self, Undefined> {
        let effect = Effect::of(scale, a, b)?;
        let Settings { alpha, inverse, .. } = *settings;
        Ok(Self {
            effect,
            test: Test::of(&effect, alpha).ok_or(Undefined::NoVariance)?,
            sequential: Sequential::of(&effect, alpha, settings.tuning),
            flat: Posterior::of(&effect, None, alpha, inverse),
            normal: Posterior::of(&effect, Some(settings.prior), alpha, inverse),
        })
    }
}

fn frequentist(figures: &Result<Figures, Undefined>) -> pb::Frequentist {
    let figures = match figures {
        Ok(figures) => figures,
        Err(undefined) => {
            return pb::Frequentist {
                reason: Some(undefined.code().to_owned()),
                ..Default::default()
            };
        }
    };
    pb::Frequentist {
        computable: true,
        reason: None,
        effect: Some(figures.effect.estimate),
        standard_error: Some(figures.effect.standard_error),
        t: Some(figures.test.t),
        dof: Some(figures.effect.degrees_of_freedom),
        p_value: Some(figures.test.p_value),
        ci: ends(figures.test.interval),
        sequential: Some(pb::Sequential {
            p_value: figures.sequential.p_value,
            ci: ends(figures.sequential.interval),
        }),
    }
}

fn bayesian(
    figures: &Result<Figures, Undefined>,
    which: fn(&Figures) -> Posterior,
) -> pb::Bayesian {
    let posterior = match figures {
        Ok(figures) => which(figures),
        Err(undefined) => {
            return pb::Bayesian {
                reason: Some(undefined.code().to_owned()),
                ..Default::default()
            };
        }
    };
    pb::Bayesian {
        computable: true,
        reason: None,
        posterior_mean: Some(posterior.mean),
        posterior_stddev: Some(posterior.deviation),
        chance_to_win: Some(posterior.chance_to_win),
        ci: ends(posterior.interval),
        expected_loss: Some(pb::ExpectedLoss {
            keep_control: posterior.loss_of_keeping,
            ship_variation: posterior.loss_of_shipping,
        }),
    }
}

fn multiple(tested: Vec<(String, f64)>) -> pb::MultipleComparisons {
    let (variations, values): (Vec<_>, Vec<_>) = tested.into_iter().unzip();
    pb::MultipleComparisons {
        variations,
        holm: holm(&values),
        benjamini_hochberg: benjamini_hochberg(&values),
    }
}

fn ends((low, high): (f64, f64)) -> Vec<f64> {
    vec![low, high]
}

fn kind(kind: pb::MetricKind) -> Result<Kind> {
    match kind {
        pb::MetricKind::Proportion => Ok(Kind::Proportion),
        pb::MetricKind::Mean => Ok(Kind::Mean),
        pb::MetricKind::Ratio => Ok(Kind::Ratio),
        pb::MetricKind::Cuped => Ok(Kind::Adjusted),
        pb::MetricKind::Unspecified => Err(Error::invalid_field(
            "kind",
            "kind must be one of proportion, mean, ratio, cuped",
        )),
    }
}

fn settings(given: pb::AnalysisSettings) -> Settings {
    let default = Settings::default();
    Settings {
        alpha: given.alpha.unwrap_or(default.alpha),
        tuning: given.sequential_tuning_parameter.unwrap_or(default.tuning),
        inverse: given.inverse,
        prior: Prior {
            mean: given.prior_mean.unwrap_or(default.prior.mean),
            deviation: given.prior_stddev.unwrap_or(default.prior.deviation),
        },
    }
}

/// The sums a kind needs. Sums that nothing can have are refused, rather than
/// explained away by a result.
fn summary(kind: Kind, index: usize, sums: &pb::VariationSums) -> Result<Summary> {
    let refuse = |name: &str, why: &str| {
        Err(Error::invalid_field(
            format!("variations[{index}].{name}"),
            format!("variations[{index}].{name} {why}"),
        ))
    };
    let finite = [
        ("sum", sums.sum),
        ("sum_squares", sums.sum_squares),
        ("denominator_sum", sums.denominator_sum),
        ("denominator_sum_squares", sums.denominator_sum_squares),
        ("pre_sum", sums.pre_sum),
        ("pre_sum_squares", sums.pre_sum_squares),
        ("sum_product", sums.sum_product),
    ];
    if let Some((name, _)) = finite.iter().find(|(_, value)| !value.is_finite()) {
        return refuse(name, "must be a number");
    }
    if kind == Kind::Proportion && sums.conversions > sums.users {
        return refuse("conversions", "must not be more than users");
    }
    let (sum, squares) = match kind {
        Kind::Proportion => (sums.conversions as f64, sums.conversions as f64),
        Kind::Mean | Kind::Ratio | Kind::Adjusted => (sums.sum, sums.sum_squares),
    };
    let (other_sum, other_squares) = match kind {
        Kind::Ratio => (sums.denominator_sum, sums.denominator_sum_squares),
        Kind::Adjusted => (sums.pre_sum, sums.pre_sum_squares),
        Kind::Proportion | Kind::Mean => (0.0, 0.0),
    };
    Ok(Summary {
        users: sums.users as f64,
        sum,
        squares,
        other_sum,
        other_squares,
        products: sums.sum_product,
    })
}
