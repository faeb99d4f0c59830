//! Who may read how much at once. Questions about events take long and come in any
//! number: they have readers of their own, and one organization may not have them
//! all. The fold has one, and what is left is for short reads, so that a key is
//! looked up and the server is found ready however much is asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Kind, Result};

/// Readers kept from questions: one for the fold, one for short reads.
pub(super) const RESERVED: usize = 2;

/// Organizations remembered before those that ask nothing are forgotten.
const REMEMBERED: usize = 256;

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// A few rows.
    Short,
    /// What the fold adds up.
    Fold,
    /// Events of an organization, any number of them.
    Events(i64),
}

/// The lanes of a number of readers.
#[derive(Debug)]
pub(super) struct Lanes {
    fold: Arc<Semaphore>,
    events: Arc<Semaphore>,
    /// What one organization may have of it.
    share: usize,
    shares: Mutex<HashMap<i64, Arc<Semaphore>>>,
}

/// A place in a lane.
#[derive(Debug, Default)]
pub(super) struct Place {
    _lane: Option<OwnedSemaphorePermit>,
    _share: Option<OwnedSemaphorePermit>,
}

impl Lanes {
    /// Lanes over `readers` connections, `kept` of which are not for questions.
    pub(super) fn new(readers: usize, kept: usize) -> Self {
        let events = readers.saturating_sub(kept).max(1);
        Self {
            fold: Arc::new(Semaphore::new(1)),
            events: Arc::new(Semaphore::new(events)),
            share: events.div_ceil(2),
            shares: Mutex::default(),
        }
    }

    /// Waits for a place, until the deadline.
    pub(super) async fn enter(&self, lane: Lane, deadline: Option<Instant>) -> Result<Place> {
        Ok(match lane {
            Lane::Short => Place::default(),
            Lane::Fold => Place {
                _lane: Some(permit(&self.fold, deadline).await?),
                _share: None,
            },
            Lane::Events(organization) => {
                let share = permit(&self.of(organization), deadline).await?;
                Place {
                    _lane: Some(permit(&self.events, deadline).await?),
                    _share: Some(share),
                }
            }
        })
    }

    fn of(&self, organization: i64) -> Arc<Semaphore> {
        let mut shares = super::lock(&self.shares);
        if shares.len() >= REMEMBERED {
            // Whoever holds a place, or waits for one, holds the semaphore too.
            shares.retain(|_, share| Arc::strong_count(share) > 1);
        }
        let share = shares.entry(organization);
        share
            .or_insert_with(|| Arc::new(Semaphore::new(self.share)))
            .clone()
    }
}

/// Waits for a permit, until the deadline.
pub(super) async fn permit(
    of: &Arc<Semaphore>,
    deadline: Option<Instant>,
) -> Result<OwnedSemaphorePermit> {
    let wait = of.clone().acquire_owned();
    let permit = match deadline {
        None => wait.await,
        Some(deadline) => tokio::time::timeout_at(deadline.into(), wait)
            .await
            .map_err(|_| Error::new(Kind::DeadlineExceeded, "No reader became free in time"))?,
    };
    permit.map_err(|_| Error::unavailable("The server is shutting down"))
}
