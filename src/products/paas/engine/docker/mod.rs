//! Docker, and whatever speaks its API, as Podman does. Containers are known by labels:
//! what does not have this installation's label is never touched. State is polled, since
//! not every engine tells of it.

mod copy;
mod images;
mod logs;
mod make;
mod roll;
mod usage;
mod watch;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bollard::errors::Error as Failure;
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum as State};
use bollard::query_parameters::{ListContainersOptions, RemoveVolumeOptions};
use bollard::{API_DEFAULT_VERSION, Docker as Api};
use futures_util::future::BoxFuture;

use super::super::proxy::Routes;
use super::probe::local;
use super::{LogLine, LogQuery, Observed, Outcome, Runtime, Usage, Workload};
use crate::error::{Error, Kind, Result};
use crate::server::Replies;

/// Whose a container is.
const INSTANCE: &str = "apex.instance";
/// What it is part of.
const WORKLOAD: &str = "apex.workload";
/// Which deployment it runs.
const DEPLOYMENT: &str = "apex.deployment";
/// Which of several it is.
const REPLICA: &str = "apex.replica";
/// What is asked of it to see whether it is ready; what is not watched has none.
const HEALTH: &str = "apex.health";

/// Where engines listen, unless somebody said.
const SOCKETS: [&str; 3] = [
    "/var/run/docker.sock",
    "/run/podman/podman.sock",
    "/var/run/podman/podman.sock",
];
/// Seconds a request to the engine may take; pulls and logs are streams, and take longer.
const TIMEOUT_S: u64 = 60;

/// An engine that speaks Docker's API.
#[derive(Debug, Clone)]
pub(super) struct Docker {
    api: Api,
    instance: Arc<str>,
    routes: Arc<Routes>,
    /// How many the machine has.
    processors: f64,
    /// Containers that answer their checks no more, by id.
    sick: Arc<Mutex<HashSet<String>>>,
}

/// A container, as far as it matters.
#[derive(Debug, Clone)]
struct Container {
    id: String,
    workload: String,
    deployment: String,
    replica: u32,
    /// What it is watched by.
    health: Option<String>,
    is_running: bool,
    /// Whether it ran and does no more; else it was made and never started.
    has_ended: bool,
    /// Where its port is on this machine, while it runs.
    address: Option<SocketAddr>,
}

/// Looks for an engine that answers: at one address, or at the usual ones.
pub(super) async fn find(named: &str) -> Result<Option<(Api, String)>, String> {
    if !named.is_empty() {
        let api = match named.strip_prefix("unix://").unwrap_or(named) {
            path if path.starts_with('/') => {
                Api::connect_with_unix(path, TIMEOUT_S, API_DEFAULT_VERSION)
            }
            other => Api::connect_with_http(other, TIMEOUT_S, API_DEFAULT_VERSION),
        };
        let api = api.map_err(|error| format!("paas.docker_host {named}: {error}"))?;
        let agreed = api.negotiate_version().await;
        let api = agreed.map_err(|error| format!("paas.docker_host {named}: {error}"))?;
        return Ok(Some((api, named.to_owned())));
    }
    for socket in SOCKETS.into_iter().filter(|path| Path::new(path).exists()) {
        let Ok(api) = Api::connect_with_unix(socket, TIMEOUT_S, API_DEFAULT_VERSION) else {
            continue;
        };
        // A socket that nobody listens on is left over.
        if let Ok(api) = api.negotiate_version().await {
            return Ok(Some((api, socket.to_owned())));
        }
    }
    Ok(None)
}

impl Docker {
    pub(super) async fn new(api: Api, instance: String, routes: Arc<Routes>) -> Self {
        let machine = api.info().await.ok();
        let processors = machine.and_then(|own| own.ncpu).filter(|own| *own > 0);
        Self {
            api,
            instance: instance.into(),
            routes,
            processors: processors.map_or(f64::INFINITY, |own| own as f64),
            sick: Arc::default(),
        }
    }

    /// Containers of this installation, of one workload or of all.
    async fn containers(&self, workload: Option<&str>) -> Result<Vec<Container>> {
        let mut labels = vec![format!("{INSTANCE}={}", self.instance)];
        labels.extend(workload.map(|id| format!("{WORKLOAD}={id}")));
        let options = ListContainersOptions {
            all: true,
            filters: Some(HashMap::from([("label".to_owned(), labels)])),
            ..Default::default()
        };
        let found = self.api.list_containers(Some(options)).await;
        let found = found.map_err(trouble)?;
        let own = |one: &Container| workload.is_none_or(|id| one.workload == id);
        let mut all: Vec<Container> = found
            .into_iter()
            .filter_map(|one| self.container(one))
            .filter(own)
            .collect();
        all.sort_by_key(|one| one.replica);
        Ok(all)
    }

    /// A container that is this installation's own.
    fn container(&self, found: ContainerSummary) -> Option<Container> {
        let labels = found.labels.unwrap_or_default();
        // Whatever the engine makes of filters.
        if labels.get(INSTANCE)? != &*self.instance {
            return None;
        }
        let port = found.ports.unwrap_or_default();
        let port = port.iter().find_map(|port| port.public_port);
        Some(Container {
            id: found.id?,
            workload: labels.get(WORKLOAD)?.clone(),
            deployment: labels.get(DEPLOYMENT).cloned().unwrap_or_default(),
            replica: labels
                .get(REPLICA)
                .and_then(|text| text.parse().ok())
                .unwrap_or_default(),
            health: labels.get(HEALTH).cloned(),
            is_running: found.state == Some(State::RUNNING),
            has_ended: matches!(found.state, Some(State::EXITED | State::DEAD)),
            address: port.map(local),
        })
    }

    /// Removes the volume of a workload.
    async fn forget_volume(&self, id: &str) -> Result<()> {
        let options = RemoveVolumeOptions { force: true };
        match self
            .api
            .remove_volume(&self.volume(id), Some(options))
            .await
        {
            Ok(()) => Ok(()),
            Err(error) if status(&error) == Some(404) => Ok(()),
            Err(error) => Err(trouble(error)),
        }
    }

    async fn seen(&self) -> Result<Vec<Observed>> {
        let mut all: HashMap<(String, String), Observed> = HashMap::new();
        for one in self.containers(None).await? {
            let key = (one.workload.clone(), one.deployment.clone());
            let ready = one.is_running
                && self.routes.is_ready(&one.workload, &one.id)
                && !self.sick().contains(&one.id);
            let seen = all.entry(key).or_insert_with(|| Observed {
                id: one.workload,
                deployment: one.deployment,
                ready: 0,
                others: 0,
            });
            match ready {
                true => seen.ready += 1,
                false => seen.others += 1,
            }
        }
        Ok(all.into_values().collect())
    }
}

impl Runtime for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn observe(&self) -> BoxFuture<'_, Result<Vec<Observed>>> {
        Box::pin(self.seen())
    }

    fn converge(&self, workload: Workload) -> BoxFuture<'_, Result<Outcome>> {
        Box::pin(async move { self.bring_about(&workload).await })
    }

    fn forget(&self, id: String) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { self.forget_volume(&id).await })
    }

    fn save(&self, workload: Workload, to: PathBuf) -> BoxFuture<'_, Result<Result<u64, String>>> {
        Box::pin(async move { self.copy_out(&workload, &to).await })
    }

    fn load(&self, workload: Workload, from: PathBuf) -> BoxFuture<'_, Result<Result<(), String>>> {
        Box::pin(async move { self.copy_in(&workload, &from).await })
    }

    fn usage(&self, id: String) -> BoxFuture<'_, Result<Vec<Usage>>> {
        Box::pin(async move { self.used(&id).await })
    }

    fn logs(&self, id: String, wanted: LogQuery) -> BoxFuture<'_, Result<Replies<LogLine>>> {
        Box::pin(async move { self.lines(id, wanted).await })
    }
}

/// The HTTP status an engine refused something with.
fn status(error: &Failure) -> Option<u16> {
    match error {
        Failure::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// What an engine says is wrong, for the people whose containers they are.
fn words(error: &Failure) -> String {
    let text = match error {
        Failure::DockerResponseServerError { message, .. } => message.clone(),
        Failure::DockerStreamError { error } => error.clone(),
        other => other.to_string(),
    };
    let text = text.replace(char::is_control, " ");
    text.trim().chars().take(500).collect()
}

/// The engine does not do what it is asked. Why is for the log.
fn trouble(error: Failure) -> Error {
    Error::new(Kind::Unavailable, "The container engine does not answer")
        .reason(super::super::RUNTIME_UNAVAILABLE)
        .caused_by(error)
}
