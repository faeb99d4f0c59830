//! The growth product: events, and experiments and what they show. More of its API is
//! to come.

mod analyze;
mod events;
mod experiments;
mod ids;
mod snippet;
mod stats;
mod webhooks;

use std::sync::Arc;

use crate::api::{
    EventServiceEndpoint, ExperimentServiceEndpoint, FlagServiceEndpoint, ResultServiceEndpoint,
};
use crate::clock::Clock;
use crate::db::Db;
use crate::events::EventLog;
use crate::server::dispatch::Endpoint;
use events::Agents;
use experiments::Live;

pub use snippet::Snippet;

/// The growth product. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Growth(Arc<Inner>);

/// What its areas share.
#[derive(Debug)]
struct Inner {
    db: Db,
    events: EventLog,
    clock: Clock,
    agents: Agents,
    live: Live,
}

impl Growth {
    /// Makes the product.
    pub fn new(db: Db, events: EventLog, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            live: Live::new(db.clone()),
            db,
            events,
            clock,
            agents: Agents::default(),
        }))
    }

    /// Its services.
    pub fn endpoints(&self) -> Vec<Arc<dyn Endpoint>> {
        vec![
            Arc::new(EventServiceEndpoint::new(self.clone())),
            Arc::new(ExperimentServiceEndpoint::new(self.clone())),
            Arc::new(FlagServiceEndpoint::new(self.clone())),
            Arc::new(ResultServiceEndpoint::new(self.clone())),
        ]
    }

    /// Starts what it does by itself. It runs as long as the process.
    pub fn start_upkeep(&self) {
        tokio::spawn(self.clone().look_after_experiments());
    }
}
