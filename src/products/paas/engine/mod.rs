//! What runs containers. An engine is told what is wanted of one workload at a time and
//! brings it about its own way: how containers are replaced is the engine's business, what
//! is wanted and what became of it is the reconciler's.

mod docker;
mod probe;

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::proxy::Routes;
use super::state;
use crate::config::{Config, ConfigError, Runtime as Choice};
use crate::db::Db;
use crate::error::Result;
use crate::server::Replies;

/// Something that runs containers.
pub trait Runtime: Send + Sync + Debug {
    /// What it is called, such as `docker`.
    fn name(&self) -> &'static str;

    /// Everything this installation made, as it is now.
    fn observe(&self) -> BoxFuture<'_, Result<Vec<Observed>>>;

    /// Brings a workload to what is wanted of it, and says what came of it. Dropping it
    /// half-way does no harm: the next one goes on from what there is.
    fn converge(&self, workload: Workload) -> BoxFuture<'_, Result<Outcome>>;

    /// Takes away the data of a workload that is gone.
    fn forget(&self, id: String) -> BoxFuture<'_, Result<()>>;

    /// Copies the data of a workload that has no containers to a file; answers its size, or
    /// why that cannot be.
    fn save(&self, workload: Workload, to: PathBuf) -> BoxFuture<'_, Result<Result<u64, String>>>;

    /// Puts the data of a workload that has no containers back from a file, in place of all
    /// there is; or answers why that cannot be.
    fn load(&self, workload: Workload, from: PathBuf) -> BoxFuture<'_, Result<Result<(), String>>>;

    /// What the containers of a workload use of the machine.
    fn usage(&self, id: String) -> BoxFuture<'_, Result<Vec<Usage>>>;

    /// What the containers of a workload write.
    fn logs(&self, id: String, wanted: LogQuery) -> BoxFuture<'_, Result<Replies<LogLine>>>;
}

/// What is wanted: a service or a database.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Its id.
    pub id: String,
    /// What it is called, for people who look at the engine.
    pub name: String,
    /// The organization it belongs to; those of others cannot reach it.
    pub organization: i64,
    /// How many containers.
    pub replicas: u32,
    /// What runs in them; nothing when it is to go.
    pub release: Option<Release>,
    /// Whether this release ran before: then it is repaired for as long as it takes, while
    /// a new one fails as a whole.
    pub proven: bool,
    /// Where its data is kept, inside; with data, containers are not replaced side by side.
    pub volume: Option<String>,
}

/// What runs in containers.
#[derive(Clone)]
pub struct Release {
    /// Its deployment.
    pub deployment: String,
    /// The image that was asked for.
    pub image: String,
    /// The very image, if it is known.
    pub digest: Option<String>,
    /// Variables of the environment.
    pub env: Vec<(String, String)>,
    /// The program and its arguments; the image's own when empty.
    pub command: Vec<String>,
    /// The port they listen on.
    pub port: u16,
    /// A path that is answered when they are ready; empty when the port is enough.
    pub health_path: String,
    /// Seconds they may take until they are ready.
    pub patience_s: u32,
    /// Memory of each, in MiB.
    pub memory_mb: u32,
    /// Processors of each.
    pub cpus: f64,
}

impl Release {
    /// A text of a container's, without values of its environment and words of its command
    /// that are long enough to be secrets.
    pub fn without_secrets(&self, text: &str) -> String {
        const LEAST: usize = 6;
        let values = self.env.iter().map(|(_, value)| value.as_str());
        let mut all: Vec<&str> = values
            .chain(self.command.iter().map(String::as_str))
            .collect();
        // What contains others goes first.
        all.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let all = all.into_iter().filter(|value| value.len() >= LEAST);
        all.fold(text.to_owned(), |text, value| {
            text.replace(value, "********")
        })
    }
}

impl Debug for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither the environment nor the command, which hold secrets.
        f.debug_struct("Release")
            .field("deployment", &self.deployment)
            .field("image", &self.image)
            .finish_non_exhaustive()
    }
}

/// Containers of a workload and a deployment, as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The workload.
    pub id: String,
    /// The deployment.
    pub deployment: String,
    /// How many run and are known to be ready.
    pub ready: u32,
    /// How many there are besides: not ready yet, or ended.
    pub others: u32,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All is as it is wanted.
    Settled {
        /// The very image that runs.
        digest: Option<String>,
        /// Where the first container is reached on this machine.
        local_port: Option<u16>,
    },
    /// A release that ran before had lost a container, and has all of them again.
    Mended {
        /// What was wrong, for people.
        reason: String,
        /// Where the first container is reached on this machine.
        local_port: Option<u16>,
    },
    /// A new release failed, and is gone again; what ran before was not touched.
    Failed {
        /// Why, for people.
        reason: String,
    },
    /// A release that ran before has fewer containers than wanted, for now.
    Short {
        /// How many are ready.
        ready: u32,
        /// Why, for people.
        reason: String,
    },
}

impl Outcome {
    /// Whether all is as it is wanted, and nothing was wrong.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Settled { .. })
    }
}

/// What a container uses of the machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// Which container.
    pub replica: String,
    /// How much of one processor, in percent.
    pub cpu_percent: f64,
    /// Memory in use, in bytes.
    pub memory: u64,
    /// Memory it may use, in bytes.
    pub memory_limit: u64,
}

/// Which lines are wanted.
#[derive(Debug, Clone, Copy)]
pub struct LogQuery {
    /// At most so many of each container.
    pub tail: u32,
    /// Those since then, in microseconds.
    pub since: Option<i64>,
    /// Whether it goes on.
    pub follow: bool,
}

/// A line a container wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When, in microseconds.
    pub at: i64,
    /// Which container.
    pub replica: String,
    /// Whether it was written as an error.
    pub is_error: bool,
    /// The line, without its end.
    pub text: String,
}

/// Looks for the engine the configuration wants.
pub async fn find(
    config: &Config,
    db: &Db,
    routes: &Arc<Routes>,
) -> Result<Option<Arc<dyn Runtime>>, ConfigError> {
    let instance = || async {
        let made = state::instance(db).await;
        made.map_err(|error| ConfigError(format!("the platform's own record: {error}")))
    };
    match config.runtime {
        Choice::None => Ok(None),
        Choice::Kubernetes => Err(ConfigError(
            "runtime: this version drives Docker and Podman; kubernetes is not there yet".into(),
        )),
        Choice::Auto | Choice::Docker => {
            let found = docker::find(&config.paas.docker_host).await;
            match (found, config.runtime) {
                (Ok(Some((api, socket))), _) => {
                    tracing::info!(socket, "containers are run by this engine");
                    let own = docker::Docker::new(api, instance().await?, routes.clone()).await;
                    tokio::spawn(own.clone().watch());
                    Ok(Some(Arc::new(own)))
                }
                (Ok(None), Choice::Docker) => Err(ConfigError(
                    "runtime: no Docker-compatible engine answers: start one, or set \
                     paas.docker_host to its socket"
                        .into(),
                )),
                (Err(error), Choice::Docker) => Err(ConfigError(format!("runtime: {error}"))),
                (Ok(None), _) => Ok(None),
                (Err(error), _) => {
                    tracing::warn!(cause = error, "there is no container engine");
                    Ok(None)
                }
            }
        }
    }
}

impl Workload {
    /// One that is to go.
    pub fn gone(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: String::new(),
            organization: 0,
            replicas: 0,
            release: None,
            proven: true,
            volume: None,
        }
    }
}
