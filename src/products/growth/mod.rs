//! The growth product: events, experiments and what they show, who visitors are, goals,
//! and webhooks. More of its API is to come.

mod analytics;
mod analyze;
mod channels;
mod events;
mod experiments;
mod goals;
mod identity;
mod ids;
mod names;
mod pattern;
mod resting;
mod snippet;
mod stats;
mod webhooks;

use std::sync::Arc;

use crate::api::{
    AnalyticsServiceEndpoint, ConversionGoalServiceEndpoint, EventServiceEndpoint,
    ExperimentServiceEndpoint, FlagServiceEndpoint, GoalServiceEndpoint, IdentityServiceEndpoint,
    ResultServiceEndpoint, WebhookServiceEndpoint,
};
use crate::clock::Clock;
use crate::db::Db;
use crate::events::EventLog;
use crate::server::Shared;
use crate::server::dispatch::Endpoint;
use crate::webhooks::{Webhooks, deliver};
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
    webhooks: Webhooks,
}

impl Growth {
    /// Makes the product.
    pub fn new(db: Db, events: EventLog, clock: Clock, webhooks: Webhooks) -> Self {
        Self(Arc::new(Inner {
            live: Live::new(db.clone()),
            db,
            events,
            clock,
            agents: Agents::default(),
            webhooks,
        }))
    }

    /// Its services.
    pub fn endpoints(&self) -> Vec<Arc<dyn Endpoint>> {
        vec![
            Arc::new(EventServiceEndpoint::new(self.clone())),
            Arc::new(AnalyticsServiceEndpoint::new(self.clone())),
            Arc::new(ExperimentServiceEndpoint::new(self.clone())),
            Arc::new(FlagServiceEndpoint::new(self.clone())),
            Arc::new(ResultServiceEndpoint::new(self.clone())),
            Arc::new(GoalServiceEndpoint::new(self.clone())),
            Arc::new(ConversionGoalServiceEndpoint::new(self.clone())),
            Arc::new(IdentityServiceEndpoint::new(self.clone())),
            Arc::new(WebhookServiceEndpoint::new(self.clone())),
        ]
    }

    /// Starts what it does by itself. It runs as long as the process.
    pub fn start_upkeep(&self, shared: Arc<Shared>) {
        let (db, events, clock) = (&self.0.db, &self.0.events, &self.0.clock);
        tokio::spawn(self.clone().look_after_experiments(shared.clone()));
        tokio::spawn(self.clone().watch_experiments(shared.clone()));
        tokio::spawn(goals::watch(shared, events.clone(), clock.clone()));
        tokio::spawn(identity::follow(db.clone(), clock.clone()));
        let webhooks = self.0.webhooks.clone();
        tokio::spawn(deliver::<webhooks::Own>(
            db.clone(),
            clock.clone(),
            webhooks,
        ));
    }

    fn db(&self) -> &Db {
        &self.0.db
    }

    fn events(&self) -> &EventLog {
        &self.0.events
    }

    fn now(&self) -> i64 {
        self.0.clock.micros()
    }

    fn webhooks(&self) -> &Webhooks {
        &self.0.webhooks
    }
}
