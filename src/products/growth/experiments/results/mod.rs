//! What experiments show: exposures and what followed them, read from the event log,
//! and judged.

mod goal;
mod tally;
mod verdict;

use super::{buckets, state, store};
use crate::api::ResultService;
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectRef;
use crate::clock::DAY;
use crate::error::{Error, Result};
use crate::events::{Bots, Exposure, Exposures, Span, Traffic};
use crate::products::growth::goals::Conversions;
use crate::products::growth::names::PURCHASE;
use crate::products::growth::{Growth, analyze};
use crate::products::{micros, timestamp};
use crate::server::{Call, Reply};
use goal::Wanted;
use tally::{Sums, Tally};

/// How long before an exposure things explain what comes after it.
const BEFORE: i64 = 28 * DAY;

impl ResultService for Growth {
    async fn get_experiment_results(
        &self,
        call: Call,
        request: pb::GetExperimentResultsRequest,
    ) -> Result<Reply<pb::GetExperimentResultsResponse>> {
        let project = call.project()?;
        let read = self.0.db.read(call.deadline()).await?;
        let experiment = store::find(&read, project.id, &request.id).await?;
        drop(read);
        let look = Look::of(&experiment, &request, call.deadline())?;
        Ok(self.results(&project, &experiment, &look).await?.into())
    }
}

/// How an experiment is looked at.
#[derive(Debug)]
pub(super) struct Look {
    window_days: i32,
    goal: String,
    currency: String,
    /// Whether those who saw several variants count for the first.
    keeps_several: bool,
    bots: Bots,
    deadline: Option<std::time::Instant>,
}

impl Look {
    /// As a request has it.
    fn of(
        experiment: &pb::Experiment,
        request: &pb::GetExperimentResultsRequest,
        deadline: Option<std::time::Instant>,
    ) -> Result<Self> {
        let refused = |field: &str, known: &str| {
            let words = format!("{field} must be one of {known}");
            Error::invalid_field(field, words)
        };
        let plain = Self::plain(experiment);
        Ok(Self {
            window_days: request.window_days.unwrap_or(plain.window_days),
            goal: request.goal.clone(),
            currency: request.currency.clone(),
            keeps_several: match request.multi_exposed.as_str() {
                "" => plain.keeps_several,
                "exclude" => false,
                "first" => true,
                _ => return Err(refused("multiExposed", "exclude, first")),
            },
            bots: match request.bots.as_str() {
                "" | "exclude" => Bots::Exclude,
                "include" => Bots::Include,
                "only" => Bots::Only,
                _ => return Err(refused("bots", "exclude, include, only")),
            },
            deadline,
        })
    }

    /// As it goes without saying.
    pub(super) fn plain(experiment: &pb::Experiment) -> Self {
        let is_bandit = experiment.mode == "bandit";
        Self {
            window_days: if is_bandit { 7 } else { 90 },
            goal: String::new(),
            currency: String::new(),
            keeps_several: is_bandit,
            bots: Bots::Exclude,
            deadline: None,
        }
    }
}

/// What visitors did, per variant.
#[derive(Debug)]
pub(super) struct Counted {
    sums: Vec<Sums>,
    currency: Option<String>,
    /// Visitors who saw several variants.
    several: i64,
    /// Visitors whose variant the experiment does not have.
    strange: i64,
    first: Option<i64>,
    last: Option<i64>,
}

impl Counted {
    /// Visitors and conversions of every variant.
    pub(super) fn arms(&self) -> Vec<(i64, i64)> {
        let arms = self.sums.iter().map(|own| (own.visitors, own.conversions));
        arms.collect()
    }
}

impl Growth {
    /// What an experiment shows.
    pub(super) async fn results(
        &self,
        project: &ProjectRef,
        experiment: &pb::Experiment,
        look: &Look,
    ) -> Result<pb::GetExperimentResultsResponse> {
        let counted = self.count(project, experiment, look).await?;
        let metrics = metrics(experiment, &counted.sums)?;
        let conversion = metrics
            .first()
            .and_then(|own| own.analysis.clone())
            .unwrap_or_default();
        let mut variants: Vec<_> = experiment
            .variants
            .iter()
            .zip(&counted.sums)
            .map(|(variant, sums)| variant_result(variant, sums))
            .collect();
        let split = uneven(experiment, &conversion);
        let verdict = verdict::of(&variants, &conversion, split.is_some());
        for (at, variant) in variants.iter_mut().enumerate() {
            variant.confidence = verdict.confidence.get(at).copied().flatten();
        }
        for (variant, compared) in variants.iter_mut().skip(1).zip(&conversion.comparisons) {
            compare(variant, compared);
        }
        let winner = verdict.winner.and_then(|at| variants.get(at));
        Ok(pb::GetExperimentResultsResponse {
            experiment_id: experiment.id.clone(),
            status: experiment.status.clone(),
            winner: winner.map(|own| own.id.clone()),
            significant: verdict.significant,
            verdict: verdict.word.to_owned(),
            reason: verdict.reason,
            srm: conversion.srm,
            warnings: warnings(experiment, &counted, split),
            multi_exposed_visitors: counted.several,
            window_days: look.window_days,
            currency: counted.currency,
            first_exposure: counted.first.map(timestamp),
            last_exposure: counted.last.map(timestamp),
            metrics,
            variants,
        })
    }

    /// Counts what exposed visitors did.
    pub(super) async fn count(
        &self,
        project: &ProjectRef,
        experiment: &pb::Experiment,
        look: &Look,
    ) -> Result<Counted> {
        let traffic = Traffic {
            bots: look.bots,
            ..Traffic::default()
        };
        let now = self.0.clock.micros();
        let ended = experiment.completed_at.as_ref().and_then(micros);
        // Clocks of senders may be a day ahead.
        let span = (
            0,
            ended.unwrap_or(now.saturating_add(DAY)).saturating_add(1),
        );
        let events = &self.0.events;
        let seen = events.exposures(project, &experiment.id, span, traffic, look.deadline);
        let Exposures { variants, first } = seen.await?;
        let own = |text: &String| experiment.variants.iter().position(|own| own.id == *text);
        let places: Vec<Option<usize>> = variants.iter().map(own).collect();
        let place = |one: &Exposure| places.get(usize::from(one.variant)).copied().flatten();
        let several = first.iter().filter(|one| one.several).count();
        let strange = first.iter().filter(|one| place(one).is_none()).count();
        let counts = |one: &Exposure| (look.keeps_several || !one.several) && place(one).is_some();
        let times = || first.iter().filter(|one| counts(one)).map(|one| one.time);
        let mut counted = Counted {
            sums: vec![Sums::default(); experiment.variants.len()],
            currency: None,
            several: several as i64,
            strange: strange as i64,
            first: times().min(),
            last: times().max(),
        };
        let (Some(earliest), Some(latest)) = (counted.first, counted.last) else {
            return Ok(counted);
        };
        let after = i64::from(look.window_days) * DAY;
        let mut reading = events.reading(project, look.deadline).await?;
        let counting = Conversions::of(reading.connection(), project.id).await?;
        let wanted = Wanted::of(experiment, &look.goal, &counting);
        let span = Span {
            from: earliest.saturating_sub(BEFORE),
            to: latest.saturating_add(after),
            names: Some(wanted.names()),
            traffic,
        };
        let tally = Tally {
            conversions: wanted.find(&mut reading, &span).await?,
            purchase: reading.number(PURCHASE).await?,
            after,
            before: BEFORE,
            converted: vec![(false, false); first.len()],
            exposures: first,
            paid: std::collections::HashMap::new(),
        };
        let tally = reading.walk(&span, tally).await?;
        let currency = match look.currency.as_str() {
            "" => tally.currencies().first().map_or(0, |(most, _)| *most),
            asked => reading.number(asked).await?,
        };
        let text = reading.texts([currency]).await?.remove(&currency);
        counted.currency = text.filter(|text| !text.is_empty());
        let variant = |one: &Exposure| place(one).filter(|_| counts(one));
        counted.sums = tally.sums(experiment.variants.len(), currency, variant);
        Ok(counted)
    }
}

fn variant_result(variant: &pb::Variant, sums: &Sums) -> pb::VariantResult {
    let rate = sums.conversions as f64 / (sums.visitors as f64).max(1.0);
    pb::VariantResult {
        id: variant.id.clone(),
        name: variant.name.clone(),
        visitors: sums.visitors,
        conversions: sums.conversions,
        conversion_rate: rate,
        revenue: sums.revenue,
        orders: sums.orders,
        buyers: sums.buyers,
        ..pb::VariantResult::default()
    }
}

/// Adds how a variant compares to control.
fn compare(variant: &mut pb::VariantResult, compared: &pb::Comparison) {
    let interval = |scale: &pb::Frequentist| {
        let sequential = scale.sequential.as_ref();
        sequential.map(|own| own.ci.clone()).unwrap_or_default()
    };
    let scales = compared.frequentist.as_ref();
    if let Some(relative) = scales.and_then(|own| own.relative.as_ref()) {
        variant.lift = relative.effect;
        variant.lift_interval = interval(relative);
    }
    if let Some(absolute) = scales.and_then(|own| own.absolute.as_ref()) {
        variant.difference = absolute.effect;
        variant.difference_interval = interval(absolute);
    }
    let believed = compared.bayesian_flat_prior.as_ref();
    if let Some(believed) = believed.and_then(|own| own.relative.as_ref()) {
        variant.chance_to_win = believed.chance_to_win;
        let loss = believed.expected_loss.as_ref();
        variant.expected_loss = loss.map(|own| own.ship_variation);
    }
}

/// Every metric, the share of visitors who convert first.
fn metrics(experiment: &pb::Experiment, all: &[Sums]) -> Result<Vec<pb::MetricResult>> {
    let owners = buckets::owners(&experiment.variants);
    let share = |at: usize| owners.iter().filter(|own| **own == at).count() as f64;
    let metric = |name: &str,
                  kind: pb::MetricKind,
                  of: &dyn Fn(&Sums) -> pb::VariationSums|
     -> Result<pb::MetricResult> {
        let variations = all.iter().zip(&experiment.variants).enumerate();
        let variations = variations.map(|(at, (sums, variant))| pb::VariationSums {
            id: variant.id.clone(),
            weight: Some(share(at)),
            users: sums.visitors,
            ..of(sums)
        });
        let request = pb::AnalyzeExperimentRequest {
            kind: kind.into(),
            settings: None,
            variations: variations.collect(),
        };
        let analysis = Some(analyze::analyze(&request)?);
        Ok(pb::MetricResult {
            name: name.to_owned(),
            kind: kind.into(),
            variations: request.variations,
            analysis,
        })
    };
    let conversion = |sums: &Sums| pb::VariationSums {
        conversions: sums.conversions,
        ..pb::VariationSums::default()
    };
    let revenue = |sums: &Sums| pb::VariationSums {
        sum: sums.revenue_cuped.sum,
        sum_squares: sums.revenue_cuped.sum_squares,
        ..pb::VariationSums::default()
    };
    let per_order = |sums: &Sums| pb::VariationSums {
        sum: sums.per_order.sum,
        sum_squares: sums.per_order.sum_squares,
        denominator_sum: sums.per_order.pre_sum,
        denominator_sum_squares: sums.per_order.pre_sum_squares,
        sum_product: sums.per_order.sum_product,
        ..pb::VariationSums::default()
    };
    use pb::MetricKind::{Cuped, Mean, Proportion, Ratio};
    let mut metrics = vec![metric("conversion", Proportion, &conversion)?];
    if all.iter().any(|sums| sums.orders > 0) {
        metrics.push(metric("revenue", Mean, &revenue)?);
        metrics.push(metric("revenue_per_order", Ratio, &per_order)?);
    }
    if all.iter().any(|sums| sums.conversion_cuped.pre_sum > 0.0) {
        metrics.push(metric("conversion_cuped", Cuped, &|sums| {
            sums.conversion_cuped.clone()
        })?);
    }
    if all.iter().any(|sums| sums.revenue_cuped.pre_sum > 0.0) {
        metrics.push(metric("revenue_cuped", Cuped, &|sums| {
            sums.revenue_cuped.clone()
        })?);
    }
    Ok(metrics)
}

/// The split of visitors, if it cannot be an accident. Of shares that changed while it
/// ran, such as a bandit's, there is none that was settled.
fn uneven(
    experiment: &pb::Experiment,
    conversion: &pb::AnalyzeExperimentResponse,
) -> Option<pb::SampleRatio> {
    let is_settled = experiment.mode != "bandit" && experiment.weighed_at.is_none();
    let srm = conversion.srm.filter(|srm| srm.flagged_at_0_001);
    srm.filter(|_| is_settled)
}

fn warnings(
    experiment: &pb::Experiment,
    counted: &Counted,
    split: Option<pb::SampleRatio>,
) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(srm) = split {
        all.push(format!(
            "Visitors are not split as the buckets say (p {:.2e}): no figure here can be trusted",
            srm.p_value
        ));
    }
    if counted.strange > 0 {
        all.push(format!(
            "{} visitors saw a variant the experiment does not have and are left out",
            counted.strange
        ));
    }
    if experiment.mode == "bandit" {
        all.push(
            "A bandit's shares change while it runs, so its split is not one that was settled"
                .to_owned(),
        );
    } else if experiment.weighed_at.is_some() {
        all.push(
            "The weights changed while it ran: its split is not judged, and variants may have \
             had different visitors"
                .to_owned(),
        );
    }
    if experiment.status == state::DRAFT && counted.first.is_some() {
        all.push("The experiment is a draft, and yet somebody saw it".to_owned());
    }
    all
}
