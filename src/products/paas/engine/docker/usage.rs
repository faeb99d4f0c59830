//! What containers use of the machine, as the engine counts it.

use bollard::models::ContainerCpuStats;
use bollard::query_parameters::StatsOptions;
use futures_util::StreamExt as _;
use futures_util::future::join_all;

use super::super::Usage;
use super::{Container, Docker};
use crate::error::Result;

impl Docker {
    /// What the containers of a workload use.
    pub(super) async fn used(&self, id: &str) -> Result<Vec<Usage>> {
        let all = self.containers(Some(id)).await?;
        let running = all.iter().filter(|one| one.is_running);
        let used = join_all(running.map(|one| self.used_by(one))).await;
        // What ended meanwhile uses nothing.
        Ok(used.into_iter().flatten().collect())
    }

    async fn used_by(&self, container: &Container) -> Option<Usage> {
        let options = StatsOptions {
            stream: false,
            one_shot: false,
        };
        let mut told = std::pin::pin!(self.api.stats(&container.id, Some(options)));
        let told = told.next().await?.ok()?;
        let memory = told.memory_stats.unwrap_or_default();
        Some(Usage {
            replica: container.replica.to_string(),
            cpu_percent: percent(told.precpu_stats.as_ref(), told.cpu_stats.as_ref()),
            memory: memory.usage.unwrap_or_default(),
            memory_limit: memory.limit.unwrap_or_default(),
        })
    }
}

/// How much of one processor was used between two looks, in percent.
fn percent(before: Option<&ContainerCpuStats>, after: Option<&ContainerCpuStats>) -> f64 {
    let own = |stats: Option<&ContainerCpuStats>| {
        let usage = stats.and_then(|own| own.cpu_usage.as_ref());
        usage.and_then(|own| own.total_usage).unwrap_or_default()
    };
    let all = |stats: Option<&ContainerCpuStats>| {
        stats
            .and_then(|own| own.system_cpu_usage)
            .unwrap_or_default()
    };
    let used = own(after).saturating_sub(own(before)) as f64;
    let passed = all(after).saturating_sub(all(before)) as f64;
    let processors = after.and_then(|own| own.online_cpus).unwrap_or(1);
    match passed > 0.0 {
        true => (used / passed * f64::from(processors) * 1000.0).round() / 10.0,
        false => 0.0,
    }
}
