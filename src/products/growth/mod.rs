//! The growth product: events, and experiments and what they show. More of its API is
//! to come.

mod analyze;
mod events;
mod ids;
mod snippet;
mod stats;
mod webhooks;

use std::sync::Arc;

use crate::api::apex::growth::v1 as pb;
use crate::api::{EventServiceEndpoint, ExperimentService, ExperimentServiceEndpoint};
use crate::clock::Clock;
use crate::db::Db;
use crate::error::Result;
use crate::events::EventLog;
use crate::server::dispatch::Endpoint;
use crate::server::{Call, Reply};
use events::Agents;

pub use snippet::Snippet;

/// The growth product. Cheap to clone.
#[derive(Debug, Clone)]
#[allow(dead_code)] // the areas that use it are on their way
pub struct Growth(Arc<Inner>);

/// What its areas share.
#[derive(Debug)]
#[allow(dead_code)] // the areas that use it are on their way
struct Inner {
    db: Db,
    events: EventLog,
    clock: Clock,
    agents: Agents,
}

impl Growth {
    /// Makes the product.
    pub fn new(db: Db, events: EventLog, clock: Clock) -> Self {
        Self(Arc::new(Inner {
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
        ]
    }
}

impl ExperimentService for Growth {
    async fn analyze_experiment(
        &self,
        _: Call,
        request: pb::AnalyzeExperimentRequest,
    ) -> Result<Reply<pb::AnalyzeExperimentResponse>> {
        analyze::analyze(&request).map(Reply::from)
    }
}
