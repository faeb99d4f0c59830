//! Conversions: events that match a conversion goal of the project.

use std::collections::HashSet;

use super::funnel::types;
use super::window::Window;
use crate::auth::ProjectId;
use crate::error::Result;
use crate::events::{Day, Detail, Moment, Reading, Walk};
use crate::products::growth::goals::Conversions as Goals;

/// Conversions of one question at the most.
const MOST: usize = 2_000_000;
/// Different events among which conversions are looked for, at the most.
const KINDS: usize = 500_000;

/// An event that converts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conversion {
    pub(super) visitor: u32,
    pub(super) time: i64,
    /// What was paid.
    pub(super) paid: Option<Detail>,
}

/// The conversions of a window: events of a type, or what the project's goals say.
pub(super) async fn find(
    reading: &mut Reading,
    project: ProjectId,
    window: &Window,
    only: &str,
) -> Result<Vec<Conversion>> {
    let goals = Goals::of(reading.connection(), project).await?;
    let names = match only {
        "" => goals.names(),
        name => types(name),
    };
    let span = window.span(Some(names));
    let mut finder = Finder::default();
    if only.is_empty() && !goals.goals.is_empty() {
        let Kinds(kinds) = reading.walk(&span, Kinds::default()).await?;
        finder.accepted = Some(accepted(reading, &goals, kinds).await?);
    }
    Ok(reading.walk(&span, finder).await?.found)
}

/// How many of each visitor, by visitor.
pub(super) fn by_visitor(conversions: &[Conversion]) -> Vec<(u32, i64)> {
    let mut visitors: Vec<u32> = conversions.iter().map(|own| own.visitor).collect();
    visitors.sort_unstable();
    let of_visitor = visitors.chunk_by(|one, next| one == next);
    of_visitor.map(|own| (own[0], own.len() as i64)).collect()
}

/// What tells whether an event converts: its name, its path, and the goal it says was
/// met.
type Kind = (u32, u32, u32);

fn kind(day: &Day<'_>, row: &Moment) -> Kind {
    let goal = day.detail(row).map_or(0, |detail| detail.goal);
    (row.name, row.path, goal)
}

/// Finds which kinds of events there are.
#[derive(Debug, Default)]
struct Kinds(HashSet<Kind>);

impl Walk for Kinds {
    const ORDERED: bool = false;

    fn day(&mut self, day: Day<'_>) -> Result<()> {
        self.0.extend(day.rows.iter().map(|row| kind(&day, row)));
        match self.0.len() > KINDS {
            true => Err(super::too_much("500,000 different pages")),
            false => Ok(()),
        }
    }
}

/// Those that are conversions.
async fn accepted(
    reading: &mut Reading,
    goals: &Goals,
    mut kinds: HashSet<Kind>,
) -> Result<HashSet<Kind>> {
    let numbers = kinds
        .iter()
        .flat_map(|(name, path, goal)| [*name, *path, *goal]);
    let numbers: HashSet<u32> = numbers.collect();
    let texts = reading.texts(numbers).await?;
    let text = |number: &u32| texts.get(number).map_or("", String::as_str);
    kinds.retain(|(name, path, goal)| goals.matches(text(name), text(path), text(goal)));
    Ok(kinds)
}

/// Finds conversions.
#[derive(Debug, Default)]
struct Finder {
    /// Only events of these kinds.
    accepted: Option<HashSet<Kind>>,
    found: Vec<Conversion>,
}

impl Walk for Finder {
    const ORDERED: bool = false;

    fn day(&mut self, day: Day<'_>) -> Result<()> {
        let accepted = self.accepted.as_ref();
        let rows = day.rows.iter();
        let rows = rows.filter(|row| accepted.is_none_or(|own| own.contains(&kind(&day, row))));
        self.found.extend(rows.map(|row| {
            Conversion {
                visitor: row.visitor,
                time: row.time,
                paid: day
                    .detail(row)
                    .copied()
                    .filter(|detail| detail.currency != 0),
            }
        }));
        match self.found.len() > MOST {
            true => Err(super::too_much("2,000,000 conversions")),
            false => Ok(()),
        }
    }
}
