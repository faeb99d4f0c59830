//! The sixteen presets of a tenant's profile, and single figures changed within bounds.
//! Relevance keeps what salience and recency do not take, and they cannot take most.

use super::decay;
use super::score::Weights;

/// How memories are ranked besides relevance.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Ranking {
    /// The part of salience.
    pub salience_weight: f64,
    /// The part of recency.
    pub recency_weight: f64,
}

impl Ranking {
    /// The part that is left for relevance.
    pub fn relevance_weight(&self) -> f64 {
        1.0 - self.salience_weight - self.recency_weight
    }
}

/// How the context block is made.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Template {
    /// Tokens the block may have.
    pub max_tokens: u32,
}

/// A whole profile.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Profile {
    /// How memories fade.
    pub decay_profile: decay::Profile,
    /// How they are ranked.
    pub retrieval: Ranking,
    /// How the block is made.
    pub injection_template: Template,
    /// How much each signal counts.
    pub signal_weights: Weights,
}

/// A profile with a name.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// How it is asked for.
    pub name: &'static str,
    /// Of which kind it is.
    pub group: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What it sets.
    pub effective: Profile,
}

/// What a tenant has that chose nothing.
pub const DEFAULT: &str = "default";

const fn preset(
    (name, group, description): (&'static str, &'static str, &'static str),
    (base_rate, processing_boost): (f64, f64),
    max_tokens: u32,
    (salience_weight, recency_weight): (f64, f64),
    [sdv, cscv, lcs, swv, pdv]: [f64; 5],
) -> Preset {
    Preset {
        name,
        group,
        description,
        effective: Profile {
            decay_profile: decay::Profile {
                base_rate,
                processing_boost,
            },
            retrieval: Ranking {
                salience_weight,
                recency_weight,
            },
            injection_template: Template { max_tokens },
            signal_weights: Weights {
                sdv,
                cscv,
                lcs,
                swv,
                pdv,
            },
        },
    }
}

const PLAIN: [f64; 5] = [0.30, 0.20, 0.20, 0.20, 0.10];
const FEELING: [f64; 5] = [0.30, 0.20, 0.10, 0.30, 0.10];
const FACTS: [f64; 5] = [0.25, 0.20, 0.35, 0.10, 0.10];
const HABITS: [f64; 5] = [0.20, 0.35, 0.20, 0.10, 0.15];

/// All of them. The first five tendencies are documented by the vendor; the other
/// names and all figures are the project's own.
#[rustfmt::skip]
pub static PRESETS: [Preset; 16] = [
    preset(("default", "core", "Balanced: for applications without a special need."), (0.01, 0.5), 4000, (0.15, 0.10), PLAIN),
    preset(("reflective", "core", "Journalling and therapy: slow decay, a larger budget, feelings count."), (0.004, 0.5), 8000, (0.20, 0.05), FEELING),
    preset(("customer_service", "core", "Support: strong recency, faster decay, a small budget."), (0.05, 0.3), 1500, (0.05, 0.30), FACTS),
    preset(("education", "core", "Learning: practice keeps material, what is not practised fades."), (0.02, 1.0), 3000, (0.15, 0.10), HABITS),
    preset(("healthcare", "core", "Care: conservative, nothing fades quickly."), (0.003, 0.3), 6000, (0.15, 0.05), PLAIN),
    preset(("companion", "personal", "Friendly conversation over months: people and events stay."), (0.006, 0.7), 5000, (0.20, 0.10), FEELING),
    preset(("coaching", "personal", "Goals and habits: what comes back counts most."), (0.01, 1.0), 4000, (0.20, 0.10), HABITS),
    preset(("wellness", "personal", "Mood and routines: recent weeks with a long memory for events."), (0.01, 0.5), 4000, (0.20, 0.15), FEELING),
    preset(("personal_assistant", "personal", "Errands, preferences and plans of one person."), (0.015, 0.8), 3000, (0.10, 0.15), PLAIN),
    preset(("sales", "business", "Accounts and deals: recent facts first."), (0.03, 0.5), 2500, (0.10, 0.20), FACTS),
    preset(("recruiting", "business", "Candidates: facts stay for the length of a search."), (0.015, 0.4), 3000, (0.10, 0.10), FACTS),
    preset(("project_management", "business", "Decisions and deadlines: recent ones first."), (0.03, 0.6), 4000, (0.10, 0.25), FACTS),
    preset(("legal", "specialist", "Matters: nearly no decay, a large budget, facts count."), (0.001, 0.2), 8000, (0.10, 0.05), FACTS),
    preset(("research", "specialist", "Reading and notes: content counts, slow decay."), (0.005, 0.8), 8000, (0.10, 0.05), FACTS),
    preset(("gaming", "specialist", "Characters and worlds: a story is kept, small talk is not."), (0.02, 0.8), 3000, (0.15, 0.15), FEELING),
    preset(("ephemeral", "specialist", "Little is kept: fast decay and the smallest budget."), (0.2, 0.1), 1000, (0.05, 0.30), PLAIN),
];

/// The preset of a name.
pub fn named(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// Why a figure was not changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Refused {
    /// There is no such section or key.
    Unknown,
    /// It must lie from the first to the second.
    Bounds(f64, f64),
    /// It must be a whole number.
    Whole,
}

struct Figure {
    section: &'static str,
    key: &'static str,
    least: f64,
    most: f64,
    set: fn(&mut Profile, f64),
}

#[rustfmt::skip]
static FIGURES: [Figure; 10] = [
    Figure { section: "decay_profile", key: "base_rate", least: 0.0, most: 1.0, set: |p, v| p.decay_profile.base_rate = v },
    Figure { section: "decay_profile", key: "processing_boost", least: 0.0, most: 5.0, set: |p, v| p.decay_profile.processing_boost = v },
    Figure { section: "retrieval", key: "salience_weight", least: 0.0, most: 0.3, set: |p, v| p.retrieval.salience_weight = v },
    Figure { section: "retrieval", key: "recency_weight", least: 0.0, most: 0.3, set: |p, v| p.retrieval.recency_weight = v },
    Figure { section: "injection_template", key: "max_tokens", least: 100.0, most: 32_000.0, set: |p, v| p.injection_template.max_tokens = v as u32 },
    Figure { section: "signal_weights", key: "sdv", least: 0.0, most: 1.0, set: |p, v| p.signal_weights.sdv = v },
    Figure { section: "signal_weights", key: "cscv", least: 0.0, most: 1.0, set: |p, v| p.signal_weights.cscv = v },
    Figure { section: "signal_weights", key: "lcs", least: 0.0, most: 1.0, set: |p, v| p.signal_weights.lcs = v },
    Figure { section: "signal_weights", key: "swv", least: 0.0, most: 1.0, set: |p, v| p.signal_weights.swv = v },
    Figure { section: "signal_weights", key: "pdv", least: 0.0, most: 1.0, set: |p, v| p.signal_weights.pdv = v },
];

/// The keys of a section, none of an unknown one.
pub fn keys(section: &str) -> impl Iterator<Item = &'static str> {
    FIGURES
        .iter()
        .filter(move |figure| figure.section == section)
        .map(|figure| figure.key)
}

impl Profile {
    /// Changes one figure, or says why not and changes nothing.
    pub fn set(&mut self, section: &str, key: &str, value: f64) -> Result<(), Refused> {
        let figure = FIGURES
            .iter()
            .find(|figure| figure.section == section && figure.key == key)
            .ok_or(Refused::Unknown)?;
        if !(figure.least..=figure.most).contains(&value) {
            return Err(Refused::Bounds(figure.least, figure.most));
        }
        if key == "max_tokens" && value.fract() != 0.0 {
            return Err(Refused::Whole);
        }
        (figure.set)(self, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_sixteen_within_their_own_bounds() {
        let mut names: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 16);
        for name in [
            "reflective",
            "customer_service",
            "education",
            "healthcare",
            DEFAULT,
        ] {
            assert_eq!(named(name).unwrap().group, "core");
        }
        for preset in &PRESETS {
            let profile = preset.effective;
            let weights = profile.signal_weights;
            let sum = weights.sdv + weights.cscv + weights.lcs + weights.swv + weights.pdv;
            assert!((sum - 1.0).abs() < 1e-9, "{}", preset.name);
            assert!(
                profile.retrieval.relevance_weight() >= 0.6,
                "{}",
                preset.name
            );
        }
    }

    #[test]
    fn figures_are_changed_within_bounds() {
        let mut profile = named(DEFAULT).unwrap().effective;
        assert_eq!(profile.set("decay_profile", "base_rate", 0.02), Ok(()));
        assert_eq!(
            profile.set("injection_template", "max_tokens", 8000.0),
            Ok(())
        );
        let before = profile;
        assert_eq!(
            profile.set("decay_profile", "base_rate", 1.5),
            Err(Refused::Bounds(0.0, 1.0))
        );
        assert_eq!(
            profile.set("decay_profile", "base_rate", f64::NAN),
            Err(Refused::Bounds(0.0, 1.0))
        );
        assert_eq!(
            profile.set("decay_profile", "speed", 1.0),
            Err(Refused::Unknown)
        );
        assert_eq!(
            profile.set("injection_template", "max_tokens", 100.5),
            Err(Refused::Whole)
        );
        assert_eq!(profile, before);
        assert_eq!(
            keys("retrieval").collect::<Vec<_>>(),
            ["salience_weight", "recency_weight"]
        );
    }
}
