//! How containers are replaced: new ones first, and the old ones only once every new one
//! is ready. A new release that does not become ready is taken away again, and what ran
//! before never notices. Workloads with data have one container at a time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bollard::query_parameters::LogsOptions;
use futures_util::StreamExt as _;
use futures_util::future::join_all;

use super::super::probe::is_ready;
use super::super::{Outcome, Release, Workload};
use super::{Container, Docker};
use crate::error::Result;

/// How often it is looked whether containers are ready: less often the longer they take.
const LOOK: Duration = Duration::from_millis(150);
const LONGEST_LOOK: Duration = Duration::from_secs(1);
/// Lines of its log that a failure quotes.
const QUOTED: usize = 5;

impl Docker {
    /// Brings a workload to what is wanted.
    pub(super) async fn bring_about(&self, workload: &Workload) -> Result<Outcome> {
        let all = self.containers(Some(&workload.id)).await?;
        let Some(release) = workload.release.as_ref().filter(|_| workload.replicas > 0) else {
            self.retire(&workload.id, &all).await?;
            self.leave_network(workload.organization).await;
            return Ok(Outcome::Settled {
                digest: None,
                local_port: None,
            });
        };
        let (own, former): (Vec<Container>, Vec<Container>) = all
            .into_iter()
            .partition(|one| one.deployment == release.deployment);
        let (running, ended): (Vec<Container>, Vec<Container>) =
            own.into_iter().partition(|one| one.is_running);
        let dead = ended.iter().find(|one| one.has_ended);
        if let (Some(dead), false) = (dead, workload.proven) {
            // It ended before it was ready, perhaps while nobody looked.
            let reason = self.why_ended(dead, release, true).await;
            let own = [running.as_slice(), &ended].concat();
            return self.give_up(workload, &own, reason).await;
        }
        for one in &ended {
            self.routes.avoid(&workload.id, &one.id);
        }
        let (sick, running) = self.part_sick(running);
        let wanted = workload.replicas as usize;
        let (kept, extra) = match running.len() > wanted {
            true => running.split_at(wanted),
            false => (running.as_slice(), [].as_slice()),
        };
        self.admit(workload, release, kept).await;
        if workload.volume.is_some() {
            self.retire(&workload.id, &former).await?;
        }
        let mut digest = release.digest.clone();
        if kept.len() < wanted {
            let image = match self.image(release).await? {
                Ok(image) => image,
                Err(reason) => return self.fail(workload, kept, reason).await,
            };
            digest = Some(image.digest.clone());
            let taken: Vec<u32> = kept.iter().map(|one| one.replica).collect();
            let free = (0..).filter(|number| !taken.contains(number));
            for replica in free.take(wanted - kept.len()) {
                let started = self.start(workload, release, &image, replica).await?;
                if let Err(reason) = started {
                    let own = self.own(workload, release).await?;
                    return self.fail(workload, &own, reason).await;
                }
            }
        }
        // Others run in their place by now.
        let lost = match (dead, sick.is_empty()) {
            (Some(dead), _) => Some(self.why_ended(dead, release, false).await),
            (None, false) => Some("A container answered its checks no more".to_owned()),
            (None, true) => None,
        };
        self.retire(&workload.id, &ended).await?;
        if let Err(reason) = self.all_ready(workload, release).await? {
            let own = self.own(workload, release).await?;
            return self.fail(workload, &own, reason).await;
        }
        let own = self.own(workload, release).await?;
        let local_port = own.iter().find_map(|one| one.address).map(|own| own.port());
        let gone = [former.as_slice(), extra, &sick].concat();
        self.retire(&workload.id, &gone).await?;
        Ok(match lost {
            Some(reason) => Outcome::Mended { reason, local_port },
            None => Outcome::Settled { digest, local_port },
        })
    }

    /// The containers of a release.
    async fn own(&self, workload: &Workload, release: &Release) -> Result<Vec<Container>> {
        let mut all = self.containers(Some(&workload.id)).await?;
        all.retain(|one| one.deployment == release.deployment);
        Ok(self.part_sick(all).1)
    }

    /// Those that answer their checks no more, and the others.
    fn part_sick(&self, all: Vec<Container>) -> (Vec<Container>, Vec<Container>) {
        let sick = self.sick();
        all.into_iter().partition(|one| sick.contains(&one.id))
    }

    /// Waits until every container of a release is ready, or says why not. A release that
    /// ran before takes requests with those that are; a new one only with all of them.
    async fn all_ready(
        &self,
        workload: &Workload,
        release: &Release,
    ) -> Result<Result<(), String>> {
        let patience = Duration::from_secs(release.patience_s.into());
        let deadline = Instant::now() + patience;
        let mut look = LOOK;
        loop {
            let own = self.own(workload, release).await?;
            if let Some(dead) = own.iter().find(|one| !one.is_running) {
                return Ok(Err(self.why_ended(dead, release, true).await));
            }
            let ready = self.ready(release, &own).await;
            // Those that are too many are still there, and take requests until they go.
            let enough = ready.len() >= workload.replicas as usize && ready.len() == own.len();
            if enough {
                self.routes.set(&workload.id, &ready);
                return Ok(Ok(()));
            }
            if workload.proven {
                self.routes.add(&workload.id, &ready);
            }
            if Instant::now() >= deadline {
                let how = match release.health_path.as_str() {
                    "" => format!("takes no connections on port {}", release.port),
                    path => format!("does not answer GET {path} on port {}", release.port),
                };
                let waited = patience.as_secs();
                return Ok(Err(format!("A container {how} after {waited} seconds")));
            }
            tokio::time::sleep(look).await;
            look = (look + look / 10).min(LONGEST_LOOK);
        }
    }

    /// Those of some containers that are ready, and where.
    async fn ready(&self, release: &Release, own: &[Container]) -> Vec<(String, SocketAddr)> {
        let checks = own.iter().map(|one| async move {
            let address = one.address?;
            let ready = is_ready(address, &release.health_path).await;
            ready.then(|| (one.id.clone(), address))
        });
        join_all(checks).await.into_iter().flatten().collect()
    }

    /// Containers of a release that ran before take requests if they are ready: after a
    /// start of this server nobody knows of them.
    async fn admit(&self, workload: &Workload, release: &Release, kept: &[Container]) {
        if workload.proven {
            let ready = self.ready(release, kept).await;
            self.routes.add(&workload.id, &ready);
        }
    }

    /// A release that ran before is short of containers; a new one is given up.
    async fn fail(
        &self,
        workload: &Workload,
        own: &[Container],
        reason: String,
    ) -> Result<Outcome> {
        if !workload.proven {
            return self.give_up(workload, own, reason).await;
        }
        let ready = self.routes.ready(&workload.id);
        Ok(Outcome::Short {
            ready: u32::try_from(ready.len()).unwrap_or_default(),
            reason,
        })
    }

    /// Takes a new release away again.
    async fn give_up(
        &self,
        workload: &Workload,
        own: &[Container],
        reason: String,
    ) -> Result<Outcome> {
        self.retire(&workload.id, own).await?;
        Ok(Outcome::Failed { reason })
    }

    /// Why a container ended, perhaps before it was ready: its code, and the end of its log,
    /// without what it was told.
    async fn why_ended(&self, container: &Container, release: &Release, early: bool) -> String {
        let found = self.api.inspect_container(&container.id, None).await;
        let state = found.ok().and_then(|found| found.state);
        let code = state.as_ref().and_then(|own| own.exit_code);
        let how = match (state.and_then(|own| own.oom_killed), code) {
            (Some(true), _) => "was killed for want of memory".to_owned(),
            (_, Some(code)) => format!("ended with code {code}"),
            (_, None) => "ended".to_owned(),
        };
        let options = LogsOptions {
            stdout: true,
            stderr: true,
            tail: QUOTED.to_string(),
            ..Default::default()
        };
        let lines = self.api.logs(&container.id, Some(options));
        let lines: Vec<String> = lines
            .filter_map(|line| async move { Some(line.ok()?.to_string()) })
            .map(|line| line.replace(char::is_control, " ").trim().to_owned())
            .collect()
            .await;
        let end = release.without_secrets(&lines.join(" | "));
        let end: String = end.chars().take(300).collect();
        let when = if early { " before it was ready" } else { "" };
        match end.is_empty() {
            true => format!("A container {how}{when}"),
            false => format!("A container {how}{when}: {end}"),
        }
    }
}
