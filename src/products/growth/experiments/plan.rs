//! An experiment, ready to say what a visitor sees.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::buckets::{self, Owners};
use super::condition::Condition;
use super::growthbook::{self, Namespace};
use super::state;
use crate::api::apex::growth::v1 as pb;

/// An experiment, ready to be asked.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) id: String,
    /// Ids of the variants.
    pub(super) variants: Vec<String>,
    /// What SDKs get for them, as JSON.
    pub(super) values: Vec<Value>,
    is_running: bool,
    owners: Owners,
    /// Their shares, which add up to 1.
    pub(super) weights: Vec<f64>,
    /// Percent of the visitors who take part.
    pub(super) traffic: f64,
    /// What is hashed with the visitor, and the percent.
    pub(super) holdout: Option<(String, f64)>,
    pub(super) namespace: Option<Namespace>,
    pub(super) condition: Option<Condition>,
    pub(super) forced: HashMap<String, usize>,
    /// The same as GrowthBook's SDKs see it, if they decide.
    growthbook: Option<growthbook::Experiment>,
}

/// Why a visitor sees what it sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Bucket,
    Forced,
    NotRunning,
    Holdout,
    Namespace,
    Condition,
    Traffic,
}

impl Reason {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Forced => "forced",
            Self::NotRunning => "not_running",
            Self::Holdout => "holdout",
            Self::Namespace => "namespace",
            Self::Condition => "condition",
            Self::Traffic => "traffic",
        }
    }
}

/// What a visitor sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// The variant, by its place in the list.
    pub(super) variant: usize,
    pub(super) reason: Reason,
    pub(super) bucket: Option<u32>,
}

impl Seen {
    fn without_bucket(variant: usize, reason: Reason) -> Self {
        Self {
            variant,
            reason,
            bucket: None,
        }
    }
}

impl Plan {
    pub(super) fn new(experiment: &pb::Experiment) -> Self {
        let variants: Vec<_> = experiment
            .variants
            .iter()
            .map(|own| own.id.clone())
            .collect();
        let value = |own: &pb::Variant| {
            let given = own
                .value
                .as_deref()
                .and_then(|text| serde_json::from_str(text).ok());
            given.unwrap_or_else(|| json!(own.id))
        };
        let forced = experiment.forced_visitors.iter().filter_map(|forced| {
            let variant = variants.iter().position(|id| *id == forced.variant)?;
            Some((forced.visitor_id.clone(), variant))
        });
        let condition = experiment.condition.as_deref();
        let weights = buckets::weights(&experiment.variants);
        let all: f64 = weights.iter().sum();
        let mut plan = Self {
            id: experiment.id.clone(),
            values: experiment.variants.iter().map(value).collect(),
            is_running: experiment.status == state::RUNNING,
            owners: buckets::owners(&experiment.variants),
            weights: weights.iter().map(|own| own / all).collect(),
            traffic: experiment.traffic_split,
            holdout: experiment
                .holdout
                .as_ref()
                .map(|own| (format!("{}:holdout", own.name), own.percent)),
            namespace: experiment.namespace.as_ref().map(|own| Namespace {
                name: own.name.clone(),
                range: (own.from, own.to),
            }),
            // What was kept had been read before.
            condition: condition.and_then(|text| Condition::read(text).ok()),
            forced: forced.collect(),
            growthbook: None,
            variants,
        };
        if experiment.bucketing == "growthbook" {
            plan.growthbook = Some(plan.as_growthbook());
        }
        plan
    }

    /// The experiment by GrowthBook's rules.
    fn as_growthbook(&self) -> growthbook::Experiment {
        growthbook::Experiment {
            key: self.id.clone(),
            variations: self.variants.len(),
            active: true,
            coverage: self.traffic / 100.0,
            weights: Some(self.weights.clone()),
            ranges: None,
            seed: None,
            version: 2,
            attribute: "id".to_owned(),
            namespace: None,
            filters: Vec::new(),
            condition: None,
            prerequisites: Vec::new(),
            force: None,
        }
    }

    /// What a visitor sees. Attributes are an object.
    pub(super) fn seen_by(&self, visitor: &str, attributes: &Value) -> Seen {
        if let Some(variant) = self.forced.get(visitor) {
            return Seen::without_bucket(*variant, Reason::Forced);
        }
        if !self.is_running {
            return Seen::without_bucket(0, Reason::NotRunning);
        }
        if let Some((seed, percent)) = &self.holdout
            && self.is_held_out(visitor, seed, *percent)
        {
            return Seen::without_bucket(0, Reason::Holdout);
        }
        if let Some(namespace) = &self.namespace
            && !growthbook::is_in_namespace(visitor, namespace)
        {
            return Seen::without_bucket(0, Reason::Namespace);
        }
        if let Some(condition) = &self.condition
            && !condition.holds(attributes, &Map::new())
        {
            return Seen::without_bucket(0, Reason::Condition);
        }
        if let Some(experiment) = &self.growthbook {
            return self.by_growthbook(experiment, visitor);
        }
        let part = buckets::bucket(&[visitor, &self.id, ":in"]);
        if f64::from(part) >= self.traffic {
            return Seen::without_bucket(0, Reason::Traffic);
        }
        let bucket = buckets::bucket(&[visitor, &self.id]);
        Seen {
            variant: self
                .owners
                .get(bucket as usize)
                .copied()
                .unwrap_or_default(),
            reason: Reason::Bucket,
            bucket: Some(bucket),
        }
    }

    fn is_held_out(&self, visitor: &str, seed: &str, percent: f64) -> bool {
        match self.growthbook {
            // The same filter as its SDKs are given.
            Some(_) => growthbook::hash(seed, visitor, 2).is_some_and(|own| own < percent / 100.0),
            None => f64::from(buckets::bucket(&[visitor, seed])) < percent,
        }
    }

    fn by_growthbook(&self, experiment: &growthbook::Experiment, visitor: &str) -> Seen {
        let attributes = json!({"id": visitor});
        let context = growthbook::Context {
            attributes: &attributes,
            groups: &Map::new(),
            url: "",
            forced: None,
            is_test: false,
        };
        let outcome = growthbook::run(experiment, &context);
        match outcome.included {
            true => Seen::without_bucket(outcome.variation, Reason::Bucket),
            false => Seen::without_bucket(0, Reason::Traffic),
        }
    }

    /// The assignment as it is answered.
    pub(super) fn assignment(&self, seen: Seen) -> pb::Assignment {
        pb::Assignment {
            experiment_id: self.id.clone(),
            variant: self.variants.get(seen.variant).cloned().unwrap_or_default(),
            included: seen.reason == Reason::Bucket,
            reason: seen.reason.word().to_owned(),
            bucket: seen.bucket,
        }
    }
}
