//! What an experiment may be, and how a request makes or changes one.

use prost::Message as _;
use prost_types::Timestamp;
use uuid::Uuid;

use super::condition::Condition;
use super::{buckets, state};
use crate::api::apex::growth::v1 as pb;
use crate::error::{Error, Result};
use crate::products::{micros, timestamp};

/// Fewest and most variants.
const VARIANTS: std::ops::RangeInclusive<usize> = 2..=20;
/// Most bytes of all that is kept of one.
const SIZE: usize = 128 * 1024;

const MODES: [&str; 3] = ["ab", "multivariate", "bandit"];
const DELIVERIES: [&str; 2] = ["snippet", "sdk"];
const BUCKETINGS: [&str; 2] = ["murmur3", "growthbook"];

fn refused(field: &str, why: &str) -> Error {
    Error::invalid_field(field, format!("{field} {why}"))
}

/// One of some words; the first where none is given.
fn word(field: &str, given: &str, known: &[&str]) -> Result<String> {
    match given {
        "" => Ok(known.first().copied().unwrap_or_default().to_owned()),
        given if known.contains(&given) => Ok(given.to_owned()),
        _ => Err(refused(
            field,
            &format!("must be one of {}", known.join(", ")),
        )),
    }
}

/// A new experiment.
pub(super) fn created(request: pb::CreateExperimentRequest, now: i64) -> Result<pb::Experiment> {
    let mut experiment = pb::Experiment {
        id: format!("exp_{}", Uuid::now_v7().simple()),
        name: request.name.trim().to_owned(),
        target_url: request.target_url.trim().to_owned(),
        status: state::DRAFT.to_owned(),
        mode: word("mode", &request.mode, &MODES)?,
        traffic_split: request.traffic_split.unwrap_or(100.0),
        belief_id: request.belief_id,
        goal: request.goal,
        variants: request.variants,
        delivery: word("delivery", &request.delivery, &DELIVERIES)?,
        condition: request.condition,
        namespace: request.namespace,
        holdout: request.holdout,
        forced_visitors: request.forced_visitors,
        bucketing: word("bucketing", &request.bucketing, &BUCKETINGS)?,
        start_at: request.start_at,
        stop_at: request.stop_at,
        created_at: Some(timestamp(now)),
        updated_at: Some(timestamp(now)),
        started_at: None,
        completed_at: None,
        weighed_at: None,
        decided_at: None,
    };
    settle(&mut experiment, None)?;
    Ok(experiment)
}

/// An experiment with the changes of a request. `seen` says whether anybody has seen
/// it.
pub(super) fn changed(
    before: &pb::Experiment,
    request: pb::UpdateExperimentRequest,
    seen: bool,
    now: i64,
) -> Result<pb::Experiment> {
    let mask = request.update_mask.unwrap_or_default().paths;
    let has = |name: &str| mask.iter().any(|path| path == name);
    let mut experiment = before.clone();
    if let Some(late) = mask.iter().find(|path| !is_open(before, path)) {
        let name = crate::transcode::json::mask::camel(late);
        let name = name.as_deref().unwrap_or(late);
        let why = format!("cannot be changed once the experiment is {}", before.status);
        return Err(refused(name, &why));
    }
    if has("name") {
        experiment.name = request.name.trim().to_owned();
    }
    if has("traffic_split") {
        experiment.traffic_split = request.traffic_split.unwrap_or(100.0);
    }
    if has("variants") {
        experiment.variants = request.variants;
    }
    if has("target_url") {
        experiment.target_url = request.target_url.trim().to_owned();
    }
    if has("belief_id") {
        experiment.belief_id = request.belief_id;
    }
    if has("mode") {
        experiment.mode = word("mode", &request.mode, &MODES)?;
    }
    if has("delivery") {
        experiment.delivery = word("delivery", &request.delivery, &DELIVERIES)?;
    }
    if has("goal") {
        experiment.goal = request.goal;
    }
    if has("condition") {
        experiment.condition = request.condition;
    }
    if has("namespace") {
        experiment.namespace = request.namespace;
    }
    if has("holdout") {
        experiment.holdout = request.holdout;
    }
    if has("forced_visitors") {
        experiment.forced_visitors = request.forced_visitors;
    }
    if has("bucketing") {
        experiment.bucketing = word("bucketing", &request.bucketing, &BUCKETINGS)?;
    }
    if has("start_at") {
        experiment.start_at = request.start_at;
    }
    if has("stop_at") {
        experiment.stop_at = request.stop_at;
    }
    // A draft is nobody's yet; from then on visitors stay where they are.
    let kept = (before.status != state::DRAFT).then(|| buckets::owners(&before.variants));
    settle(&mut experiment, kept.as_ref())?;
    if kept.is_some_and(|kept| kept != buckets::owners(&experiment.variants)) {
        experiment.weighed_at = Some(timestamp(now));
    }
    if has("status") {
        state::turn(&mut experiment, &request.status, seen, now)?;
    }
    experiment.updated_at = Some(timestamp(now));
    Ok(experiment)
}

/// Whether a member may still be changed.
fn is_open(experiment: &pb::Experiment, member: &str) -> bool {
    match experiment.status.as_str() {
        state::DRAFT => true,
        // Another rule would show everybody another variant.
        state::RUNNING | state::PAUSED => !matches!(member, "mode" | "delivery" | "bucketing"),
        _ => matches!(member, "id" | "status" | "name" | "belief_id"),
    }
}

/// Checks an experiment as a whole and gives its variants their ids and buckets.
fn settle(experiment: &mut pb::Experiment, kept: Option<&buckets::Owners>) -> Result<()> {
    required("name", &experiment.name)?;
    required("targetUrl", &experiment.target_url)?;
    let count = experiment.variants.len();
    if !VARIANTS.contains(&count) {
        let (least, most) = (VARIANTS.start(), VARIANTS.end());
        let why = format!("must have {least} to {most} elements");
        return Err(refused("variants", &why));
    }
    for (at, variant) in experiment.variants.iter_mut().enumerate() {
        variant.id = variant_id(at);
        variant.name = variant.name.trim().to_owned();
        for (number, change) in variant.changes.iter().enumerate() {
            check_change(&format!("variants[{at}].changes[{number}]"), change)?;
        }
    }
    let weights = buckets::weights(&experiment.variants);
    if weights.iter().sum::<f64>() <= 0.0 {
        return Err(refused(
            "variants",
            "must have a weight that is more than 0",
        ));
    }
    let owners = match kept {
        Some(before) => buckets::by_other_weights(before, &weights),
        None => buckets::by_weights(&weights),
    };
    buckets::tell(&mut experiment.variants, &owners);
    if let Some(goal) = &experiment.goal {
        check_goal(goal)?;
    }
    if let Some(condition) = &experiment.condition {
        Condition::read(condition).map_err(|why| refused("condition", &why))?;
    }
    if let Some(namespace) = &experiment.namespace
        && namespace.from >= namespace.to
    {
        return Err(refused("namespace.to", "must be more than namespace.from"));
    }
    if let Some(holdout) = &mut experiment.holdout
        && holdout.name.is_empty()
    {
        "default".clone_into(&mut holdout.name);
    }
    for (at, forced) in experiment.forced_visitors.iter().enumerate() {
        if !experiment
            .variants
            .iter()
            .any(|own| own.id == forced.variant)
        {
            let field = format!("forcedVisitors[{at}].variant");
            return Err(refused(&field, "is no variant of the experiment"));
        }
    }
    if experiment.bucketing == "growthbook" && experiment.delivery != "sdk" {
        return Err(refused(
            "bucketing",
            "can be growthbook only with delivery sdk",
        ));
    }
    let start = plain_time("startAt", &mut experiment.start_at)?;
    let stop = plain_time("stopAt", &mut experiment.stop_at)?;
    if start.zip(stop).is_some_and(|(start, stop)| stop <= start) {
        return Err(refused("stopAt", "must be after startAt"));
    }
    if experiment.encoded_len() > SIZE {
        let words = format!("The experiment is larger than {SIZE} bytes");
        return Err(Error::invalid(words));
    }
    Ok(())
}

fn required(field: &str, text: &str) -> Result<()> {
    match text {
        "" => Err(refused(field, "is required")),
        _ => Ok(()),
    }
}

/// `control`, `variant_b`, `variant_c` …
pub(super) fn variant_id(at: usize) -> String {
    match u8::try_from(at) {
        Ok(0) => "control".to_owned(),
        Ok(at @ 1..26) => format!("variant_{}", char::from(b'a' + at)),
        _ => format!("variant_{at}"),
    }
}

/// A time, without what is finer than a microsecond.
fn plain_time(field: &str, time: &mut Option<Timestamp>) -> Result<Option<i64>> {
    let Some(given) = time else {
        return Ok(None);
    };
    let plain = micros(given).ok_or_else(|| refused(field, "is out of range"))?;
    *time = Some(timestamp(plain));
    Ok(Some(plain))
}

fn check_change(field: &str, change: &pb::Change) -> Result<()> {
    let has = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let need = |name: &str, there: bool| match there {
        true => Ok(()),
        false => Err(refused(&format!("{field}.{name}"), "is required")),
    };
    match change.r#type.as_str() {
        "text" => {
            need(
                "selector",
                has(&change.selector) || has(&change.original_value),
            )?;
            need("value", change.value.is_some())
        }
        "redirect" => {
            let url = change.url.as_deref().unwrap_or_default();
            need("url", !url.is_empty())?;
            let is_path = url.starts_with('/') && !url.starts_with("//");
            let lower = url.to_ascii_lowercase();
            // Nothing that runs, such as `javascript:`.
            match is_path || lower.starts_with("https://") || lower.starts_with("http://") {
                true => Ok(()),
                false => Err(refused(
                    &format!("{field}.url"),
                    "must be a path or an http or https URL",
                )),
            }
        }
        "code" => need("js", has(&change.js) || has(&change.css)),
        _ => Err(refused(
            &format!("{field}.type"),
            "must be one of text, redirect, code",
        )),
    }
}

fn check_goal(goal: &pb::ExperimentGoal) -> Result<()> {
    let need = |name: &str, text: &Option<String>| match text.as_deref() {
        None | Some("") => Err(refused(&format!("goal.{name}"), "is required")),
        Some(_) => Ok(()),
    };
    match goal.r#type.as_str() {
        "" => Err(refused("goal.type", "is required")),
        "form_submit" => Ok(()),
        "page_visit" => need("urlPattern", &goal.url_pattern),
        "click" => need("selector", &goal.selector),
        "custom_event" => need("eventName", &goal.event_name),
        _ => Err(refused(
            "goal.type",
            "must be one of form_submit, page_visit, click, custom_event",
        )),
    }
}
