//! The states of an experiment and the ways between them.

use super::bandit;
use crate::api::apex::growth::v1 as pb;
use crate::error::{Error, Result};
use crate::products::{micros, timestamp};

pub(super) const DRAFT: &str = "draft";
pub(super) const RUNNING: &str = "running";
pub(super) const PAUSED: &str = "paused";
pub(super) const COMPLETED: &str = "completed";

/// All of them.
pub(super) const ALL: [&str; 4] = [DRAFT, RUNNING, PAUSED, COMPLETED];

/// The state a word stands for.
pub(super) fn of(word: &str) -> Result<&'static str> {
    let known = ALL.into_iter().find(|state| *state == word);
    known.ok_or_else(|| {
        let words = format!("status must be one of {}", ALL.join(", "));
        Error::invalid_field("status", words)
    })
}

/// Brings an experiment into another state, if there is a way. `seen` says whether
/// anybody has seen it.
pub(super) fn turn(experiment: &mut pb::Experiment, to: &str, seen: bool, now: i64) -> Result<()> {
    let to = of(to)?;
    match (experiment.status.as_str(), to) {
        (from, to) if from == to => return Ok(()),
        (DRAFT | PAUSED, RUNNING) => {
            // What began once is not begun again.
            experiment.started_at = experiment.started_at.or(Some(timestamp(now)));
        }
        (RUNNING, PAUSED) => {}
        (RUNNING | PAUSED, COMPLETED) => experiment.completed_at = Some(timestamp(now)),
        (PAUSED, DRAFT) if seen => {
            let words = "status cannot change from paused to draft: visitors have seen the \
                         experiment";
            return Err(Error::invalid_field("status", words));
        }
        (PAUSED, DRAFT) => {
            experiment.started_at = None;
            experiment.weighed_at = None;
            experiment.decided_at = None;
        }
        (from, to) => {
            let words = format!("status cannot change from {from} to {to}");
            return Err(Error::invalid_field("status", words));
        }
    }
    to.clone_into(&mut experiment.status);
    Ok(())
}

/// When there is something to do about an experiment without being asked.
pub(super) fn due(experiment: &pb::Experiment) -> Option<i64> {
    let turns = turns_at(experiment);
    let weighs = weighs_at(experiment);
    turns.into_iter().chain(weighs).min()
}

/// When a bandit's weights are set anew.
fn weighs_at(experiment: &pb::Experiment) -> Option<i64> {
    let is_bandit = experiment.mode == "bandit" && experiment.status == RUNNING;
    let last = experiment.weighed_at.or(experiment.started_at);
    let last = last.as_ref().and_then(micros).filter(|_| is_bandit);
    last.map(|last| last.saturating_add(bandit::EVERY))
}

/// When an experiment changes its state by itself.
pub(super) fn turns_at(experiment: &pb::Experiment) -> Option<i64> {
    let at = match experiment.status.as_str() {
        DRAFT => &experiment.start_at,
        RUNNING | PAUSED => &experiment.stop_at,
        _ => &None,
    };
    at.as_ref().and_then(micros)
}

/// The state an experiment changes to by itself.
pub(super) fn next(experiment: &pb::Experiment) -> &'static str {
    match experiment.status.as_str() {
        DRAFT => RUNNING,
        _ => COMPLETED,
    }
}
