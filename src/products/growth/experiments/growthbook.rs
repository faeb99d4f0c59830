//! Experiments as GrowthBook's SDKs evaluate them, so that this server and an SDK show
//! a visitor the same variant. Texts are hashed by their UTF-16 code units, as in the
//! browser.

use serde_json::Value;

use super::condition::{Condition, Groups, is_truthy, text};

/// Where a variation's share begins and where it ends.
pub(super) type Range = (f64, f64);

/// A share of a namespace.
#[derive(Debug, Clone)]
pub(super) struct Namespace {
    pub(super) name: String,
    pub(super) range: Range,
}

/// A hash that must fall into one of some ranges.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    pub(super) seed: String,
    pub(super) ranges: Vec<Range>,
    pub(super) version: u32,
    pub(super) attribute: String,
}

/// An experiment.
#[derive(Debug, Clone)]
pub(super) struct Experiment {
    pub(super) key: String,
    pub(super) variations: usize,
    pub(super) active: bool,
    pub(super) coverage: f64,
    pub(super) weights: Option<Vec<f64>>,
    /// Instead of coverage and weights.
    pub(super) ranges: Option<Vec<Range>>,
    /// Instead of the key.
    pub(super) seed: Option<String>,
    pub(super) version: u32,
    pub(super) attribute: String,
    pub(super) namespace: Option<Namespace>,
    pub(super) filters: Vec<Filter>,
    pub(super) condition: Option<Condition>,
    /// What other flags give this visitor, and what that must be.
    pub(super) prerequisites: Vec<(Value, Condition)>,
    pub(super) force: Option<usize>,
}

/// Who is asked about.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) attributes: &'a Value,
    pub(super) groups: &'a Groups,
    /// The page, whose query may name a variation for QA.
    pub(super) url: &'a str,
    /// A variation this visitor gets whatever the hash says.
    pub(super) forced: Option<usize>,
    /// Whether nobody is bucketed at all.
    pub(super) is_test: bool,
}

/// What a visitor gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    /// The variation; the first for who takes no part.
    pub(super) variation: usize,
    /// Whether the visitor takes part.
    pub(super) included: bool,
    /// Whether a hash decided, so that the visitor is counted.
    pub(super) hashed: bool,
}

impl Outcome {
    pub(super) const OUTSIDE: Self = Self {
        variation: 0,
        included: false,
        hashed: false,
    };

    fn fixed(variation: usize) -> Self {
        Self {
            variation,
            included: true,
            hashed: false,
        }
    }
}

/// FNV-1a of 32 bits.
fn fnv(units: impl Iterator<Item = u16>) -> u32 {
    units.fold(0x811c_9dc5, |hash, unit| {
        (hash ^ u32::from(unit)).wrapping_mul(0x0100_0193)
    })
}

/// A number from 0 to 1, by one of the two versions there are.
pub(super) fn hash(seed: &str, value: &str, version: u32) -> Option<f64> {
    match version {
        1 => {
            let hash = fnv(value.encode_utf16().chain(seed.encode_utf16()));
            Some(f64::from(hash % 1000) / 1000.0)
        }
        2 => {
            let first = fnv(seed.encode_utf16().chain(value.encode_utf16()));
            let hash = fnv(first.to_string().encode_utf16());
            Some(f64::from(hash % 10_000) / 10_000.0)
        }
        _ => None,
    }
}

/// Ranges of variations. They begin where the whole of the one before ends: less
/// coverage makes them shorter and moves nobody to another one.
pub(super) fn ranges(variations: usize, coverage: f64, weights: Option<&[f64]>) -> Vec<Range> {
    let coverage = coverage.clamp(0.0, 1.0);
    let sound = |weights: &&[f64]| {
        let sum: f64 = weights.iter().sum();
        weights.len() == variations && (0.99..=1.01).contains(&sum)
    };
    let even = vec![1.0 / variations.max(1) as f64; variations];
    let weights = weights.filter(sound).unwrap_or(&even);
    let mut next = 0.0;
    let range = |weight: &f64| {
        let start = next;
        next += weight;
        (start, start + coverage * weight)
    };
    weights.iter().map(range).collect()
}

/// The first range a number lies in.
pub(super) fn choose(number: f64, ranges: &[Range]) -> Option<usize> {
    ranges.iter().position(|range| is_within(number, *range))
}

fn is_within(number: f64, (low, high): Range) -> bool {
    low <= number && number < high
}

/// Whether a value has its place in a share of a namespace.
pub(super) fn is_in_namespace(value: &str, namespace: &Namespace) -> bool {
    let seed = format!("__{}", namespace.name);
    hash(&seed, value, 1).is_some_and(|number| is_within(number, namespace.range))
}

/// The variation a visitor gets.
pub(super) fn run(experiment: &Experiment, context: &Context<'_>) -> Outcome {
    if experiment.variations < 2 {
        return Outcome::OUTSIDE;
    }
    let named = named(context.url, &experiment.key);
    if let Some(variation) = named.filter(|variation| *variation < experiment.variations) {
        return Outcome::fixed(variation);
    }
    if let Some(variation) = context.forced {
        return Outcome::fixed(variation);
    }
    if !experiment.active {
        return Outcome::OUTSIDE;
    }
    let value = attribute(context.attributes, &experiment.attribute);
    if value.is_empty() {
        return Outcome::OUTSIDE;
    }
    let fits = match (experiment.filters.as_slice(), &experiment.namespace) {
        ([], Some(namespace)) => is_in_namespace(&value, namespace),
        (filters, _) => filters.iter().all(|filter| passes(filter, context)),
    };
    let condition = experiment.condition.as_ref();
    let holds = condition.is_none_or(|own| own.holds(context.attributes, context.groups));
    let mut prerequisites = experiment.prerequisites.iter();
    let met = prerequisites.all(|(given, wanted)| wanted.holds(given, context.groups));
    if !(fits && holds && met) {
        return Outcome::OUTSIDE;
    }
    let seed = experiment.seed.as_deref().unwrap_or(&experiment.key);
    let Some(number) = hash(seed, &value, experiment.version) else {
        return Outcome::OUTSIDE;
    };
    let weights = experiment.weights.as_deref();
    let own = || ranges(experiment.variations, experiment.coverage, weights);
    let ranges = experiment.ranges.clone().unwrap_or_else(own);
    let Some(variation) = choose(number, &ranges) else {
        return Outcome::OUTSIDE;
    };
    match experiment.force {
        Some(forced) if forced < experiment.variations => Outcome::fixed(forced),
        Some(_) => Outcome::OUTSIDE,
        None if context.is_test => Outcome::OUTSIDE,
        None => Outcome {
            variation,
            included: true,
            hashed: true,
        },
    }
}

fn attribute(attributes: &Value, name: &str) -> String {
    let value = attributes.get(name).filter(|value| is_truthy(value));
    value.map(text).unwrap_or_default()
}

fn passes(filter: &Filter, context: &Context<'_>) -> bool {
    let value = attribute(context.attributes, &filter.attribute);
    let number = hash(&filter.seed, &value, filter.version).filter(|_| !value.is_empty());
    number.is_some_and(|number| choose(number, &filter.ranges).is_some())
}

/// The variation the query of a page names for an experiment.
fn named(url: &str, key: &str) -> Option<usize> {
    let (_, query) = url.split_once('?')?;
    let query = query.split('#').next()?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == key)?.1.parse().ok()
}
