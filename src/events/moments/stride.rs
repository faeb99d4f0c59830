//! Which strips are read, and how many days of them at once.

use std::collections::{BTreeMap, HashMap};

use sea_orm::Value;

use super::keep::Kind;
use super::scan::Placed;
use super::strip::{Rows, Strip, Wanted};
use crate::auth::ProjectId;
use crate::db::Read;
use crate::db::sql::rows;
use crate::error::Result;

/// Events walked through between two looks at the time.
const STRIDE: i64 = 250_000;

/// A strip that was read.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) name: u32,
    pub(super) core: Vec<u8>,
    pub(super) places: Option<Vec<u8>>,
}

/// What there is of one day.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) strips: Vec<Kept>,
    pub(super) tail: Vec<Placed>,
}

impl Parts {
    /// All that is wanted of the day: by visitor and time, if that is asked for.
    pub(super) fn rows(
        self,
        day: i64,
        wanted: Wanted<'_>,
        merged: &HashMap<u32, u32>,
        ordered: bool,
    ) -> Result<Rows> {
        let mut rows = Rows::default();
        let mut orders = self.strips.len();
        for kept in self.strips {
            let places = kept.places.as_deref();
            Strip::decode(&kept.core, places, (day, kept.name), wanted, &mut rows)?;
        }
        for (moment, detail) in self.tail {
            // A row more is an order of its own.
            orders += 2;
            if wanted.only.is_none_or(|only| only.contains(moment.visitor)) {
                rows.push(moment, detail);
            }
        }
        if !merged.is_empty() {
            orders += 2;
            for row in &mut rows.rows {
                row.visitor = *merged.get(&row.visitor).unwrap_or(&row.visitor);
            }
        }
        // What happened at the same time stays in the order of the log.
        if ordered && orders > 1 {
            rows.rows.sort_by_key(|row| (row.visitor, row.time));
        }
        Ok(rows)
    }
}

/// Days that are walked through in one go.
pub(super) type Stride = BTreeMap<i64, Parts>;

/// Days in groups of about the same size, first and last.
pub(super) fn strides(
    sizes: &BTreeMap<i64, i64>,
    tail: impl Iterator<Item = i64>,
) -> Vec<(i64, i64)> {
    let mut sizes = sizes.clone();
    for day in tail {
        sizes.entry(day).or_default();
    }
    let mut strides: Vec<(i64, i64)> = Vec::new();
    let mut room = 0;
    for (day, events) in sizes {
        match strides.last_mut() {
            Some((_, last)) if room >= events => *last = day,
            _ => {
                strides.push((day, day));
                room = STRIDE;
            }
        }
        room -= events;
    }
    strides
}

/// Which strips are read.
#[derive(Debug)]
pub(super) struct Strips {
    pub(super) project: ProjectId,
    pub(super) kind: Kind,
    /// Numbers of names; every name when `None`.
    pub(super) names: Option<Vec<u32>>,
    pub(super) places: bool,
}

impl Strips {
    /// Conditions on project, kind, days and names, and their values.
    fn conditions(&self, (first, last): (i64, i64)) -> (String, [Value; 4]) {
        let names = match &self.names {
            None => String::new(),
            Some(names) => {
                let list: Vec<String> = names.iter().map(u32::to_string).collect();
                let list = if list.is_empty() {
                    "NULL".to_owned()
                } else {
                    list.join(", ")
                };
                format!(" AND name IN ({list})")
            }
        };
        let values = [
            self.project.into(),
            (self.kind as i16).into(),
            first.into(),
            last.into(),
        ];
        let sql = "project = $1 AND kind = $2 AND day >= $3 AND day <= $4";
        (format!("{sql}{names}"), values)
    }

    /// How many events each day has.
    pub(super) async fn sizes(&self, read: &Read, days: (i64, i64)) -> Result<BTreeMap<i64, i64>> {
        let (conditions, values) = self.conditions(days);
        let sql = format!(
            "SELECT day, CAST(SUM(events) AS BIGINT) AS events FROM event_strip \
             WHERE {conditions} GROUP BY day"
        );
        let found = rows(read, &sql, values).await?;
        let found = found.iter();
        found
            .map(|row| Ok((row.try_get("", "day")?, row.try_get("", "events")?)))
            .collect()
    }

    /// The strips of days, in the order of the log.
    pub(super) async fn read(&self, read: &Read, days: (i64, i64)) -> Result<Stride> {
        let (conditions, values) = self.conditions(days);
        let places = if self.places { ", places" } else { "" };
        let sql = format!(
            "SELECT day, name, core{places} FROM event_strip WHERE {conditions} \
             ORDER BY day, name, first_seq"
        );
        let mut stride = Stride::new();
        for row in rows(read, &sql, values).await? {
            let name: i64 = row.try_get("", "name")?;
            let kept = Kept {
                name: name as u32,
                core: row.try_get("", "core")?,
                places: match self.places {
                    true => Some(row.try_get("", "places")?),
                    false => None,
                },
            };
            let day: i64 = row.try_get("", "day")?;
            stride.entry(day).or_default().strips.push(kept);
        }
        Ok(stride)
    }
}
