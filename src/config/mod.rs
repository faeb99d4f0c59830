//! The configuration: embedded defaults, then a file, then `APEX_*` variables,
//! then flags; later wins. This is the only place that reads the environment,
//! and it reads it once.

mod layers;
mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use secrecy::SecretString;
use serde::Deserialize;

pub use layers::Layers;
pub use values::Span;

/// A setting that cannot be used; the process exits with code 78.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// Everything that can be set. The documentation of each setting and its default
/// stand in `defaults.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // documented in defaults.toml, which users read
pub struct Config {
    #[serde(deserialize_with = "values::address")]
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub files_dir: PathBuf,
    pub database_url: SecretString,
    pub redis_url: SecretString,
    pub clickhouse_url: SecretString,
    pub runtime: Runtime,
    pub rate_limit_enabled: bool,
    pub secret_key: SecretString,
    pub secret_key_previous: SecretString,
    pub signup: Door,
    pub trial_signup: Door,
    pub metrics_token: SecretString,
    #[serde(deserialize_with = "values::networks")]
    pub trusted_proxies: Vec<IpNet>,
    pub tls_cert: PathBuf,
    pub tls_key: PathBuf,
    pub require_https: bool,
    pub log: String,
    pub log_format: LogFormat,
    #[serde(deserialize_with = "values::list")]
    pub hosts: Vec<String>,
    #[serde(deserialize_with = "values::list")]
    pub cors_origins: Vec<String>,
    pub transport: Transport,
    pub database: Database,
    pub events: Events,
    pub sessions: Sessions,
    pub trial: Trial,
    pub plans: Plans,
    pub memory: Memory,
    pub embedding: Embedding,
    pub compat: Compat,
    pub webhooks: Webhooks,
    pub paas: Paas,
    pub limits: BTreeMap<String, Limit>,
}

/// Which container runtime the PaaS drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Runtime {
    Auto,
    Docker,
    Kubernetes,
    None,
}

/// Whether something is open to everyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Door {
    Open,
    Closed,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum LogFormat {
    Text,
    Json,
}

/// Time-outs and bounds of connections and requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Transport {
    pub first_byte_timeout: Span,
    pub tls_timeout: Span,
    pub header_timeout: Span,
    pub body_timeout: Span,
    pub call_timeout: Span,
    pub stream_idle_timeout: Span,
    pub stream_timeout: Span,
    pub write_timeout: Span,
    pub ping_interval: Span,
    pub ping_timeout: Span,
    pub idle_timeout: Span,
    pub max_age: Span,
    pub max_connections: usize,
    pub max_connections_per_address: usize,
    pub max_streams: u32,
    pub max_header_bytes: u32,
    pub max_idle_frames: u32,
    pub max_message_in: usize,
    pub max_message_out: usize,
    pub max_body: usize,
    pub max_in_flight: usize,
    pub max_in_flight_share: usize,
    pub drain_delay: Span,
    pub drain_timeout: Span,
}

/// Connections to the database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Database {
    pub readers: u32,
    pub busy_timeout: Span,
    pub pool: u32,
}

/// The event log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Events {
    pub queue: usize,
    pub dedupe_window: Span,
}

/// Sessions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Sessions {
    pub lifetime: Span,
}

/// Trials of the memory product.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Trial {
    pub days: u32,
    pub kept_days: u32,
    pub support: String,
    pub quickstart: String,
    pub base_url: String,
}

/// What each plan allows.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Plans {
    pub trial: Allowance,
    pub starter: Allowance,
    pub scale: Allowance,
}

/// What one plan allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Allowance {
    pub per_minute: u32,
    pub per_day: u32,
    pub users: u32,
    pub nodes_per_user: u32,
}

/// The memory product.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Memory {
    pub index_bytes: usize,
}

/// What turns texts into vectors.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Embedding {
    pub base_url: String,
    pub model: String,
    pub api_key: SecretString,
    pub dimensions: String,
    pub timeout: Span,
}

/// Which of two documented answers is given.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Compat {
    pub trial_expired_code: TrialCode,
    pub ingest_status: u16,
}

/// Error code of a trial that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum TrialCode {
    TrialExpired,
    Forbidden,
}

/// Webhooks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Webhooks {
    #[serde(deserialize_with = "values::networks")]
    pub allowed_networks: Vec<IpNet>,
    pub timeout: Span,
    pub first_retry: Span,
    pub give_up: Span,
}

/// The platform.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Paas {
    pub docker_host: String,
    #[serde(deserialize_with = "values::address")]
    pub proxy_listen: SocketAddr,
    pub domain: String,
    #[serde(deserialize_with = "values::list")]
    pub registries: Vec<String>,
    pub postgres_image: String,
    pub mysql_image: String,
    pub redis_image: String,
    pub mongodb_image: String,
}

/// Figures of a rate group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Limit {
    pub limit: u32,
    pub window: Span,
    pub per: Per,
    pub sliding: bool,
}

/// What a rate group counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Per {
    Key,
    Project,
    Organization,
    Address,
    Account,
    Plan,
}

impl Config {
    /// Path of the embedded database.
    pub fn sqlite_path(&self) -> PathBuf {
        self.data_dir.join("apex.db")
    }

    /// Folder of the files callers send.
    pub fn files_path(&self) -> PathBuf {
        match self.files_dir.as_os_str().is_empty() {
            true => self.data_dir.join("files"),
            false => self.files_dir.clone(),
        }
    }

    /// Path of the operator's socket.
    pub fn socket_path(&self) -> PathBuf {
        self.data_dir.join("apex.sock")
    }

    /// Certificate and key, when TLS is served.
    pub fn tls(&self) -> Option<(&Path, &Path)> {
        let set = !self.tls_cert.as_os_str().is_empty();
        set.then_some((&self.tls_cert, &self.tls_key))
    }

    fn check(&self) -> Result<(), ConfigError> {
        let fail = |text: &str| Err(ConfigError(text.to_owned()));
        if self.tls_cert.as_os_str().is_empty() != self.tls_key.as_os_str().is_empty() {
            return fail("tls_cert and tls_key are set together or not at all");
        }
        use secrecy::ExposeSecret as _;
        let url = self.database_url.expose_secret();
        let postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
        if !url.is_empty() && !postgres && !url.starts_with("sqlite://") {
            return fail("database_url is neither postgres://… nor sqlite://…");
        }
        if postgres && self.secret_key.expose_secret().is_empty() {
            return fail(
                "secret_key must be set with PostgreSQL, so that every node has the same: \
                 APEX_SECRET_KEY=$(openssl rand -hex 32)",
            );
        }
        if self.secret_key.expose_secret().contains(',') {
            return fail(
                "secret_key is one key, without a comma; older ones go into secret_key_previous",
            );
        }
        for key in std::iter::once(&self.secret_key).chain([&self.secret_key_previous]) {
            let short = key
                .expose_secret()
                .split(',')
                .any(|k| !k.is_empty() && k.trim().len() < 32);
            if short {
                return fail("a secret key must have at least 32 bytes: openssl rand -hex 32");
            }
        }
        if let Some(wrong) = self.cors_origins.iter().find(|text| !is_origin(text)) {
            return Err(ConfigError(format!(
                "cors_origins: `{wrong}` is no origin as browsers write it, such as \
                 https://app.example.com"
            )));
        }
        if !matches!(self.compat.ingest_status, 200 | 201) {
            return fail("compat.ingest_status is 200 or 201");
        }
        if !self.clickhouse_url.expose_secret().is_empty() {
            return fail("clickhouse_url: this version keeps its events in the SQL database");
        }
        Ok(())
    }
}

/// Whether a text is what a browser could send as `Origin` of a site that can be
/// trusted. `null` is the origin of every sandboxed frame.
fn is_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:[]".contains(c);
    host.is_some_and(|host| !host.is_empty() && host.chars().all(plain))
}
