//! Makes, stops and removes containers. They are told everything by fields of the API and
//! nothing by a shell, have no more rights than they need, and share a network with those
//! of their own organization alone.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, HostConfigLogConfig, Mount, MountType,
    NetworkCreateRequest, NetworkingConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptions, RemoveContainerOptions, StopContainerOptions,
};
use futures_util::future::join_all;
use uuid::Uuid;

use super::super::{Release, Workload};
use super::images::Image;
use super::{
    Container, DEPLOYMENT, Docker, HEALTH, INSTANCE, REPLICA, WORKLOAD, status, trouble, words,
};
use crate::error::Result;

/// Seconds a container may take to stop before it is killed.
const STOP_S: i32 = 10;
/// How long its requests may take before it is told to stop.
const DRAIN: Duration = Duration::from_secs(30);
/// Processes of a container at the most.
const PROCESSES: i64 = 1024;
const MIB: i64 = 1024 * 1024;

impl Docker {
    /// The name of the volume of a workload.
    pub(super) fn volume(&self, id: &str) -> String {
        format!("apex-{id}")
    }

    fn network_name(&self, organization: i64) -> String {
        let installation: String = self.instance.chars().rev().take(8).collect();
        format!("apex-{installation}-{organization}")
    }

    /// Removes the network of an organization if nobody is on it: engines have room for a
    /// few dozen.
    pub(super) async fn leave_network(&self, organization: i64) {
        let name = self.network_name(organization);
        // It is in use, or gone.
        let _ = self.api.remove_network(&name).await;
    }

    /// The network of an organization, or why there is none: engines have so many addresses.
    async fn network(&self, organization: i64) -> Result<Result<String, String>> {
        let name = self.network_name(organization);
        match self.api.inspect_network(&name, None).await {
            Ok(_) => return Ok(Ok(name)),
            Err(error) if status(&error) == Some(404) => {}
            Err(error) => return Err(trouble(error)),
        }
        let labels = HashMap::from([(INSTANCE.to_owned(), self.instance.to_string())]);
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("bridge".to_owned()),
            labels: Some(labels),
            ..Default::default()
        };
        match self.api.create_network(request).await {
            Ok(_) => Ok(Ok(name)),
            // Somebody else was faster.
            Err(error) if status(&error) == Some(409) => Ok(Ok(name)),
            Err(error) => refused(error),
        }
    }

    /// Makes and starts a container; answers its id, or why it cannot be.
    pub(super) async fn start(
        &self,
        workload: &Workload,
        release: &Release,
        image: &Image,
        replica: u32,
    ) -> Result<Result<String, String>> {
        let made = match self.create(workload, release, image, replica).await? {
            Ok(made) => made,
            Err(words) => return Ok(Err(words)),
        };
        match self.api.start_container(&made, None).await {
            Ok(()) => Ok(Ok(made)),
            Err(error) => refused(error),
        }
    }

    /// Makes a container that is not started.
    pub(super) async fn create(
        &self,
        workload: &Workload,
        release: &Release,
        image: &Image,
        replica: u32,
    ) -> Result<Result<String, String>> {
        let network = match self.network(workload.organization).await? {
            Ok(network) => network,
            Err(words) => return Ok(Err(words)),
        };
        let unique = Uuid::new_v4().simple().to_string();
        let name = format!("apex-{}-{replica}-{}", workload.name, &unique[..12]);
        let options = CreateContainerOptions {
            name: Some(name),
            ..Default::default()
        };
        let body = self.body(workload, release, image, (replica, network));
        match self.api.create_container(Some(options), body).await {
            Ok(made) => Ok(Ok(made.id)),
            Err(error) => refused(error),
        }
    }

    fn body(
        &self,
        workload: &Workload,
        release: &Release,
        image: &Image,
        (replica, network): (u32, String),
    ) -> ContainerCreateBody {
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let port = format!("{}/tcp", release.port);
        let binding = PortBinding {
            host_ip: Some("127.0.0.1".to_owned()),
            host_port: Some(String::new()),
        };
        let mount = |target: &String| Mount {
            target: Some(target.clone()),
            source: Some(self.volume(&workload.id)),
            typ: Some(MountType::VOLUME),
            ..Default::default()
        };
        let mut labels = HashMap::from([
            label(INSTANCE, &self.instance),
            label(WORKLOAD, &workload.id),
            label(DEPLOYMENT, &release.deployment),
            label(REPLICA, &replica.to_string()),
        ]);
        if workload.volume.is_none() {
            labels.extend([label(HEALTH, &release.health_path)]);
        }
        let endpoint = EndpointSettings {
            aliases: Some(vec![workload.name.clone()]),
            ..Default::default()
        };
        let rotated = [("max-size", "10m"), ("max-file", "3")];
        let rotated = rotated.map(|(name, value)| label(name, value));
        let host = HostConfig {
            memory: Some(i64::from(release.memory_mb) * MIB),
            // More than there are is refused by engines.
            nano_cpus: Some((release.cpus.min(self.processors) * 1e9) as i64),
            pids_limit: Some(PROCESSES),
            network_mode: Some(network.clone()),
            port_bindings: Some(HashMap::from([(port.clone(), Some(vec![binding]))])),
            // Whether and when it is started again is decided here.
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            }),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            cap_drop: Some(vec!["NET_RAW".to_owned(), "MKNOD".to_owned()]),
            mounts: workload.volume.as_ref().map(|target| vec![mount(target)]),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: Some(HashMap::from(rotated)),
            }),
            ..Default::default()
        };
        ContainerCreateBody {
            image: Some(image.id.clone()),
            env: Some(
                release
                    .env
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect(),
            ),
            cmd: (!release.command.is_empty()).then(|| release.command.clone()),
            exposed_ports: Some(vec![port]),
            labels: Some(labels),
            host_config: Some(host),
            networking_config: Some(NetworkingConfig {
                endpoints_config: Some(HashMap::from([(network, endpoint)])),
            }),
            ..Default::default()
        }
    }

    /// Ends containers: lets them finish what they have, tells them to stop, and removes
    /// them.
    pub(super) async fn retire(&self, workload: &str, gone: &[Container]) -> Result<()> {
        if gone.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = gone.iter().map(|own| own.id.as_str()).collect();
        self.routes.leave(workload, &ids, DRAIN).await;
        let removed = join_all(gone.iter().map(|own| self.end(own))).await;
        removed.into_iter().collect()
    }

    async fn end(&self, container: &Container) -> Result<()> {
        if container.is_running {
            let options = StopContainerOptions {
                t: Some(STOP_S),
                ..Default::default()
            };
            match self.api.stop_container(&container.id, Some(options)).await {
                Ok(()) => {}
                // It is gone, or it stopped by itself.
                Err(error) if matches!(status(&error), Some(304 | 404)) => {}
                Err(error) => return Err(trouble(error)),
            }
        }
        self.remove(&container.id).await
    }

    /// Removes a container, however it is.
    pub(super) async fn remove(&self, id: &str) -> Result<()> {
        let options = RemoveContainerOptions {
            force: true,
            v: true,
            ..Default::default()
        };
        match self.api.remove_container(id, Some(options)).await {
            Ok(()) => Ok(()),
            // It is gone, or somebody is removing it.
            Err(error) if matches!(status(&error), Some(404 | 409)) => Ok(()),
            Err(error) => Err(trouble(error)),
        }
    }
}

/// What the engine will not do whenever it is asked is the caller's to mend; anything else
/// is tried again, as what was there a moment ago and is not: an image, or a network that
/// the last to leave has removed.
fn refused(error: bollard::errors::Error) -> Result<Result<String, String>> {
    match status(&error) {
        Some(400..=403 | 405..=500) => Ok(Err(format!(
            "The engine refused the container: {}",
            words(&error)
        ))),
        _ => Err(trouble(error)),
    }
}
