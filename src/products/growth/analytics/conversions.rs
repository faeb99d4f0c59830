//! Conversions: events that match a conversion goal of the project.

use super::funnel::types;
use crate::auth::ProjectId;
use crate::db::Read;
use crate::error::Result;
use crate::events::{Day, Detail, Moment, Reading, Walk};

/// What converts where no goal is defined.
const DEFAULT: [&str; 2] = ["goal_conversion", "purchase"];

/// A rule events are matched with.
#[derive(Debug, Clone, Default)]
pub(super) struct Rule {
    /// Type of the event.
    pub(super) name: String,
    /// Path of its page.
    pub(super) path: Option<String>,
}

/// The rules of a project.
pub(super) async fn rules(_read: &Read, _project: ProjectId) -> Result<Vec<Rule>> {
    let default = DEFAULT.map(|name| Rule {
        name: name.to_owned(),
        path: None,
    });
    Ok(default.into())
}

/// Finds conversions.
#[derive(Debug)]
pub(super) struct Conversions {
    /// Names and paths as numbers; no path is any.
    rules: Vec<(u32, Option<u32>)>,
    /// What was found.
    pub(super) found: Vec<Conversion>,
}

/// An event that converts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conversion {
    pub(super) visitor: u32,
    pub(super) time: i64,
    /// What was paid.
    pub(super) paid: Option<Detail>,
}

impl Conversions {
    /// Conversions at the most.
    const MOST: usize = 2_000_000;

    /// Prepares to find them; answers the names of the events they may be.
    pub(super) async fn prepare(
        reading: &mut Reading,
        rules: &[Rule],
    ) -> Result<(Self, Vec<String>)> {
        let mut numbered = Vec::new();
        let mut names = Vec::new();
        for rule in rules {
            let path = match &rule.path {
                Some(path) => Some(reading.number(path).await?),
                None => None,
            };
            for name in types(&rule.name) {
                numbered.push((reading.number(&name).await?, path));
                names.push(name);
            }
        }
        names.sort();
        names.dedup();
        let own = Self {
            rules: numbered,
            found: Vec::new(),
        };
        Ok((own, names))
    }

    fn matches(&self, row: &Moment) -> bool {
        let mut rules = self.rules.iter();
        rules.any(|(name, path)| *name == row.name && path.is_none_or(|path| path == row.path))
    }

    /// How many of each visitor, by visitor.
    pub(super) fn by_visitor(&self) -> Vec<(u32, i64)> {
        let mut visitors: Vec<u32> = self.found.iter().map(|own| own.visitor).collect();
        visitors.sort_unstable();
        let of_visitor = visitors.chunk_by(|one, next| one == next);
        of_visitor.map(|own| (own[0], own.len() as i64)).collect()
    }
}

impl Walk for Conversions {
    const ORDERED: bool = false;

    fn day(&mut self, day: Day<'_>) -> Result<()> {
        for row in day.rows {
            if self.matches(row) {
                self.found.push(Conversion {
                    visitor: row.visitor,
                    time: row.time,
                    paid: day
                        .detail(row)
                        .copied()
                        .filter(|detail| detail.currency != 0),
                });
            }
        }
        match self.found.len() > Self::MOST {
            true => Err(super::too_much("2,000,000 conversions")),
            false => Ok(()),
        }
    }
}
