//! What all requests share.

use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use foldhash::HashMap;
use ipnet::IpNet;
use tokio::sync::watch;

use super::metrics::Metrics;
use crate::auth::{Directory, OrganizationId, SessionTokens};
use crate::config::{Transport, Trial, TrialCode};
use crate::db::{Db, Ledger};
use crate::limit::Limits;

/// What all requests share.
#[derive(Debug)]
pub struct Shared {
    /// The database.
    pub db: Db,
    /// Keys, projects, organizations.
    pub directory: Directory,
    /// Answers kept for a replay.
    pub ledger: Ledger,
    /// Rate limits.
    pub limits: Limits,
    /// Session tokens.
    pub sessions: SessionTokens,
    /// Counters for Prometheus.
    pub metrics: Metrics,
    /// Time-outs and bounds.
    pub transport: Transport,
    /// What is told of trials.
    pub trial: Trial,
    /// Error code of a trial that is over.
    pub trial_expired_code: TrialCode,
    /// Networks whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins whose pages may call with credentials.
    pub cors_origins: Vec<String>,
    /// Hosts that belong to a product.
    pub hosts: Vec<(String, String)>,
    /// Whether plaintext requests are refused.
    pub require_https: bool,
    /// Requests per organization since they were last written down.
    pub requests: RequestCounts,
    /// Whether the server is shutting down.
    pub draining: AtomicBool,
    /// Whether connections are asked to go.
    pub closing: watch::Sender<bool>,
}

impl Shared {
    /// Whether an address is one of a proxy that is believed.
    pub(crate) fn is_proxy(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies
            .iter()
            .any(|net| net.contains(&address))
    }
}

/// Requests per organization.
#[derive(Debug, Default)]
pub struct RequestCounts(Mutex<HashMap<OrganizationId, i64>>);

impl RequestCounts {
    /// Counts a request.
    pub(super) fn add(&self, organization: OrganizationId) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(organization).or_default() += 1;
    }

    /// Takes the counts and begins at zero.
    pub fn take(&self) -> HashMap<OrganizationId, i64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
