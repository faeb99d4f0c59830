//! Puts everything together. This is the only place that knows every product and
//! picks the backends.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::api::{self, METHODS, SCHEMA, SERVICES};
use crate::auth::{Directory, Sealer, SecretKeys, SessionTokens};
use crate::browser::Scripts;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::db::{Db, Ledger, migrate};
use crate::error::{Error, Result};
use crate::events::{EventLog, Gauges};
use crate::limit::{self, Counters, Limits, Redis};
use crate::owner::Owner;
use crate::policy::MethodSpec;
use crate::products::account::Account;
use crate::products::crm::{Crm, Files};
use crate::products::growth::{Growth, Snippet};
use crate::products::memory::Memory;
use crate::products::metrics::Metrics;
use crate::products::operations::Operations;
use crate::products::paas::{self, Machine, Paas, Proxy, Routes};
use crate::server::dispatch::Endpoint;
use crate::server::listener::{self, Listener};
use crate::server::shared::RequestCounts;
use crate::server::{Edge, Shared, Stack, health, metrics, reflection, stack, tls};
use crate::webhooks::Webhooks;

/// Everything, ready to serve.
pub struct App {
    /// The layers and the services behind them.
    pub stack: Stack,
    /// What all requests share.
    pub shared: Arc<Shared>,
    /// Accounts, for the first set-up.
    pub account: Account,
    growth: Growth,
    /// Contacts and the like, for imports without a server.
    pub crm: Crm,
    paas: Paas,
    proxy: Mutex<Option<Proxy>>,
    memory: Memory,
    serving: watch::Sender<bool>,
    _owner: Owner,
}

/// Why the application cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something it needs is not there.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl App {
    /// Opens the data directory and puts everything together.
    pub async fn open(config: &Config, owner: Owner, clock: Clock) -> Result<Self, StartError> {
        let shared = Arc::new(shared(config, clock.clone(), &METHODS).await?);
        let db = shared.db.clone();
        let gauges = Gauges {
            queue: shared.metrics.event_queue.clone(),
            tail: shared.metrics.event_tail.clone(),
        };
        let events = EventLog::open(db.clone(), clock.clone(), &config.events, gauges).await?;
        let account = Account::new(shared.clone(), events.clone(), config.signup);
        let named = shared.hosts.iter().map(|(host, _)| host.as_str());
        let scripts = Scripts::new(named, config.listen.ip());
        let secrets = SecretKeys::load(config)?;
        let webhooks = |purpose| Webhooks::new(Sealer::new(&secrets, purpose), &config.webhooks);
        let crm = Crm::new(
            db.clone(),
            clock.clone(),
            account.clone(),
            webhooks("crm.webhooks")?,
            Files::new(config.files_path(), &secrets),
        );
        let (machine, proxy) = machine(config, &shared).await?;
        let paas = Paas::new(
            db.clone(),
            clock.clone(),
            account.clone(),
            Sealer::new(&secrets, "paas"),
            config,
            machine,
        );
        if !paas.fits_key().await? {
            let words = "secret_key: environments in the database were sealed with another \
                         key: put secret.key back, or name that key in secret_key_previous";
            return Err(ConfigError(words.to_owned()).into());
        }
        let memory = Memory::new(
            (db.clone(), clock.clone()),
            account.clone(),
            shared.limits.clone(),
            (config, shared.metrics.embedder_failures.clone()),
        )?;
        let own = webhooks("growth.webhooks")?;
        let growth = Growth::new(db, events.clone(), clock.clone(), own);
        let endpoints: Vec<Arc<dyn Endpoint>> = [
            account.endpoints(),
            growth.endpoints(),
            crm.endpoints(),
            paas.endpoints(),
            memory.endpoints(),
            Metrics::new(events.clone(), clock, scripts.clone()).endpoints(),
            vec![Snippet::new(scripts).endpoint()],
            Operations::new(shared.clone(), config.metrics_token.clone()).endpoints(),
        ]
        .concat();
        let mut edge = Edge::new(shared.clone(), &SCHEMA, &METHODS, endpoints);
        let serving = mount_foreign(&mut edge);
        account.start_upkeep();
        Ok(Self {
            stack: stack(Arc::new(edge)),
            shared,
            account,
            growth,
            crm,
            paas,
            proxy: Mutex::new(proxy),
            memory,
            serving,
            _owner: owner,
        })
    }

    /// Serves until `stop` turns true: readiness turns false, callers are given
    /// time to notice, requests finish, and what is only in memory is written.
    pub async fn serve(&self, listener: Listener, mut stop: watch::Receiver<bool>) {
        let address = listener.tcp.local_addr();
        let loopback = address.is_ok_and(|address| address.ip().is_loopback());
        let (close, closing) = watch::channel(false);
        self.growth.start_upkeep(self.shared.clone());
        self.crm.start_upkeep();
        self.paas.start_upkeep();
        let proxy = self
            .proxy
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let forwarding = async {
            if let Some(proxy) = proxy {
                proxy.serve(closing.clone()).await;
            }
        };
        self.memory.start_upkeep().await;
        let (stack, shared) = (self.stack.clone(), self.shared.clone());
        let serving = listener::serve(listener, stack, shared, closing.clone());
        let draining = async {
            let _ = stop.wait_for(|stop| *stop).await;
            tracing::info!("draining");
            self.shared.draining.store(true, Ordering::Relaxed);
            self.serving.send_replace(false);
            if !loopback {
                tokio::time::sleep(self.shared.transport.drain_delay.0).await;
            }
            let _ = close.send(true);
        };
        tokio::join!(serving, forwarding, draining);
        let flushed = self.account.flush().await.and(self.memory.flush().await);
        if let Err(error) = flushed {
            tracing::warn!(cause = error.log_cause(), "cannot write what was counted");
        }
        self.close().await;
    }
}

impl App {
    /// What runs containers, for people.
    pub fn runtime(&self) -> &'static str {
        self.paas.runtime()
    }

    /// Closes the database, so that the embedded one is all in its file.
    pub async fn close(&self) {
        // Background work may hold a connection for a while; nothing is lost by it.
        let closed = tokio::time::timeout(CLOSING, self.shared.db.close()).await;
        if !matches!(closed, Ok(Ok(()))) {
            tracing::warn!("cannot close the database in time");
        }
    }
}

/// How long closing the database may take.
const CLOSING: Duration = Duration::from_secs(8);

/// Opens the database and what all requests share.
pub(crate) async fn shared(
    config: &Config,
    clock: Clock,
    methods: &[MethodSpec],
) -> Result<Shared, StartError> {
    let secrets = SecretKeys::load(config)?;
    let db = Db::open(config).await?;
    match db.engine() {
        // Nobody else can be using it, and there is nobody to ask.
        "sqlite" => migrate::up(&db).await?,
        _ => migrate::require_current(&db).await?,
    }
    let metrics = metrics::Metrics::new(methods.len());
    let counters = counters(config, &metrics)?;
    Ok(Shared {
        directory: Directory::load(db.clone(), clock.clone()).await?,
        ledger: Ledger::new(Sealer::new(&secrets, "idempotency"), clock.clone()),
        limits: Limits::new(config, methods, counters, clock.clone())?,
        sessions: SessionTokens::new(&secrets, clock.clone(), config.sessions.lifetime.0),
        metrics,
        transport: config.transport.clone(),
        trial: config.trial.clone(),
        trial_expired_code: config.compat.trial_expired_code,
        trusted_proxies: config.trusted_proxies.clone(),
        cors_origins: config.cors_origins.clone(),
        hosts: hosts(config)?,
        require_https: config.require_https,
        requests: RequestCounts::default(),
        draining: AtomicBool::new(false),
        closing: watch::Sender::new(false),
        db,
    })
}

/// What containers are run with, and the way in to them.
async fn machine(
    config: &Config,
    shared: &Arc<Shared>,
) -> Result<(Machine, Option<Proxy>), StartError> {
    let routes = Arc::new(Routes::default());
    let engine = paas::find_engine(config, &shared.db, &routes).await?;
    let proxy = match &engine {
        Some(_) => {
            let address = config.paas.proxy_listen;
            let bound = Proxy::bind(address, routes.clone(), shared.clone()).await;
            let failed = |error| {
                ConfigError(format!(
                    "paas.proxy_listen: cannot listen on {address}: {error}"
                ))
            };
            Some(bound.map_err(failed)?)
        }
        None => None,
    };
    let port = proxy.as_ref().and_then(Proxy::port);
    let machine = Machine {
        engine,
        routes,
        port,
    };
    Ok((machine, proxy))
}

/// Where requests are counted: in this process, or where several nodes meet.
fn counters(config: &Config, metrics: &metrics::Metrics) -> Result<Box<dyn Counters>, ConfigError> {
    if config.redis_url.expose_secret().is_empty() {
        return Ok(Box::new(limit::Memory::new()));
    }
    let up = metrics.limit_store_up.clone();
    Ok(Box::new(Redis::new(&config.redis_url, up)?))
}

/// Health and reflection: services whose protos are not ours.
fn mount_foreign(edge: &mut Edge) -> watch::Sender<bool> {
    let (serving, watched) = watch::channel(true);
    let names = SERVICES.iter().map(|service| service.name);
    edge.mount(health::NAME, health::service(names, watched));
    mount_reflection(edge, Box::new(api::pool));
    serving
}

/// Describes the services of a set of descriptors to those who ask.
pub(crate) fn mount_reflection(edge: &mut Edge, descriptors: reflection::Descriptors) {
    let service = reflection::service(descriptors);
    edge.mount(reflection::FORMER_NAME, reflection::former(service.clone()));
    edge.mount(reflection::NAME, service);
}

fn hosts(config: &Config) -> Result<Vec<(String, String)>, ConfigError> {
    let products = SERVICES.iter().map(|service| service.product);
    let products: BTreeSet<&str> = products.filter(|product| !product.is_empty()).collect();
    let pair = |text: &String| {
        let pair = text.split_once('=').filter(|(host, _)| !host.is_empty());
        let (host, product) = pair.ok_or_else(|| {
            ConfigError(format!(
                "hosts: `{text}` is no host=product pair such as api.example.com=metrics"
            ))
        })?;
        if !products.contains(product) {
            let known: Vec<&str> = products.iter().copied().collect();
            return Err(ConfigError(format!(
                "hosts: `{text}` names no product; there are {}",
                known.join(", ")
            )));
        }
        Ok((host.to_owned(), product.to_owned()))
    };
    config.hosts.iter().map(pair).collect()
}

/// Refuses what the server would not start with, as far as that can be told without
/// opening anything but the certificate.
pub fn check(config: &Config) -> Result<(), ConfigError> {
    tls(config)?;
    hosts(config)?;
    counters(config, &metrics::Metrics::new(0))?;
    Ok(())
}

/// What encrypts connections, if the configuration names a certificate.
pub fn tls(config: &Config) -> Result<Option<TlsAcceptor>, ConfigError> {
    let files = config.tls();
    files
        .map(|(cert, key)| tls::acceptor(cert, key))
        .transpose()
}

/// The policy table, for the commands that print it.
pub fn methods() -> &'static [MethodSpec] {
    &api::METHODS
}
