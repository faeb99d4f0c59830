//! What all requests share.

use std::sync::atomic::AtomicBool;

use ipnet::IpNet;

use super::metrics::Metrics;
use crate::auth::{Directory, SessionTokens};
use crate::config::Transport;
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
    /// Networks whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins whose pages may call with credentials.
    pub cors_origins: Vec<String>,
    /// Hosts that belong to a product.
    pub hosts: Vec<(String, String)>,
    /// Whether plaintext requests are refused.
    pub require_https: bool,
    /// Whether the server is shutting down.
    pub draining: AtomicBool,
}
