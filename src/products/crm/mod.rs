//! The CRM: contacts, companies, deals and what is sold, activities and notes, with one
//! engine for all of them. A resource declares its columns once and adds its own rules;
//! the query language, reading, writing and its errors are the engine's.

mod cell;
mod column;
mod custom;
mod decimal;
mod hooks;
mod query;
mod resource;
mod resources;
mod serve;
mod store;
mod watch;

use std::sync::Arc;

use crate::clock::Clock;
use crate::db::Db;
use crate::server::dispatch::Endpoint;
use crate::webhooks::{Webhooks, deliver};
use watch::Watchers;

/// The CRM product. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Crm(Arc<Inner>);

/// What its resources share.
#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
    webhooks: Webhooks,
    watchers: Watchers,
}

impl Crm {
    /// Makes the product.
    pub fn new(db: Db, clock: Clock, webhooks: Webhooks) -> Self {
        Self(Arc::new(Inner {
            db,
            clock,
            webhooks,
            watchers: Watchers::new(),
        }))
    }

    /// Its services.
    pub fn endpoints(&self) -> Vec<Arc<dyn Endpoint>> {
        resources::endpoints(self)
    }

    /// Starts what it does by itself. It runs as long as the process.
    pub fn start_upkeep(&self) {
        let (db, clock) = (self.0.db.clone(), self.0.clock.clone());
        tokio::spawn(self.0.watchers.clone().look(db.clone()));
        tokio::spawn(deliver::<hooks::Own>(db, clock, self.0.webhooks.clone()));
    }

    fn webhooks(&self) -> &Webhooks {
        &self.0.webhooks
    }

    fn watchers(&self) -> &Watchers {
        &self.0.watchers
    }

    fn db(&self) -> &Db {
        &self.0.db
    }

    fn now(&self) -> i64 {
        self.0.clock.micros()
    }
}
