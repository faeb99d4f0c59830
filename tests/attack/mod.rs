//! What hostile clients and floods do to the server, and that everybody else is
//! served meanwhile and afterwards. `docs/reliability.md` says what is promised.

mod bombs;
mod cancels;
mod closing;
mod crowds;
mod deadlines;
mod depth;
mod flood;
mod frames;
mod json;
mod origin;
mod overload;
mod panics;
mod paths;
mod silence;
mod sizes;
mod slow;
mod smuggling;
mod unread;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use apex::api::apex::metrics::v1 as pb;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::support::{Answer, Http, Organization, Server, grpc};

const EVENTS: &str = "/api/v1/events";

/// A server that is attacked, and an organization that has nothing to do with it.
struct Target {
    server: Server,
    organization: Organization,
    /// Its client.
    http: Http,
}

impl Target {
    /// Starts a server. Rate limits are off: they are not what is tested.
    fn new(settings: &[(&str, &str)]) -> Self {
        let all = [&[("APEX_RATE_LIMIT_ENABLED", "false")], settings].concat();
        Self::limited(&all)
    }

    /// Starts a server with rate limits.
    fn limited(settings: &[(&str, &str)]) -> Self {
        let server = Server::with(settings);
        let organization = server.organization("Acme");
        let http = server.http().bearer(&organization.key);
        Self {
            server,
            organization,
            http,
        }
    }

    fn url(&self) -> &str {
        &self.server.url
    }

    /// Sends an event as honest clients do.
    async fn event(&self) -> Answer {
        event(&self.http).await
    }

    /// Every event it has stored for the organization, in the order received.
    async fn stored(&self) -> Vec<pb::StoredEvent> {
        let mut client = grpc::metrics(self.url(), &self.organization.key).await;
        let request = pb::ExportEventsRequest::default();
        let mut pages = client.export_events(request).await.unwrap().into_inner();
        let mut stored = Vec::new();
        while let Some(page) = pages.message().await.unwrap() {
            stored.extend(page.events);
        }
        stored
    }

    /// It is up and ready, and serves who comes anew.
    async fn alive(&self) {
        self.server.http().get("/readyz").await.expect(200);
        let stranger = self.server.http().bearer(&self.organization.key);
        event(&stranger).await.expect(200);
    }

    /// MiB of memory it has.
    fn resident(&self) -> usize {
        memory(self.server.pid(), "VmRSS")
    }

    /// MiB of memory it had at the most.
    fn peak(&self) -> usize {
        memory(self.server.pid(), "VmHWM")
    }

    /// A figure of `/metrics`.
    async fn figure(&self, name: &str) -> i64 {
        let metrics = self.server.http().get("/metrics").await;
        let line = metrics
            .text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let line = line.unwrap_or_else(|| panic!("no {name}: {}", metrics.text));
        line.parse().unwrap()
    }

    /// An honest client that is at work until it is asked how it went.
    fn honest(&self) -> Honest {
        let (http, stop) = (self.http.clone(), Arc::new(AtomicBool::new(false)));
        let stopped = stop.clone();
        let work = tokio::spawn(async move {
            let mut served = 0;
            while !stopped.load(Ordering::Relaxed) || served == 0 {
                event(&http).await.expect(200);
                served += 1;
            }
            served
        });
        Honest { stop, work }
    }
}

/// An honest client at work.
struct Honest {
    stop: Arc<AtomicBool>,
    work: JoinHandle<usize>,
}

impl Honest {
    /// It was served all the while.
    async fn was_served(self) {
        self.stop.store(true, Ordering::Relaxed);
        let served = self.work.await.expect("it was served");
        println!("{served} honest requests were served meanwhile");
    }
}

async fn event(http: &Http) -> Answer {
    http.post(EVENTS, &json!({"event_name": "x"})).await
}

/// The head and body of a REST request that sends an event.
fn post(key: &str, headers: &str, body: &str) -> String {
    format!(
        "POST {EVENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\n{headers}\r\n\r\n{body}"
    )
}

fn memory(pid: u32, name: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024
}

/// Clock ticks of the processors a process has used.
fn cpu(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = fields.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
