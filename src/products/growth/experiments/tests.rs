//! Who sees what, held against answers this project did not make.

use serde_json::{Map, Value, json};

use super::buckets::{bucket, murmur3};
use super::condition::Condition;
use super::growthbook::{self, Context, Experiment, Filter, Namespace, Outcome, Range};
use super::plan::{Plan, Reason, Seen};
use super::rules;
use crate::api::apex::growth::v1 as pb;

const ASSIGNMENT: &str = include_str!("../../../../tests/data/experiments/assignment.json");
const GROWTHBOOK: &str = include_str!("../../../../tests/data/experiments/growthbook.json");
const RECORDED: &str = include_str!("../../../../tests/data/experiments/growthbook_buckets.json");

fn group(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(GROWTHBOOK).unwrap();
    all[name].as_array().unwrap().clone()
}

fn range(value: &Value) -> Range {
    (value[0].as_f64().unwrap(), value[1].as_f64().unwrap())
}

fn ranges(value: &Value) -> Vec<Range> {
    value.as_array().unwrap().iter().map(range).collect()
}

fn numbers(value: &Value) -> Option<Vec<f64>> {
    let numbers = value.as_array()?.iter().map(|one| one.as_f64().unwrap());
    Some(numbers.collect())
}

fn running(weights: &[Option<f64>], split: f64) -> pb::Experiment {
    let variant = |weight: &Option<f64>| pb::Variant {
        name: "V".to_owned(),
        weight: *weight,
        ..pb::Variant::default()
    };
    let request = pb::CreateExperimentRequest {
        name: "E".to_owned(),
        target_url: "/".to_owned(),
        variants: weights.iter().map(variant).collect(),
        traffic_split: Some(split),
        ..pb::CreateExperimentRequest::default()
    };
    let mut experiment = rules::created(request, 0).unwrap();
    "running".clone_into(&mut experiment.status);
    experiment
}

fn changed(before: &pb::Experiment, weights: &[f64], split: f64) -> pb::Experiment {
    let variants = weights
        .iter()
        .zip(&before.variants)
        .map(|(weight, own)| pb::Variant {
            weight: Some(*weight),
            ..own.clone()
        });
    let request = pb::UpdateExperimentRequest {
        id: before.id.clone(),
        variants: variants.collect(),
        traffic_split: Some(split),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["variants".to_owned(), "traffic_split".to_owned()],
        }),
        ..pb::UpdateExperimentRequest::default()
    };
    rules::changed(before, request, false, 0).unwrap()
}

fn visitors() -> impl Iterator<Item = String> {
    (0..10_000).map(|number| format!("v_{number}"))
}

fn seen(plan: &Plan) -> Vec<Seen> {
    let attributes = json!({});
    visitors()
        .map(|visitor| plan.seen_by(&visitor, &attributes))
        .collect()
}

#[test]
fn buckets_are_those_of_an_independent_implementation() {
    let all: Value = serde_json::from_str(ASSIGNMENT).unwrap();
    for row in all["reference"].as_array().unwrap() {
        if row["seed"] == 0 {
            let text = row["text"].as_str().unwrap();
            assert_eq!(
                murmur3(text.as_bytes()),
                row["hash"].as_u64().unwrap() as u32,
                "{row}"
            );
        }
    }
    let rows = all["assignments"].as_array().unwrap();
    assert_eq!(rows.len(), 755);
    for row in rows {
        let visitor = row["visitorId"].as_str().unwrap();
        let id = row["experimentId"].as_str().unwrap();
        let own = bucket(&[visitor, id]);
        assert_eq!(u64::from(own), row["bucket"].as_u64().unwrap(), "{row}");
        for (share, variant) in row["variant"].as_object().unwrap() {
            let share: f64 = share.parse().unwrap();
            let mut experiment = running(&[Some(share), Some(100.0 - share)], 100.0);
            id.clone_into(&mut experiment.id);
            let plan = Plan::new(&experiment);
            let given = plan.assignment(plan.seen_by(visitor, &json!({})));
            assert_eq!(given.variant, variant.as_str().unwrap(), "{row} at {share}");
            assert!(given.included);
            assert_eq!(given.bucket, Some(own));
        }
    }
}

#[test]
fn less_traffic_moves_nobody_to_another_variant() {
    let full = running(&[None, None, None], 100.0);
    let mut before = seen(&Plan::new(&full));
    for split in [80.0, 50.0, 12.5, 0.0] {
        let after = seen(&Plan::new(&changed(&full, &[1.0; 3], split)));
        let share = after
            .iter()
            .filter(|one| one.reason == Reason::Bucket)
            .count() as f64;
        assert!(
            (share / 100.0 - split).abs() < 2.0,
            "{share} of 10,000 at {split}"
        );
        for (before, after) in before.iter().zip(&after) {
            match after.reason {
                // Whoever is in had been in, and sees the same.
                Reason::Bucket => assert_eq!(before, after),
                _ => assert_eq!((after.variant, after.reason), (0, Reason::Traffic)),
            }
        }
        before = after;
    }
}

#[test]
fn other_weights_move_as_few_as_they_can() {
    let mut experiment = running(&[None, None, None], 100.0);
    let mut before = seen(&Plan::new(&experiment));
    let counts = |all: &[Seen]| [0, 1, 2].map(|v| all.iter().filter(|s| s.variant == v).count());
    let lists = [
        [1.0, 1.0, 1.0],
        [2.0, 1.0, 1.0],
        [1.0, 8.0, 1.0],
        [5.0, 5.0, 90.0],
        [1.0, 1.0, 1.0],
    ];
    for weights in lists {
        experiment = changed(&experiment, &weights, 100.0);
        let after = seen(&Plan::new(&experiment));
        let moved = before
            .iter()
            .zip(&after)
            .filter(|(b, a)| b.variant != a.variant)
            .count();
        // Nobody is moved out of a variant that grows.
        let pairs = counts(&before).into_iter().zip(counts(&after));
        let grown: usize = pairs
            .map(|(before, after)| after.saturating_sub(before))
            .sum();
        assert_eq!(moved, grown, "to {weights:?}");
        before = after;
    }
}

#[test]
fn who_takes_part_says_nothing_of_who_sees_what() {
    let half = Plan::new(&running(&[None, None], 50.0));
    let seen = seen(&half);
    let included = seen.iter().filter(|one| one.reason == Reason::Bucket);
    let (mut all, mut control) = (0_i32, 0_i32);
    for one in included {
        all += 1;
        control += i32::from(one.variant == 0);
    }
    // Four standard deviations of a fair coin.
    assert!(
        (2 * control - all).abs() < 4 * all.isqrt(),
        "{control} of {all}"
    );
}

#[test]
fn shares_of_a_namespace_have_nobody_in_common() {
    let share = |from, to| {
        let mut experiment = running(&[None, None], 100.0);
        let name = "checkout".to_owned();
        experiment.namespace = Some(pb::ExperimentNamespace { name, from, to });
        seen(&Plan::new(&experiment))
    };
    let (first, second) = (share(0.0, 0.4), share(0.4, 1.0));
    let is_in = |one: &Seen| one.reason == Reason::Bucket;
    assert!(first.iter().zip(&second).all(|(a, b)| is_in(a) != is_in(b)));
}

#[test]
fn a_holdout_is_the_same_for_all_who_name_it() {
    let held = |name: &str| {
        let mut experiment = running(&[None, None], 100.0);
        let holdout = pb::Holdout {
            name: name.to_owned(),
            percent: 10.0,
        };
        experiment.holdout = Some(holdout);
        let seen = seen(&Plan::new(&experiment));
        seen.iter()
            .map(|one| one.reason == Reason::Holdout)
            .collect::<Vec<_>>()
    };
    let (first, second, other) = (held("all"), held("all"), held("other"));
    assert_eq!(first, second);
    assert_ne!(first, other);
    let share = first.iter().filter(|held| **held).count();
    assert!((900..1100).contains(&share), "{share}");
}

#[test]
fn hashes_are_growthbook_s() {
    for case in group("hash") {
        let [seed, value] = [0, 1].map(|at| case[at].as_str().unwrap().to_owned());
        let version = case[2].as_u64().unwrap() as u32;
        assert_eq!(
            growthbook::hash(&seed, &value, version),
            case[3].as_f64(),
            "{case}"
        );
    }
}

#[test]
fn ranges_are_growthbook_s() {
    for case in group("getBucketRange") {
        let given = &case[1];
        let weights = numbers(&given[2]);
        let count = given[0].as_u64().unwrap() as usize;
        let own = growthbook::ranges(count, given[1].as_f64().unwrap(), weights.as_deref());
        let wanted = ranges(&case[2]);
        assert_eq!(own.len(), wanted.len(), "{case}");
        for (own, wanted) in own.iter().zip(&wanted) {
            let near = (own.0 - wanted.0).abs() < 1e-6 && (own.1 - wanted.1).abs() < 1e-6;
            assert!(near, "{case}: {own:?}");
        }
    }
}

#[test]
fn choices_are_growthbook_s() {
    for case in group("chooseVariation") {
        let own = growthbook::choose(case[1].as_f64().unwrap(), &ranges(&case[2]));
        let own = own.map_or(-1, |at| at as i64);
        assert_eq!(own, case[3].as_i64().unwrap(), "{case}");
    }
}

fn namespace(value: &Value) -> Namespace {
    Namespace {
        name: value[0].as_str().unwrap().to_owned(),
        range: (value[1].as_f64().unwrap(), value[2].as_f64().unwrap()),
    }
}

#[test]
fn namespaces_are_growthbook_s() {
    for case in group("inNamespace") {
        let own = growthbook::is_in_namespace(case[1].as_str().unwrap(), &namespace(&case[2]));
        assert_eq!(own, case[3].as_bool().unwrap(), "{case}");
    }
}

#[test]
fn conditions_mean_what_they_mean_to_growthbook() {
    for case in group("evalCondition") {
        let groups = case[4].as_object().cloned().unwrap_or_default();
        let own = Condition::new(case[1].clone()).holds(&case[2], &groups);
        assert_eq!(own, case[3].as_bool().unwrap(), "{case}");
    }
}

#[test]
fn conditions_that_cannot_be_are_refused() {
    for (text, why) in [
        (r#"{"a": {"$regx": "x"}}"#, "$regx"),
        (r#"{"a": {"$regex": "("}}"#, "$regex"),
        (r#"{"$or": {"a": 1}}"#, "$or"),
        (r#"{"$and": [{"a": {"$what": 1}}]}"#, "$what"),
    ] {
        let fault = Condition::read(text).unwrap_err();
        assert!(fault.contains(why), "{text}: {fault}");
    }
    Condition::read(r#"{"country": {"$in": ["DE", "AT"]}, "$not": {"plan": "free"}}"#).unwrap();
}

fn experiment(given: &Value, features: &Value) -> Experiment {
    let text = |name: &str| given[name].as_str().map(str::to_owned);
    let filter = |filter: &Value| Filter {
        seed: filter["seed"].as_str().unwrap().to_owned(),
        ranges: ranges(&filter["ranges"]),
        version: filter["hashVersion"].as_u64().unwrap_or(2) as u32,
        attribute: filter["attribute"].as_str().unwrap_or("id").to_owned(),
    };
    let parent = |parent: &Value| {
        let flag = &features[parent["id"].as_str().unwrap()];
        let given = json!({"value": flag["defaultValue"]});
        (given, Condition::new(parent["condition"].clone()))
    };
    let list = |name: &str| given[name].as_array().cloned().unwrap_or_default();
    Experiment {
        key: text("key").unwrap(),
        variations: list("variations").len(),
        active: given["active"].as_bool().unwrap_or(true),
        coverage: given["coverage"].as_f64().unwrap_or(1.0),
        weights: numbers(&given["weights"]),
        ranges: given["ranges"].is_array().then(|| ranges(&given["ranges"])),
        seed: text("seed"),
        version: given["hashVersion"].as_u64().unwrap_or(1) as u32,
        attribute: text("hashAttribute").unwrap_or("id".to_owned()),
        namespace: given["namespace"]
            .is_array()
            .then(|| namespace(&given["namespace"])),
        filters: list("filters").iter().map(filter).collect(),
        condition: given["condition"]
            .is_object()
            .then(|| Condition::new(given["condition"].clone())),
        prerequisites: list("parentConditions").iter().map(parent).collect(),
        force: given["force"]
            .as_i64()
            .map(|at| usize::try_from(at).unwrap_or(usize::MAX)),
    }
}

#[test]
fn outcomes_are_growthbook_s() {
    for case in group("run") {
        let (context, given) = (&case[1], &case[2]);
        let experiment = experiment(given, &context["features"]);
        let none = json!({});
        let groups = context["savedGroups"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        let asked = Context {
            attributes: context.get("attributes").unwrap_or(&none),
            groups: &groups,
            url: context["url"].as_str().unwrap_or_default(),
            forced: context["forcedVariations"][&experiment.key]
                .as_u64()
                .map(|at| at as usize),
            is_test: context["qaMode"].as_bool().unwrap_or_default(),
        };
        // Switched off as a whole, nobody is asked.
        let is_on = context["enabled"].as_bool().unwrap_or(true);
        let outcome = match is_on {
            true => growthbook::run(&experiment, &asked),
            false => Outcome::OUTSIDE,
        };
        assert_eq!(given["variations"][outcome.variation], case[3], "{case}");
        assert_eq!(json!(outcome.included), case[4], "{case}");
        assert_eq!(json!(outcome.hashed), case[5], "{case}");
    }
}

#[test]
fn recorded_answers_of_the_sdk_are_ours() {
    let all: Value = serde_json::from_str(RECORDED).unwrap();
    let mut count = 0;
    for recorded in all["experiments"].as_array().unwrap() {
        let experiment = experiment(&recorded["experiment"], &Value::Null);
        for row in recorded["assignments"].as_array().unwrap() {
            let attributes = json!({"id": row["id"]});
            let context = Context {
                attributes: &attributes,
                groups: &Map::new(),
                url: "",
                forced: None,
                is_test: false,
            };
            let outcome = growthbook::run(&experiment, &context);
            assert_eq!(json!(outcome.included), row["in_experiment"], "{row}");
            assert_eq!(
                outcome.variation as u64,
                row["variation"].as_u64().unwrap(),
                "{row}"
            );
            if let Some(wanted) = row["bucket"].as_f64() {
                let seed = experiment.seed.as_deref().unwrap_or(&experiment.key);
                let own = growthbook::hash(seed, row["id"].as_str().unwrap(), experiment.version);
                assert_eq!(own, Some(wanted), "{row}");
            }
            count += 1;
        }
    }
    assert_eq!(count, 1284);
}
