//! Answers that are held in memory as a whole: what visitors did, and which variant
//! of an experiment each of them saw.

use std::collections::{BTreeSet, HashMap};

use super::per_visitor::PerVisitor;
use super::reading::{Day, Reading, Walk};
use super::source::Source;
use super::{Detail, Moment, Span, too_much};
use crate::error::Result;

/// What visitors did, by visitor and time.
#[derive(Debug, Default)]
pub struct Moments {
    /// What was done.
    pub rows: Vec<Moment>,
    details: Vec<Detail>,
    texts: HashMap<u32, String>,
}

impl Moments {
    /// Events at the most.
    pub const MOST: usize = 2_000_000;

    pub(in crate::events) async fn collect(reading: &mut Reading, span: &Span) -> Result<Self> {
        let mut own = reading.walk(span, Self::default()).await?;
        let mut numbers = BTreeSet::new();
        for row in &own.rows {
            numbers.extend([row.name, row.path, row.source, row.device]);
        }
        for detail in &own.details {
            numbers.extend([detail.goal, detail.currency]);
        }
        own.texts = reading.texts(numbers).await?;
        // Days follow each other, so times stay in order.
        own.rows.sort_by_key(|row| row.visitor);
        Ok(own)
    }

    /// The text of a number; empty when there is none.
    pub fn text(&self, number: u32) -> &str {
        self.texts.get(&number).map_or("", String::as_str)
    }

    /// The source of a number.
    pub fn source(&self, number: u32) -> Source {
        Source::read(self.text(number))
    }

    /// What an event has besides.
    pub fn detail(&self, moment: &Moment) -> Option<&Detail> {
        let at = (moment.detail as usize).checked_sub(1)?;
        self.details.get(at)
    }

    /// What each visitor did.
    pub fn by_visitor(&self) -> impl Iterator<Item = &[Moment]> {
        self.rows.chunk_by(|one, next| one.visitor == next.visitor)
    }
}

impl Walk for Moments {
    fn day(&mut self, day: Day<'_>) -> Result<()> {
        if self.rows.len() + day.rows.len() > Self::MOST {
            return Err(too_much("2,000,000 such events"));
        }
        self.rows.extend(day.rows.iter().map(|row| {
            let mut row = *row;
            if let Some(detail) = day.detail(&row) {
                self.details.push(*detail);
                row.detail = self.details.len() as u32;
            }
            row
        }));
        Ok(())
    }
}

/// Who saw which variant of an experiment first.
#[derive(Debug, Default)]
pub struct Exposures {
    /// The variants seen.
    pub variants: Vec<String>,
    /// One per visitor, by visitor.
    pub first: Vec<Exposure>,
}

/// A visitor's first sight of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposure {
    /// When, in microseconds since 1970.
    pub time: i64,
    /// Number of the visitor.
    pub visitor: u32,
    /// Place among the variants.
    pub variant: u16,
    /// Whether the visitor saw another variant later.
    pub several: bool,
}

/// The first sight of each visitor met.
#[derive(Debug, Default)]
struct Seen {
    of: PerVisitor<Sight>,
    variants: BTreeSet<u32>,
}

/// A first sight: when, the number of the variant, and whether there was another later.
#[derive(Debug, Clone, Copy, Default)]
struct Sight {
    time: i64,
    variant: u32,
    several: bool,
}

impl Walk for Seen {
    fn day(&mut self, day: Day<'_>) -> Result<()> {
        // Nobody in particular is no visitor.
        for row in day.rows.iter().filter(|row| row.visitor != 0) {
            let seen = self.of.of(row.visitor)?;
            match seen.variant {
                0 => {
                    self.variants.insert(row.path);
                    *seen = Sight {
                        time: row.time,
                        variant: row.path,
                        several: false,
                    };
                }
                variant => seen.several |= variant != row.path,
            }
        }
        Ok(())
    }
}

impl Exposures {
    pub(in crate::events) async fn collect(
        reading: &mut Reading,
        experiment: &str,
        span: &Span,
    ) -> Result<Self> {
        let seen = reading.walk_exposures(experiment, span, Seen::default());
        let Seen { of, variants } = seen.await?;
        let texts = reading.texts(variants).await?;
        let mut variants: Vec<(String, u32)> = texts
            .into_iter()
            .map(|(number, text)| (text, number))
            .collect();
        variants.sort();
        variants.truncate(usize::from(u16::MAX));
        let places: HashMap<u32, u16> = (0..)
            .zip(&variants)
            .map(|(place, (_, number))| (*number, place))
            .collect();
        let first = of.iter().filter(|(_, seen)| seen.variant != 0);
        let first = first.filter_map(|(visitor, seen)| {
            Some(Exposure {
                time: seen.time,
                visitor,
                variant: *places.get(&seen.variant)?,
                several: seen.several,
            })
        });
        Ok(Self {
            first: first.collect(),
            variants: variants.into_iter().map(|(text, _)| text).collect(),
        })
    }
}
