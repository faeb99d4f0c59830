//! What of an event's free properties per-visitor questions ask for: which variants
//! of experiments it tells of, and which goal was met.

use serde::Deserialize;
use serde_json::Value;

/// Most bytes of an id.
const LONGEST: usize = 255;
/// Experiments one event tells of at the most.
const MOST: usize = 50;

/// The event that tells of one experiment.
pub(super) const VIEWED: &str = "experiment_viewed";
/// The event that tells of a goal.
pub(super) const CONVERTED: &str = "goal_conversion";

/// The column of properties, where they are needed: most events have none that are.
pub(super) const COLUMN: &str = "CASE WHEN name IN ('experiment_viewed', 'goal_conversion') \
    OR properties LIKE '%\"assignments\"%' THEN properties END AS properties";

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Properties {
    assignments: Value,
    experiment_id: Value,
    variant: Value,
    goal: Value,
    goal_id: Value,
}

/// What the properties of an event tell.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Experiments and the variants that were seen.
    pub(super) exposures: Vec<(String, String)>,
    /// The goal that was met.
    pub(super) goal: Option<String>,
}

impl Told {
    /// Reads the properties of an event of this name.
    pub(super) fn of(name: &str, properties: &str) -> Self {
        let Ok(own) = serde_json::from_str::<Properties>(properties) else {
            return Self::default();
        };
        let mut told = Self::default();
        if let Value::Object(assignments) = &own.assignments {
            let pairs = assignments.iter().take(MOST);
            let pairs = pairs.filter_map(|(experiment, variant)| {
                Some((kept(experiment)?, variant.as_str().and_then(kept)?))
            });
            told.exposures.extend(pairs);
        }
        if name == VIEWED
            && let (Some(experiment), Some(variant)) =
                (text(&own.experiment_id), text(&own.variant))
        {
            told.exposures.push((experiment, variant));
        }
        if name == CONVERTED {
            let goal = text(&own.goal).or_else(|| text(&own.goal_id));
            // That of an experiment has no name of its own.
            told.goal = goal.or_else(|| text(&own.experiment_id));
        }
        told
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().and_then(kept)
}

/// A text as it is kept: not empty, not too long, and without U+0000.
fn kept(text: &str) -> Option<String> {
    let fits = !text.is_empty() && text.len() <= LONGEST && !text.contains('\0');
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_tell_of_exposures_and_goals() {
        let seen = Told::of(
            "pageview",
            r#"{"assignments": {"exp_1": "control", "exp_2": 3, "": "x"}, "goal": "no"}"#,
        );
        assert_eq!(seen.exposures, [("exp_1".to_owned(), "control".to_owned())]);
        assert_eq!(seen.goal, None);
        let viewed = Told::of(VIEWED, r#"{"experimentId": "e", "variant": "variant_b"}"#);
        assert_eq!(viewed.exposures, [("e".to_owned(), "variant_b".to_owned())]);
        let met = Told::of(CONVERTED, r#"{"goal": {}, "goalId": "cg_1"}"#);
        assert_eq!(met.goal.as_deref(), Some("cg_1"));
        let met = Told::of(
            CONVERTED,
            r#"{"experimentId": "exp_1", "variant": "control"}"#,
        );
        assert_eq!(met.goal.as_deref(), Some("exp_1"));
        assert_eq!(Told::of(VIEWED, "[]"), Told::default());
        assert_eq!(
            Told::of("click", r#"{"experimentId": "e", "variant": "v"}"#),
            Told::default()
        );
    }
}
