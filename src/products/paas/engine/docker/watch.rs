//! Containers that were ready and answer no more. Each is checked again and again; one that
//! fails in a row takes no requests as long as another of its workload answers, and counts
//! as missing: its replacement is started beside it, and it goes once that is ready. One
//! that answers again before stays. Databases are not watched, since what ends them may
//! take longer than what ails them.

use std::collections::{HashMap, HashSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use super::super::probe::is_ready;
use super::{Container, Docker};
use crate::error::Result;

/// How often a container is checked.
const LOOK: Duration = Duration::from_secs(5);
/// Checks in a row that fail until it counts as missing.
const FAILURES: u32 = 3;
/// Checks at once.
const AT_ONCE: usize = 64;

impl Docker {
    /// Watches what takes requests, as long as the process runs.
    pub(in super::super) async fn watch(self) {
        let mut failures = HashMap::new();
        loop {
            tokio::time::sleep(LOOK).await;
            if self.routes.is_idle() {
                continue;
            }
            // An engine that does not answer is told of by who asks it each second.
            let _ = self.check(&mut failures).await;
        }
    }

    /// Checks every container once.
    async fn check(&self, failures: &mut HashMap<String, u32>) -> Result<()> {
        let all = self.containers(None).await?;
        let known = |one: &Container| {
            self.routes.is_ready(&one.workload, &one.id) || self.sick().contains(&one.id)
        };
        let watched = all.into_iter().filter(|one| one.is_running && known(one));
        let checks = watched.filter_map(|one| {
            let (address, path) = (one.address?, one.health.clone()?);
            Some(async move { (one, is_ready(address, &path).await) })
        });
        let checks: Vec<_> = checks.collect();
        let checks = stream::iter(checks).buffer_unordered(AT_ONCE);
        let checked: Vec<(Container, bool)> = checks.collect().await;
        let mut next = HashMap::new();
        for (one, _) in checked.iter().filter(|(_, answers)| !answers) {
            let before = failures.get(&one.id).copied().unwrap_or_default();
            next.insert(one.id.clone(), before.saturating_add(1));
        }
        *failures = next;
        let is_sick = |one: &Container| failures.get(&one.id).is_some_and(|own| *own >= FAILURES);
        for (one, _) in checked.iter().filter(|(one, _)| is_sick(one)) {
            let told = self.sick().contains(&one.id);
            if !told {
                let (workload, container) = (&one.workload, &one.id);
                tracing::warn!(
                    workload,
                    container,
                    "a container answers its checks no more"
                );
            }
            let others = self.routes.ready(&one.workload);
            let well = others.iter().any(|id| !failures.contains_key(id));
            if well {
                self.routes.avoid(&one.workload, &one.id);
            }
        }
        let sick = checked.into_iter().map(|(one, _)| one).filter(is_sick);
        *self.sick() = sick.map(|one| one.id).collect();
        Ok(())
    }

    /// Containers that count as missing.
    pub(super) fn sick(&self) -> MutexGuard<'_, HashSet<String>> {
        self.sick.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
