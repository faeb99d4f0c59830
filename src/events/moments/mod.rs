//! Questions about visitors: what each of them did, in what order. Rollups count
//! events; sessions, funnels, retention, attribution and the results of experiments
//! follow single visitors. Beside rollups, folds write strips: columns of what visitors
//! did, for each name and UTC day, by visitor and time. A [`Reading`] is one snapshot of
//! them and of what is not folded yet, walked day by day, so that an answer costs the
//! memory of some days and of what is remembered of each visitor, not of all events.

mod bytes;
mod collect;
mod keep;
mod per_visitor;
mod properties;
mod reading;
mod scan;
mod source;
mod stride;
mod strip;
mod words;

use std::time::Instant;

pub(super) use keep::{Draft, Gathered};
pub(super) use scan::Taken;

pub use collect::{Exposure, Exposures, Moments};
pub use per_visitor::PerVisitor;
pub use reading::{Day, Reading, Walk};
pub(super) use source::SOURCE;
pub use source::Source;

use super::EventLog;
use super::traffic::Traffic;
use crate::auth::ProjectRef;
use crate::error::{Error, Result};

/// Which events of a project are asked for.
#[derive(Debug, Clone)]
pub struct Span {
    /// First moment, in microseconds since 1970.
    pub from: i64,
    /// First moment after.
    pub to: i64,
    /// Only events with one of these names; all when `None`.
    pub names: Option<Vec<String>>,
    /// Kinds of traffic.
    pub traffic: Traffic,
}

/// Something a visitor did. Texts are numbers, which [`Reading::texts`] tells; zero
/// is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// When, in microseconds since 1970.
    pub time: i64,
    /// Number of the visitor; zero is nobody in particular.
    pub visitor: u32,
    /// Name of the event.
    pub name: u32,
    /// Path of the page.
    pub path: u32,
    /// Where the visitor came from: a [`Source`].
    pub source: u32,
    /// Kind of device.
    pub device: u32,
    /// Number of its [`Detail`], from 1.
    pub detail: u32,
    /// Kind of traffic.
    pub audience: u8,
}

/// What few events have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Detail {
    /// The goal that was met.
    pub goal: u32,
    /// Code of the currency that was paid in.
    pub currency: u32,
    /// Millionths of its major unit.
    pub amount: i64,
    /// How many units were bought.
    pub units: i64,
}

impl EventLog {
    /// A snapshot of a project's events, to be walked through.
    pub async fn reading(
        &self,
        project: &ProjectRef,
        deadline: Option<Instant>,
    ) -> Result<Reading> {
        let read = self.0.db.events_of(project.organization, deadline).await?;
        Reading::new(read, project.id, deadline).await
    }

    /// What visitors did in a span, by visitor and time. A span with more than
    /// [`Moments::MOST`] events is refused; longer ones are walked through.
    pub async fn moments(
        &self,
        project: &ProjectRef,
        span: &Span,
        deadline: Option<Instant>,
    ) -> Result<Moments> {
        let mut reading = self.reading(project, deadline).await?;
        Moments::collect(&mut reading, span).await
    }

    /// Who saw which variant of an experiment first, by visitor.
    pub async fn exposures(
        &self,
        project: &ProjectRef,
        experiment: &str,
        (from, to): (i64, i64),
        traffic: Traffic,
        deadline: Option<Instant>,
    ) -> Result<Exposures> {
        let mut reading = self.reading(project, deadline).await?;
        let span = Span {
            from,
            to,
            names: None,
            traffic,
        };
        Exposures::collect(&mut reading, experiment, &span).await
    }
}

/// Refuses a question that is about too much.
fn too_much(what: &str) -> Error {
    Error::invalid_field(
        "period",
        format!("The period has more than {what}; ask about a shorter one"),
    )
}
