//! The memory product: what an application's end users said, and which of it matters to
//! what they say next. Scoring, decay and retrieval are in `engine`, which is pure; here
//! is what keeps memories, whom they belong to, and what a plan allows.

mod context;
mod days;
mod embedder;
#[allow(dead_code)] // the evaluation uses the rest
pub mod engine;
mod erase;
mod find;
mod health;
mod import;
mod ingest;
mod kept;
mod mcp;
mod person;
mod plan;
mod profile;
mod replay;
mod residents;
mod row;
mod said;
mod service;
mod signup;
mod suppress;
mod upkeep;
mod usage;
mod user;
mod vectors;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::Semaphore;

use crate::api::{McpServiceEndpoint, MemoryServiceEndpoint, MemoryTextServiceEndpoint};
use crate::auth::{OrganizationId, Plan};
use crate::clock::Clock;
use crate::config::{Allowance, Config};
use crate::db::Db;
use crate::error::{Error, Result};
use crate::limit::Limits;
use crate::products::account::Account;
use crate::server::Call;
use crate::server::dispatch::Endpoint;
use embedder::Embedder;
use residents::Residents;
use upkeep::Accesses;
use vectors::Lacking;

/// The memory product. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
    account: Account,
    limits: Limits,
    settings: Settings,
    residents: Residents,
    accesses: Accesses,
    /// What turns texts into vectors, where there is something.
    embedder: Option<Embedder>,
    lacking: Lacking,
    /// Exports are read one after the other.
    importing: Arc<Semaphore>,
    /// Whether something that was erased may be in the database's log yet.
    lingering: AtomicBool,
    started: Instant,
}

/// What of the configuration it goes by.
#[derive(Debug)]
struct Settings {
    open: crate::config::Door,
    trial: crate::config::Trial,
    plans: crate::config::Plans,
    ingest_status: u16,
}

impl Settings {
    /// What a plan allows.
    fn allowance(&self, plan: Plan) -> Allowance {
        match plan {
            Plan::Trial => self.plans.trial,
            Plan::Starter => self.plans.starter,
            Plan::Scale => self.plans.scale,
        }
    }
}

impl Memory {
    /// Makes the product.
    pub fn new(
        (db, clock): (Db, Clock),
        account: Account,
        limits: Limits,
        (config, embedder_failures): (&Config, Counter),
    ) -> Result<Self> {
        let settings = Settings {
            open: config.trial_signup,
            trial: config.trial.clone(),
            plans: config.plans,
            ingest_status: config.compat.ingest_status,
        };
        Ok(Self(Arc::new(Inner {
            db,
            clock,
            account,
            limits,
            settings,
            residents: Residents::new(config.memory.index_bytes),
            accesses: Accesses::default(),
            embedder: Embedder::of(&config.embedding, embedder_failures)?,
            lacking: Lacking::default(),
            importing: Arc::new(Semaphore::new(import::AT_ONCE)),
            lingering: AtomicBool::new(false),
            started: Instant::now(),
        })))
    }

    /// Its services.
    pub fn endpoints(&self) -> Vec<Arc<dyn Endpoint>> {
        vec![
            Arc::new(MemoryServiceEndpoint::new(self.clone())),
            Arc::new(MemoryTextServiceEndpoint::new(self.clone())),
            Arc::new(McpServiceEndpoint::new(self.clone())),
        ]
    }

    fn now(&self) -> i64 {
        self.0.clock.micros()
    }

    /// The organization a call is for, with its plan.
    fn tenant(&self, call: &Call) -> Result<(OrganizationId, Plan)> {
        let known = self.0.account.plan_of(call);
        known.ok_or_else(|| Error::invalid("Name an organization with X-Organization"))
    }
}
