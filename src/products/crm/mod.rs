//! The CRM: contacts, companies, deals and what is sold, activities and notes, with one
//! engine for all of them. A resource declares its columns once and adds its own rules;
//! the query language, reading, writing and its errors are the engine's.

mod cell;
mod column;
mod custom;
mod decimal;
mod query;
mod resource;
mod resources;
mod serve;
mod store;

use std::sync::Arc;

use crate::clock::Clock;
use crate::db::Db;
use crate::server::dispatch::Endpoint;

/// The CRM product. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Crm(Arc<Inner>);

/// What its resources share.
#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
}

impl Crm {
    /// Makes the product.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self(Arc::new(Inner { db, clock }))
    }

    /// Its services.
    pub fn endpoints(&self) -> Vec<Arc<dyn Endpoint>> {
        resources::endpoints(self)
    }

    fn db(&self) -> &Db {
        &self.0.db
    }

    fn now(&self) -> i64 {
        self.0.clock.micros()
    }
}
