//! Which events are conversions of an experiment.

use std::collections::HashSet;

use crate::api::apex::growth::v1 as pb;
use crate::error::Result;
use crate::events::{Day, Moment, Reading, Span, Walk};
use crate::products::growth::goals::{ConversionGoal, Conversions as Goals};
use crate::products::growth::names::{CONVERTED, FORM, PAGE_VIEWS, USUAL};
use crate::products::growth::pattern;

/// What is a conversion: events that one of some goals names, and `goal_conversion`
/// events that name the goal or the experiment themselves.
#[derive(Debug)]
pub(super) struct Wanted {
    goals: Vec<pb::ExperimentGoal>,
    told: Vec<String>,
    /// Events of these names, whatever they say.
    usual: &'static [&'static str],
}

impl Wanted {
    /// The conversions of an experiment: of the goal asked for, if one is, else of its
    /// own, else what counts in the project.
    pub(super) fn of(experiment: &pb::Experiment, asked: &str, project: &Goals) -> Self {
        let defined = || project.goals.iter().map(ConversionGoal::of_experiment);
        let (goals, own): (Vec<_>, &str) = match &experiment.goal {
            _ if !asked.is_empty() => {
                let is_it = |goal: &pb::ExperimentGoal| goal.conversion_goal_id() == asked;
                let goal = defined().filter(is_it);
                (goal.collect(), asked)
            }
            Some(goal) => (vec![goal.clone()], &experiment.id),
            None => (defined().collect(), &experiment.id),
        };
        let is_usual = asked.is_empty() && goals.is_empty();
        let ids = goals
            .iter()
            .filter_map(|goal| goal.conversion_goal_id.clone());
        Self {
            told: ids.chain([own.to_owned()]).collect(),
            goals,
            usual: if is_usual { &USUAL } else { &[] },
        }
    }

    /// Names of the events that are looked at.
    pub(super) fn names(&self) -> Vec<String> {
        let of_goal = |goal: &pb::ExperimentGoal| match goal.r#type.as_str() {
            "custom_event" => goal.event_name.clone().into_iter().collect(),
            "form_submit" => vec![FORM.to_owned()],
            "page_visit" => PAGE_VIEWS.map(str::to_owned).to_vec(),
            _ => Vec::new(),
        };
        let of_goals = self.goals.iter().flat_map(of_goal);
        let mut names: Vec<String> = of_goals.chain(USUAL.map(str::to_owned)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The same in the numbers of a reading.
    pub(super) async fn find(&self, reading: &mut Reading, span: &Span) -> Result<Conversions> {
        let mut found = Conversions {
            converted: reading.number(CONVERTED).await?,
            ..Conversions::default()
        };
        for told in &self.told {
            found.told.push(reading.number(told).await?);
        }
        for name in self.usual {
            found.names.push(reading.number(name).await?);
        }
        let mut patterns = Vec::new();
        for goal in &self.goals {
            match goal.r#type.as_str() {
                "custom_event" => {
                    let name = goal.event_name();
                    found.names.push(reading.number(name).await?);
                }
                // Which form it was, pages tell by the event of the goal.
                "form_submit" if goal.form_selector().is_empty() => {
                    found.names.push(reading.number(FORM).await?);
                }
                "page_visit" => patterns.extend(goal.url_pattern.as_deref()),
                _ => {}
            }
        }
        if !patterns.is_empty() {
            found.paths = matching(reading, span, &patterns).await?;
            for view in PAGE_VIEWS {
                found.views.push(reading.number(view).await?);
            }
        }
        Ok(found)
    }
}

/// What counts as a conversion: the numbers of a reading's texts.
#[derive(Debug, Default)]
pub(super) struct Conversions {
    /// Events of these names.
    names: Vec<u32>,
    /// Page views, of these paths.
    views: Vec<u32>,
    paths: HashSet<u32>,
    /// The event that tells which goal was met, if it is one of these.
    converted: u32,
    told: Vec<u32>,
}

impl Conversions {
    /// Whether an event is one. `goal` is the one it says was met.
    pub(super) fn has(&self, moment: &Moment, goal: u32) -> bool {
        self.names.contains(&moment.name)
            || moment.name == self.converted && self.told.contains(&goal)
            || self.views.contains(&moment.name) && self.paths.contains(&moment.path)
    }
}

/// Numbers of the paths in a span that are like a pattern.
async fn matching(reading: &mut Reading, span: &Span, patterns: &[&str]) -> Result<HashSet<u32>> {
    let views = Span {
        names: Some(PAGE_VIEWS.map(str::to_owned).to_vec()),
        ..span.clone()
    };
    let Paths(seen) = reading.walk(&views, Paths::default()).await?;
    let texts = reading.texts(seen).await?;
    let is_one = |path: &str| patterns.iter().any(|own| pattern::is_like(own, path));
    let fitting = texts.into_iter().filter(|(_, path)| is_one(path));
    Ok(fitting.map(|(number, _)| number).collect())
}

/// The paths there are.
#[derive(Debug, Default)]
struct Paths(HashSet<u32>);

impl Walk for Paths {
    fn day(&mut self, day: Day<'_>) -> Result<()> {
        self.0.extend(day.rows.iter().map(|row| row.path));
        Ok(())
    }
}
