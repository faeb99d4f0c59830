//! What may be believed: who wins, if anybody does, and why nobody does.

use crate::api::apex::growth::v1 as pb;
use crate::products::growth::stats::holm;

/// Visitors per variant without which nothing is said.
const FLOOR: i64 = 100;
/// Chance of a false alarm.
const ALPHA: f64 = 0.05;

/// A verdict.
#[derive(Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) word: &'static str,
    pub(super) reason: String,
    /// The winner, by its place among the variants.
    pub(super) winner: Option<usize>,
    pub(super) significant: bool,
    /// How sure it is that each variant differs, control's being `None`.
    pub(super) confidence: Vec<Option<f64>>,
}

/// Judges the shares of visitors who convert. `analysis` compares every variant with
/// the first; nothing can be believed of an `uneven` split.
pub(super) fn of(
    variants: &[pb::VariantResult],
    analysis: &pb::AnalyzeExperimentResponse,
    uneven: bool,
) -> Verdict {
    let compared = analysis.comparisons.iter().map(|one| {
        let scales = one.frequentist.as_ref()?;
        // Whether rates differ does not hang on how well the rate of control is known.
        let tested = scales.absolute.as_ref()?.sequential.as_ref()?;
        Some((scales.relative.as_ref()?.effect?, tested.p_value))
    });
    let compared: Vec<Option<(f64, f64)>> = compared.collect();
    let known: Vec<f64> = compared.iter().flatten().map(|(_, p)| *p).collect();
    let mut adjusted = holm(&known).into_iter();
    let judged = compared.iter().map(|one| {
        let (effect, _) = (*one)?;
        Some((effect, adjusted.next()?))
    });
    let judged: Vec<Option<(f64, f64)>> = std::iter::once(None).chain(judged).collect();
    let confidence = judged.iter().map(|one| one.map(|(_, p)| 1.0 - p)).collect();
    let say = |word, reason: String, winner, significant| Verdict {
        word,
        reason,
        winner,
        significant,
        confidence,
    };
    let all: i64 = variants.iter().map(|own| own.visitors).sum();
    if all == 0 {
        return say(
            "not_enough_data",
            "Nobody has seen the experiment yet".to_owned(),
            None,
            false,
        );
    }
    if let Some(few) = variants.iter().find(|own| own.visitors < FLOOR) {
        let reason = format!(
            "{} has {} visitors; every variant needs {FLOOR}",
            few.id, few.visitors
        );
        return say("not_enough_data", reason, None, false);
    }
    if known.is_empty() {
        return say("not_enough_data", undefined(analysis), None, false);
    }
    if uneven {
        let reason = "Visitors are not split as they should be: something loses some of them";
        return say("invalid_split", reason.to_owned(), None, false);
    }
    let differs = |one: &Option<(f64, f64)>| one.is_some_and(|(_, p)| p < ALPHA);
    let significant = judged.iter().any(differs);
    let better = judged.iter().enumerate().filter_map(|(at, one)| {
        let (effect, p) = (*one)?;
        (p < ALPHA && effect > 0.0).then_some((at, effect))
    });
    let best = better.max_by(|(_, one), (_, other)| one.total_cmp(other));
    if let Some((winner, effect)) = best {
        let id = &variants[winner].id;
        let reason = format!("{id} converts {:+.1} % compared to control", effect * 100.0);
        return say("winner", reason, Some(winner), true);
    }
    let is_worse =
        |one: &Option<(f64, f64)>| one.is_some_and(|(effect, p)| p < ALPHA && effect < 0.0);
    if judged.iter().skip(1).all(is_worse) {
        return say(
            "control",
            "Every variant converts less than control".to_owned(),
            Some(0),
            true,
        );
    }
    let reason = "No variant converts more than control beyond doubt so far";
    say("no_difference", reason.to_owned(), None, significant)
}

/// Why nothing could be compared, in words.
fn undefined(analysis: &pb::AnalyzeExperimentResponse) -> String {
    let codes = analysis.comparisons.iter().filter_map(|one| {
        let relative = one.frequentist.as_ref()?.relative.as_ref()?;
        relative.reason.as_deref()
    });
    let words = codes.map(|code| match code {
        "ZERO_BASELINE" => "Nobody who saw control has converted",
        "ZERO_VARIANCE" => "Of a variant everybody converts, or nobody",
        _ => "There are too few visitors",
    });
    words.take(1).collect::<String>()
}
