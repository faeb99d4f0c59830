//! The CRM: contacts, companies, deals and what is sold, activities and notes, with one
//! engine for all of them. A resource declares its columns once and adds its own rules;
//! the query language, reading, writing and its errors are the engine's.

mod cell;
mod column;
mod custom;
mod decimal;
mod export;
mod files;
mod hooks;
mod imports;
mod known;
mod query;
mod resource;
mod resources;
mod serve;
mod spreadsheet;
mod store;
mod watch;

use std::sync::Arc;

use tokio::sync::Notify;

use crate::clock::{Clock, MICROS};
use crate::db::Db;
use crate::products::account::Account;
use crate::server::dispatch::Endpoint;
use crate::webhooks::{Webhooks, deliver};
pub use files::Files;
use watch::Watchers;

/// Microseconds of a millisecond: stamps are kept as they are shown.
const MILLI: i64 = MICROS / 1000;

/// The CRM product. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Crm(Arc<Inner>);

/// What its resources share.
#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
    account: Account,
    webhooks: Webhooks,
    watchers: Watchers,
    files: Files,
    /// Told when there is work on imports.
    wake: Notify,
}

impl Crm {
    /// Makes the product.
    pub fn new(db: Db, clock: Clock, account: Account, webhooks: Webhooks, files: Files) -> Self {
        Self(Arc::new(Inner {
            db,
            clock,
            account,
            webhooks,
            watchers: Watchers::new(),
            files,
            wake: Notify::new(),
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
        tokio::spawn(self.clone().look_after_files());
        self.start_imports();
    }

    /// Works on imports. It runs as long as the process.
    pub fn start_imports(&self) {
        tokio::spawn(imports::work(self.clone()));
    }

    fn webhooks(&self) -> &Webhooks {
        &self.0.webhooks
    }

    fn account(&self) -> &Account {
        &self.0.account
    }

    fn files(&self) -> &Files {
        &self.0.files
    }

    fn watchers(&self) -> &Watchers {
        &self.0.watchers
    }

    fn wake(&self) {
        self.0.wake.notify_one();
    }

    fn db(&self) -> &Db {
        &self.0.db
    }

    fn now(&self) -> i64 {
        self.0.clock.micros()
    }

    /// The time in whole milliseconds, as stamps are shown.
    fn whole_now(&self) -> i64 {
        self.now() / MILLI * MILLI
    }
}
