//! Who answers for which host: host names lead to workloads, and workloads to those of
//! their containers that are ready. Both change while requests are under way.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;

/// How long a request may need between choosing a container and being counted there.
const GRACE: Duration = Duration::from_millis(100);
/// How often it is looked whether a container is done with its requests.
const LOOK: Duration = Duration::from_millis(20);

/// Who answers for which host. All of it is read without a lock.
#[derive(Debug, Default)]
pub struct Routes {
    hosts: ArcSwap<HashMap<String, String>>,
    pools: ArcSwap<HashMap<String, Arc<Pool>>>,
    /// Containers that take no requests any more and may still have some. Held by who
    /// changes the pools.
    leaving: Mutex<Vec<Weak<Upstream>>>,
}

/// The containers of a workload that are ready.
#[derive(Debug)]
struct Pool {
    members: Vec<Arc<Upstream>>,
    next: AtomicUsize,
}

/// A container that takes requests.
#[derive(Debug)]
pub(crate) struct Upstream {
    container: String,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    busy: AtomicUsize,
}

/// A request's place at a container, for as long as it lasts.
#[derive(Debug)]
pub(crate) struct Member(pub(crate) Arc<Upstream>);

impl Drop for Member {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Routes {
    /// Which workload every host leads to.
    pub(crate) fn set_hosts(&self, hosts: HashMap<String, String>) {
        self.hosts.store(Arc::new(hosts));
    }

    /// The workload a host leads to.
    pub(super) fn workload(&self, host: &str) -> Option<String> {
        self.hosts.load().get(host).cloned()
    }

    /// Takes a place at one of a workload's containers, each in its turn.
    pub(super) fn enter(&self, workload: &str) -> Option<Member> {
        let pools = self.pools.load();
        let pool = pools.get(workload)?;
        let turn = pool.next.fetch_add(1, Ordering::Relaxed);
        let upstream = pool.members.get(turn.checked_rem(pool.members.len())?)?;
        upstream.busy.fetch_add(1, Ordering::AcqRel);
        Some(Member(upstream.clone()))
    }

    /// The containers of a workload that take requests.
    pub(crate) fn ready(&self, workload: &str) -> Vec<String> {
        let pools = self.pools.load();
        let members = pools.get(workload).map(|pool| &pool.members);
        let members = members.into_iter().flatten();
        members.map(|own| own.container.clone()).collect()
    }

    /// Whether a container takes requests.
    pub(crate) fn is_ready(&self, workload: &str, container: &str) -> bool {
        let pools = self.pools.load();
        let members = pools.get(workload).map(|pool| &pool.members);
        let mut members = members.into_iter().flatten();
        members.any(|own| own.container == container)
    }

    /// Whether nobody takes requests.
    pub(crate) fn is_idle(&self) -> bool {
        self.pools.load().is_empty()
    }

    /// From now on a container takes no requests any more; those it has go on.
    pub(crate) fn avoid(&self, workload: &str, container: &str) {
        self.set(workload, &self.without(workload, &[container]));
    }

    /// The containers of a workload that take requests, but for some.
    fn without(&self, workload: &str, gone: &[&str]) -> Vec<(String, SocketAddr)> {
        let pools = self.pools.load();
        let members = pools.get(workload).map(|pool| &pool.members);
        let members = members.into_iter().flatten();
        members
            .filter(|own| !gone.contains(&own.container.as_str()))
            .map(|own| (own.container.clone(), own.address))
            .collect()
    }

    /// From now on these containers of a workload take requests, and no others.
    pub(crate) fn set(&self, workload: &str, containers: &[(String, SocketAddr)]) {
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pools = HashMap::clone(&self.pools.load());
        let before = pools.get(workload).map(|pool| pool.members.clone());
        let before = before.unwrap_or_default();
        let member = |(container, address): &(String, SocketAddr)| {
            let known = before
                .iter()
                .find(|own| own.container == *container && own.address == *address);
            known.cloned().unwrap_or_else(|| {
                Arc::new(Upstream {
                    container: container.clone(),
                    address: *address,
                    busy: AtomicUsize::new(0),
                })
            })
        };
        let members: Vec<Arc<Upstream>> = containers.iter().map(member).collect();
        leaving.retain(|own| own.strong_count() > 0);
        let gone = before
            .iter()
            .filter(|own| !members.iter().any(|new| Arc::ptr_eq(own, new)));
        leaving.extend(gone.map(Arc::downgrade));
        match members.is_empty() {
            true => pools.remove(workload),
            false => pools.insert(
                workload.to_owned(),
                Arc::new(Pool {
                    members,
                    next: AtomicUsize::new(0),
                }),
            ),
        };
        self.pools.store(Arc::new(pools));
    }

    /// These containers of a workload take no requests any more. Waits until those they
    /// have are answered, but not for ever.
    pub(crate) async fn leave(&self, workload: &str, gone: &[&str], most: Duration) {
        self.set(workload, &self.without(workload, gone));
        // Who has chosen one of them is counted there by now.
        tokio::time::sleep(GRACE).await;
        let busy: Vec<Arc<Upstream>> = {
            let leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
            let known = leaving.iter().filter_map(Weak::upgrade);
            known
                .filter(|own| gone.contains(&own.container.as_str()))
                .collect()
        };
        let wait = async {
            while busy.iter().any(|own| own.busy.load(Ordering::Acquire) > 0) {
                tokio::time::sleep(LOOK).await;
            }
        };
        let _ = tokio::time::timeout(most, wait).await;
    }

    /// These containers of a workload take requests as well.
    pub(crate) fn add(&self, workload: &str, more: &[(String, SocketAddr)]) {
        let mut next = more.to_vec();
        {
            let pools = self.pools.load();
            let members = pools.get(workload).map(|pool| &pool.members);
            let others = members
                .into_iter()
                .flatten()
                .filter(|own| !more.iter().any(|(id, _)| *id == own.container));
            next.extend(others.map(|own| (own.container.clone(), own.address)));
        }
        self.set(workload, &next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_take_turns_and_are_waited_for() {
        let routes = Routes::default();
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        routes.set_hosts([("a.example".to_owned(), "w".to_owned())].into());
        assert_eq!(routes.workload("a.example").as_deref(), Some("w"));
        assert!(routes.enter("w").is_none());
        routes.set("w", &[("one".into(), at(1)), ("two".into(), at(2))]);
        let first = routes.enter("w").unwrap();
        let second = routes.enter("w").unwrap();
        assert_ne!(first.0.address, second.0.address);
        routes.set("w", &[("three".into(), at(3))]);
        assert_eq!(routes.ready("w"), ["three"]);
        let leave = || routes.leave("w", &["one", "two"], Duration::from_secs(60));
        let busy = tokio::time::timeout(GRACE * 3, leave());
        assert!(busy.await.is_err(), "requests are under way");
        drop((first, second));
        leave().await;
        routes.add("w", &[("four".into(), at(4))]);
        assert_eq!(routes.ready("w").len(), 2);
        routes
            .leave("w", &["three", "four"], Duration::from_secs(60))
            .await;
        assert!(routes.enter("w").is_none());
    }
}
