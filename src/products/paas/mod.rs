//! The platform: services that are containers, kept as they are wanted by a reconciler;
//! what they are told by environment groups; databases; teams; and repositories whose
//! pushes deploy them.

mod access;
mod databases;
mod engine;
mod env_groups;
mod proxy;
mod reconcile;
mod registry;
mod rules;
mod services;
mod sources;
mod state;
mod teams;
mod tokens;
mod vault;

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use prost::Message;
use tokio::sync::Notify;

use crate::api::{
    DatabaseServiceEndpoint, EnvGroupServiceEndpoint, LogServiceEndpoint, ServiceServiceEndpoint,
    SourceServiceEndpoint, TeamServiceEndpoint, TokenServiceEndpoint,
};
use crate::auth::Sealer;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::db::{Db, Tx};
use crate::error::{Error, Kind, Result};
use crate::products::account::Account;
use crate::server::Call;
use crate::server::dispatch::Endpoint;

pub use engine::{Runtime, find as find_engine};
pub use proxy::{Proxy, Routes};

use proxy::Front;
use vault::Vault;

/// The platform. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Paas(Arc<Inner>);

/// What its areas share.
#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
    account: Account,
    vault: Vault,
    engine: Option<Arc<dyn Runtime>>,
    front: Front,
    settings: config::Paas,
    /// Where backups are kept.
    backups: PathBuf,
    /// Told when something else is wanted than before.
    changed: Notify,
    /// Told when somebody told of something.
    arrived: Notify,
}

/// What the platform runs containers with.
#[derive(Debug)]
pub struct Machine {
    /// The engine, if there is one.
    pub engine: Option<Arc<dyn Runtime>>,
    /// Who answers for which host.
    pub routes: Arc<Routes>,
    /// The port public services are reached by; none without a proxy.
    pub port: Option<u16>,
}

impl Paas {
    /// Makes the product.
    pub fn new(
        db: Db,
        clock: Clock,
        account: Account,
        sealer: Sealer,
        config: &Config,
        machine: Machine,
    ) -> Self {
        Self(Arc::new(Inner {
            db,
            clock,
            account,
            vault: Vault::new(sealer),
            engine: machine.engine,
            front: Front::new(&config.paas, machine.port, machine.routes),
            settings: config.paas.clone(),
            backups: config.data_dir.join("backups"),
            changed: Notify::new(),
            arrived: Notify::new(),
        }))
    }

    /// Whether the secret key is the one that environments were sealed with.
    pub async fn fits_key(&self) -> Result<bool> {
        let read = self.db().read(None).await?;
        self.vault().fits(&read).await
    }

    /// Its services.
    pub fn endpoints(&self) -> Vec<Arc<dyn Endpoint>> {
        vec![
            Arc::new(TokenServiceEndpoint::new(self.clone())),
            Arc::new(ServiceServiceEndpoint::new(self.clone())),
            Arc::new(LogServiceEndpoint::new(self.clone())),
            Arc::new(EnvGroupServiceEndpoint::new(self.clone())),
            Arc::new(TeamServiceEndpoint::new(self.clone())),
            Arc::new(DatabaseServiceEndpoint::new(self.clone())),
            Arc::new(SourceServiceEndpoint::new(self.clone())),
        ]
    }

    /// Starts what it does by itself. It runs as long as the process.
    pub fn start_upkeep(&self) {
        tokio::spawn(sources::work(self.clone()));
        if let Some(engine) = &self.0.engine {
            tokio::spawn(reconcile::run(self.clone(), engine.clone()));
        }
    }

    /// Name of what runs containers, for people.
    pub fn runtime(&self) -> &'static str {
        self.0
            .engine
            .as_ref()
            .map_or("none", |engine| engine.name())
    }

    fn db(&self) -> &Db {
        &self.0.db
    }

    fn now(&self) -> i64 {
        self.0.clock.micros()
    }

    fn account(&self) -> &Account {
        &self.0.account
    }

    fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// Registries that may be used though they are not public.
    fn registries(&self) -> &[String] {
        &self.0.settings.registries
    }

    fn front(&self) -> &Front {
        &self.0.front
    }

    /// The engine, for what cannot be done without one.
    fn engine(&self) -> Result<&Arc<dyn Runtime>> {
        self.0.engine.as_ref().ok_or_else(|| {
            let words = "No container engine: start Docker, Podman or Kubernetes and set \
                         APEX_RUNTIME";
            Error::new(Kind::Unavailable, words).reason(RUNTIME_UNAVAILABLE)
        })
    }

    /// Writes what a call wants, and has the reconciler look now.
    async fn written<T, F>(&self, call: &Call, work: F) -> Result<T>
    where
        T: Message + Default + Send + 'static,
        F: for<'t> FnOnce(&'t Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let answer = self.db().answer(call.attempt(), work).await?;
        self.wake();
        Ok(answer)
    }

    /// Has the reconciler look now.
    fn wake(&self) {
        self.0.changed.notify_one();
    }
}

/// Reason of what needs an engine that is not there.
const RUNTIME_UNAVAILABLE: &str = "RUNTIME_UNAVAILABLE";
