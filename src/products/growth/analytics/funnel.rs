//! Funnels: who took steps one after another. For every step a visitor reached, the
//! latest first step it was reached from is remembered: whatever can still be reached
//! from an earlier one can be reached from it.

use super::window::{Window, asked, persons};
use super::{Growth, people};
use crate::api::apex::growth::v1 as pb;
use crate::error::{Error, Result};
use crate::events::{Day, PerVisitor, Reading, Walk};
use crate::products::growth::names::PAGE_VIEWS;
use crate::server::Call;

/// Seven days, in microseconds.
const WINDOW: i64 = 7 * 86_400 * 1_000_000;
/// No first step.
const NEVER: i64 = i64::MIN;

/// A step to be taken.
struct Step {
    names: Vec<u32>,
    path: Option<u32>,
    goal: Option<u32>,
}

/// How far each visitor got.
struct Funnel {
    steps: Vec<Step>,
    window: i64,
    /// Whether only the very first first step counts.
    first_only: bool,
    /// Where the steps of a visitor begin among all, from 1.
    places: PerVisitor<u32>,
    /// The first step from which each step was reached last.
    starts: Vec<i64>,
}

impl Funnel {
    /// The steps a moment matches, as bits.
    fn matched(&self, day: &Day<'_>, row: &crate::events::Moment) -> u32 {
        let mut matched = 0;
        for (at, step) in self.steps.iter().enumerate() {
            let goal = || day.detail(row).map_or(0, |detail| detail.goal);
            let is = step.names.contains(&row.name)
                && step.path.is_none_or(|path| path == row.path)
                && step.goal.is_none_or(|wanted| wanted == goal());
            matched |= u32::from(is) << at;
        }
        matched
    }

    fn take(&mut self, visitor: u32, time: i64, matched: u32) -> Result<()> {
        let count = self.steps.len();
        let place = self.places.of(visitor)?;
        if *place == 0 {
            if matched & 1 == 0 {
                return Ok(());
            }
            *place = (self.starts.len() / count) as u32 + 1;
            self.starts.resize(self.starts.len() + count, NEVER);
        }
        let begin = (*place as usize - 1) * count;
        let starts = &mut self.starts[begin..begin + count];
        // From the last step to the first: what happens at one time is no sequence.
        for at in (1..count).rev() {
            let start = starts[at - 1];
            if matched >> at & 1 == 1 && start != NEVER && time - start <= self.window {
                starts[at] = starts[at].max(start);
            }
        }
        if matched & 1 == 1 && (starts[0] == NEVER || !self.first_only) {
            starts[0] = time;
        }
        Ok(())
    }

    /// How many reached each step.
    fn counts(&self) -> Vec<i64> {
        let mut counts = vec![0; self.steps.len()];
        for starts in self.starts.chunks(self.steps.len()) {
            for (count, start) in counts.iter_mut().zip(starts) {
                *count += i64::from(*start != NEVER);
            }
        }
        counts
    }
}

impl Walk for Funnel {
    fn day(&mut self, day: Day<'_>) -> Result<()> {
        let together = day
            .rows
            .chunk_by(|one, next| (one.visitor, one.time) == (next.visitor, next.time));
        for rows in together {
            let first = &rows[0];
            if first.visitor == 0 {
                continue;
            }
            let matched = rows.iter().map(|row| self.matched(&day, row));
            let matched = matched.fold(0, |all, own| all | own);
            if matched != 0 {
                self.take(first.visitor, first.time, matched)?;
            }
        }
        Ok(())
    }
}

impl Growth {
    pub(super) async fn funnel(
        &self,
        call: &Call,
        request: &pb::QueryFunnelRequest,
    ) -> Result<pb::QueryFunnelResponse> {
        let project = call.project()?;
        let window = Window::of(asked!(request), &project, self.0.clock.micros())?;
        let persons = persons(&request.unit)?;
        let first_only = match request.start.as_str() {
            "" | "any" => false,
            "first" => true,
            _ => {
                let words = "start must be one of any, first";
                return Err(Error::invalid_field("start", words));
            }
        };
        let mut reading = self.0.events.reading(&project, call.deadline()).await?;
        if persons {
            people::merge(&mut reading, project.id).await?;
        }
        let mut steps = Vec::new();
        let mut names: Vec<String> = Vec::new();
        for step in &request.steps {
            let own = types(&step.r#type);
            steps.push(step_of(&mut reading, step, &own).await?);
            names.extend(own);
        }
        names.sort();
        names.dedup();
        let funnel = Funnel {
            steps,
            window: request
                .window_seconds
                .map_or(WINDOW, |seconds| (seconds * 1e6).round() as i64),
            first_only,
            places: PerVisitor::default(),
            starts: Vec::new(),
        };
        let funnel = reading.walk(&window.span(Some(names)), funnel).await?;
        let counts = funnel.counts();
        let whole = counts.first().copied().unwrap_or(0);
        let named = request.steps.iter().zip(counts);
        Ok(pb::QueryFunnelResponse {
            steps: named
                .map(|(step, count)| pb::StepCount {
                    name: name_of(step),
                    count,
                    conversion_rate: match whole {
                        0 => 0.0,
                        _ => count as f64 / whole as f64,
                    },
                })
                .collect(),
            period: Some(window.message()),
        })
    }
}

/// The names of events of a type.
pub(super) fn types(name: &str) -> Vec<String> {
    match PAGE_VIEWS.contains(&name) {
        true => PAGE_VIEWS.map(str::to_owned).to_vec(),
        false => vec![name.to_owned()],
    }
}

async fn step_of(reading: &mut Reading, step: &pb::FunnelStep, names: &[String]) -> Result<Step> {
    let mut numbers = Vec::new();
    for name in names {
        numbers.push(reading.number(name).await?);
    }
    let given = step.r#match.clone().unwrap_or_default();
    let mut number = async |text: &str| match text {
        "" => Ok::<_, Error>(None),
        own => Ok(Some(reading.number(own).await?)),
    };
    Ok(Step {
        names: numbers,
        path: number(&given.path).await?,
        goal: number(&given.goal).await?,
    })
}

fn name_of(step: &pb::FunnelStep) -> String {
    if !step.name.is_empty() {
        return step.name.clone();
    }
    let given = step.r#match.clone().unwrap_or_default();
    let parts = [&step.r#type, &given.path, &given.goal];
    let parts: Vec<&str> = parts
        .into_iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(" ")
}
