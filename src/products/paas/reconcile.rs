//! Makes what is so of what is wanted. Every second the engine is asked what there is, and
//! what differs from what is written down is put right: after a start of this server as
//! after a container's end. What is wanted is read only when it has changed, and where
//! nothing is wanted and nothing is there, nothing is asked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{AbortHandle, JoinSet};

use super::engine::{Observed, Runtime, Workload};
use super::services::{domain, drive, record};
use super::{Paas, databases, state};
use crate::error::Result;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);
/// Workloads that are worked on at once, and of one organization: a deployment may take
/// minutes, and nobody waits for those of others.
const AT_ONCE: usize = 256;
const OF_ONE: usize = 16;
/// How long after a failure the first next try comes, and the longest wait there is.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What a workload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Service,
    Database,
    /// Something of this installation that nobody wants any more.
    Orphan,
}

/// What is wanted of a workload, as far as it can be told from outside whether it is so.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    kind: Kind,
    organization: i64,
    deployment: String,
    replicas: u32,
    /// Whether something is to be done also when nothing is there.
    is_due: bool,
}

/// What a workload came to, for the loop.
#[derive(Debug)]
struct Done {
    id: String,
    /// Whether it is as it is wanted.
    settled: bool,
}

/// A workload whose last try failed.
#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    wait: Duration,
}

struct Reconciler {
    paas: Paas,
    engine: Arc<dyn Runtime>,
    generation: i64,
    wanted: HashMap<String, Wanted>,
    busy: HashMap<String, (Wanted, AbortHandle)>,
    tasks: JoinSet<Done>,
    pauses: HashMap<String, Pause>,
    /// Whether the engine has nothing of this installation's.
    is_empty: bool,
}

/// Runs as long as the process.
pub(super) async fn run(paas: Paas, engine: Arc<dyn Runtime>) {
    let mut own = Reconciler {
        paas: paas.clone(),
        engine,
        generation: 0,
        wanted: HashMap::new(),
        busy: HashMap::new(),
        tasks: JoinSet::new(),
        pauses: HashMap::new(),
        is_empty: false,
    };
    let mut failing = false;
    loop {
        match own.round().await {
            Ok(()) if failing => {
                tracing::info!("the container engine answers again");
                failing = false;
            }
            Ok(()) => {}
            Err(error) if !failing => {
                tracing::warn!(%error, cause = error.log_cause(), "cannot look after containers");
                failing = true;
            }
            Err(_) => {}
        }
        tokio::select! {
            () = paas.0.changed.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
            Some(done) = own.tasks.join_next(), if !own.tasks.is_empty() => own.note(done),
        }
    }
}

impl Reconciler {
    async fn round(&mut self) -> Result<()> {
        while let Some(done) = self.tasks.try_join_next() {
            self.note(done);
        }
        self.read().await?;
        if self.wanted.is_empty() && self.is_empty {
            return Ok(());
        }
        let seen = self.engine.observe().await?;
        self.is_empty = seen.is_empty();
        let mut by_id: HashMap<&str, Vec<&Observed>> = HashMap::new();
        for one in &seen {
            by_id.entry(&one.id).or_default().push(one);
        }
        let now = Instant::now();
        let orphans = by_id.keys().filter(|id| !self.wanted.contains_key(**id));
        let orphans: Vec<(String, Wanted)> = orphans
            .map(|id| ((*id).to_owned(), Wanted::nothing()))
            .collect();
        let different = self.wanted.iter().filter(|(id, wanted)| {
            let seen = by_id.get(id.as_str()).map_or(&[][..], Vec::as_slice);
            !wanted.is_so(seen)
        });
        let different: Vec<(String, Wanted)> = different
            .map(|(id, wanted)| (id.clone(), wanted.clone()))
            .chain(orphans)
            .collect();
        self.leave_what_changed();
        let mut under_way: HashMap<i64, usize> = HashMap::new();
        for (begun, _) in self.busy.values() {
            *under_way.entry(begun.organization).or_default() += 1;
        }
        for (id, wanted) in different {
            let rests = self.pauses.get(&id).is_some_and(|pause| pause.until > now);
            let own = under_way.entry(wanted.organization).or_default();
            let has_room = self.tasks.len() < AT_ONCE && *own < OF_ONE;
            if has_room && !rests && !self.busy.contains_key(&id) {
                *own += 1;
                let seen = by_id.get(id.as_str()).into_iter().flatten();
                let ready = seen.map(|one| one.ready).sum();
                self.begin(id, wanted, ready);
            }
        }
        Ok(())
    }

    /// Reads what is wanted, if that has changed.
    async fn read(&mut self) -> Result<()> {
        let read = self.paas.db().snapshot(None).await?;
        let generation = state::generation(&read).await?;
        if generation == self.generation {
            return Ok(());
        }
        let services = record::all(&read).await?;
        let databases = databases::all(&read).await?;
        let domains = domain::all(&read).await?;
        drop(read);
        let front = self.paas.front();
        let public = services.iter().filter(|own| own.public && !own.deleted);
        let by_number: HashMap<i64, &record::Row> =
            public.clone().map(|own| (own.number, own)).collect();
        let hosts = public.map(|own| (front.host(&own.name, own.organization), own.id.clone()));
        let more = domains.into_iter().filter_map(|(host, service)| {
            let own = by_number.get(&service)?;
            Some((host, own.id.clone()))
        });
        front.routes.set_hosts(hosts.chain(more).collect());
        let services = services.iter().map(|own| {
            let wanted = Wanted {
                kind: Kind::Service,
                organization: own.organization.0,
                deployment: own.target.clone(),
                replicas: own.wanted(),
                is_due: own.deleted,
            };
            (own.id.clone(), wanted)
        });
        let databases = databases.iter().map(|own| {
            let wanted = Wanted {
                kind: Kind::Database,
                organization: own.organization.0,
                deployment: own.id.clone(),
                replicas: u32::from(!own.deleted && own.task.is_none()),
                is_due: own.deleted || own.task.is_some(),
            };
            (own.id.clone(), wanted)
        });
        let wanted: HashMap<String, Wanted> = services.chain(databases).collect();
        // What is wanted anew is not waited for.
        let known = std::mem::take(&mut self.wanted);
        self.pauses
            .retain(|id, _| known.contains_key(id) && known.get(id) == wanted.get(id));
        self.wanted = wanted;
        self.generation = generation;
        Ok(())
    }

    /// Gives up work on what is not wanted any more; what it made is found by label.
    fn leave_what_changed(&mut self) {
        for (id, (begun, task)) in &self.busy {
            if begun.kind != Kind::Orphan && self.wanted.get(id) != Some(begun) {
                task.abort();
            }
        }
    }

    fn begin(&mut self, id: String, wanted: Wanted, ready: u32) {
        let (paas, engine) = (self.paas.clone(), self.engine.clone());
        let (own, kind) = (id.clone(), wanted.kind);
        let task = self.tasks.spawn(async move {
            let work = match kind {
                Kind::Service => drive::service(&paas, &*engine, &own, ready).await,
                Kind::Database => databases::drive(&paas, &*engine, &own).await,
                Kind::Orphan => remove(&*engine, &own).await,
            };
            let settled = work.unwrap_or_else(|error| {
                let cause = error.log_cause();
                tracing::warn!(%error, cause, workload = own, "cannot look after a workload");
                false
            });
            Done { id: own, settled }
        });
        self.busy.insert(id, (wanted, task));
    }

    fn note(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(done) => {
                self.busy.remove(&done.id);
                if done.settled {
                    self.pauses.remove(&done.id);
                    return;
                }
                let now = Instant::now();
                // What has been well for a while begins anew.
                let before = self.pauses.get(&done.id);
                let before = before.filter(|pause| pause.until + LONGEST_WAIT > now);
                let wait = before.map_or(FIRST_WAIT, |pause| pause.wait * 2);
                let wait = wait.min(LONGEST_WAIT);
                let until = now + wait;
                self.pauses.insert(done.id, Pause { until, wait });
            }
            // It was given up; which one it was is known by its being over.
            Err(_) => self.busy.retain(|_, (_, task)| !task.is_finished()),
        }
    }
}

impl Wanted {
    fn nothing() -> Self {
        Self {
            kind: Kind::Orphan,
            organization: 0,
            deployment: String::new(),
            replicas: 0,
            is_due: true,
        }
    }

    /// Whether what there is, is what is wanted.
    fn is_so(&self, seen: &[&Observed]) -> bool {
        match (self.replicas, seen) {
            // A record of what is gone goes as well.
            (0, []) => !self.is_due,
            (replicas, [one]) => {
                one.deployment == self.deployment && one.ready == replicas && one.others == 0
            }
            _ => false,
        }
    }
}

/// Removes what nobody wants.
async fn remove(engine: &dyn Runtime, id: &str) -> Result<bool> {
    let outcome = engine.converge(Workload::gone(id)).await?;
    Ok(outcome.is_settled())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(deployment: &str, ready: u32, others: u32) -> Observed {
        Observed {
            id: "w".to_owned(),
            deployment: deployment.to_owned(),
            ready,
            others,
        }
    }

    #[test]
    fn what_differs_is_told_from_what_is_so() {
        let wanted = |replicas, is_due| Wanted {
            kind: Kind::Service,
            organization: 1,
            deployment: "d".to_owned(),
            replicas,
            is_due,
        };
        assert!(wanted(2, false).is_so(&[&seen("d", 2, 0)]));
        assert!(wanted(0, false).is_so(&[]));
        for (replicas, is_due, there) in [
            (2, false, vec![]),
            (2, false, vec![seen("d", 1, 0)]),
            (2, false, vec![seen("d", 3, 0)]),
            (2, false, vec![seen("d", 2, 1)]),
            (2, false, vec![seen("e", 2, 0)]),
            (2, false, vec![seen("d", 2, 0), seen("e", 0, 1)]),
            (0, false, vec![seen("d", 1, 0)]),
            (0, true, vec![]),
        ] {
            let all: Vec<&Observed> = there.iter().collect();
            assert!(!wanted(replicas, is_due).is_so(&all), "{there:?}");
        }
    }
}
