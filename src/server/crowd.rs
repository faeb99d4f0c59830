//! Connections at once, in all and per address, so that nobody keeps others out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::client::neighbourhood;
use super::shared::Shared;

/// Descriptors that are kept for files and the database.
const OWN_DESCRIPTORS: usize = 64;

/// Connections at once.
#[derive(Clone)]
pub(crate) struct Crowd {
    shared: Arc<Shared>,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    all: Arc<AtomicUsize>,
    most: usize,
}

/// One connection's place in the crowd.
pub(crate) struct Place {
    crowd: Crowd,
    address: IpAddr,
}

impl Crowd {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let wanted = shared.transport.max_connections;
        let most = descriptors().map_or(wanted, |all| {
            wanted.min(all.saturating_sub(OWN_DESCRIPTORS).max(all / 2))
        });
        if most < wanted {
            tracing::warn!(
                connections = most,
                "the limit of open files (ulimit -n) allows fewer connections than max_connections"
            );
        }
        Self {
            shared,
            by_address: Arc::default(),
            all: Arc::default(),
            most,
        }
    }

    /// Lets a connection in, unless there are too many.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Place> {
        if self.all.load(Ordering::Relaxed) >= self.most {
            return None;
        }
        // Everybody behind a proxy has its address.
        let most = match self.shared.is_proxy(address) {
            true => usize::MAX,
            false => self.shared.transport.max_connections_per_address,
        };
        let address = neighbourhood(address);
        let mut by_address = self
            .by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        self.all.fetch_add(1, Ordering::Relaxed);
        self.shared.metrics.connections.inc();
        Some(Place {
            crowd: self.clone(),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let crowd = &self.crowd;
        crowd.all.fetch_sub(1, Ordering::Relaxed);
        crowd.shared.metrics.connections.dec();
        let mut by_address = crowd
            .by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// How many files the process may open, where the system says so.
fn descriptors() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}
