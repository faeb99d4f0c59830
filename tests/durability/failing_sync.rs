//! A sync that fails once. The kernel may have thrown away what it could not write,
//! and say of the next sync that all is well. So what was in flight is not
//! acknowledged, and nothing after it before the log was opened anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::files::integrity;
use super::{stored, traced};
use crate::support::history::{History, Outcome};
use crate::support::seed::Random;
use crate::support::skip::elsewhere;
use crate::support::{Http, Server, database};

const CLIENTS: usize = 6;
const PATIENCE: Duration = Duration::from_secs(30);
/// What strace writes of a call it has failed.
const INJECTED: &str = "(INJECTED)";

/// A server with a file whose n-th sync by one thread fails.
struct Faulty {
    server: Server,
    key: String,
    trace: PathBuf,
    history: History,
    /// Bytes an event is filled up with.
    filler: usize,
}

impl Faulty {
    /// Starts it. `suffix` names the file: the database's, or one beside it.
    fn start(suffix: &str, number: u64, filler: usize) -> Self {
        let mut server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
        let key = server.organization("Acme").key;
        assert_eq!(server.terminate(), Some(0));
        let trace = server.data.with_extension("strace");
        let file = format!("{}{suffix}", server.data.join("apex.db").display());
        let inject = format!("inject=fsync,fdatasync:error=EIO:when={number}");
        server.start_by(&[
            "strace",
            // The server's process is the server, and strace is its grandchild.
            "-D",
            "-f",
            "-q",
            "-y",
            "--seccomp-bpf",
            "-o",
            trace.to_str().unwrap(),
            "-P",
            &file,
            "-e",
            "signal=none",
            "-e",
            "trace=openat,fsync,fdatasync",
            "-e",
            &inject,
        ]);
        server.run();
        Self {
            server,
            key,
            trace,
            history: History::default(),
            filler,
        }
    }

    fn http(&self) -> Http {
        self.server.http().bearer(&self.key)
    }

    fn trace(&self) -> String {
        fs::read_to_string(&self.trace).unwrap_or_default()
    }

    /// Lets clients write until the trace shows something.
    async fn write_until(&self, name: &str, shown: impl Fn(&str) -> bool) {
        let over = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let (http, history) = (Http::new(&self.server.url), self.history.clone());
            let (http, over) = (http.bearer(&self.key), over.clone());
            let (name, filler) = (format!("{name}-{client}"), self.filler);
            clients.spawn(async move {
                for number in 0.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    write(&http, &history, &format!("{name}-{number}"), filler).await;
                }
            });
        }
        let deadline = Instant::now() + PATIENCE;
        while !shown(&self.trace()) {
            assert!(Instant::now() < deadline, "{}", self.trace());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        over.store(true, Ordering::Relaxed);
        while let Some(done) = clients.join_next().await {
            done.unwrap();
        }
    }

    /// Everything can be written again.
    async fn goes_on(&self) {
        let http = self.http();
        for number in 0..10 {
            let id = format!("afterwards-{number}");
            let told = write(&http, &self.history, &id, self.filler).await;
            assert_eq!(told, Outcome::Acknowledged);
        }
        http.get("/readyz").await.expect(200);
    }

    /// Ends the server the hard way; answers the whole trace.
    fn kill(&mut self) -> String {
        let tracer = tracer(self.server.pid());
        self.server.kill();
        self.ended(&tracer)
    }

    /// The whole trace, once strace has ended after the server.
    fn ended(&self, tracer: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        while Path::new("/proc").join(tracer).exists() {
            assert!(Instant::now() < deadline, "strace does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        self.trace()
    }

    /// Starts it again, as usual, and compares.
    async fn compare(mut self) {
        self.server.start_by(&[]);
        self.server.run();
        let events = stored::events(&self.server.url, &self.key).await;
        self.history
            .check(events.iter().map(|event| event.event_name.as_str()));
        integrity(&self.server.data.join("apex.db")).await;
        println!(
            "{} acknowledged, {} unknown",
            self.history.count(Outcome::Acknowledged),
            self.history.count(Outcome::Unknown),
        );
    }
}

/// Process id of whoever traces a process.
fn tracer(pid: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("TracerPid:"));
    line.unwrap()["TracerPid:".len()..].trim().to_owned()
}

async fn write(http: &Http, history: &History, id: &str, filler: usize) -> Outcome {
    history.invoke(id, "an event");
    let event = json!({"event_name": id, "metadata": {"filler": "x".repeat(filler)}});
    let answer = http.post("/api/v1/events", &event).await;
    let told = match answer.status {
        200 => Outcome::Acknowledged,
        // What the disk has of it nobody can know.
        503 => Outcome::Unknown,
        other => panic!("{other}: {}", answer.text),
    };
    history.conclude(id, told);
    told
}

fn is_possible(test: &str) -> bool {
    if database::is_postgres() {
        elsewhere(test, "PostgreSQL syncs its own files");
        return false;
    }
    traced::is_possible(test)
}

fn injected(trace: &str) -> usize {
    trace.matches(INJECTED).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_sync_fails_is_not_acknowledged() {
    let test = "a_commit_whose_sync_fails_is_not_acknowledged";
    if !is_possible(test) {
        return;
    }
    let mut random = Random::new(test);
    for _ in 0..3 {
        // Whoever opens the log again has a new thread, which counts from one: it
        // does not come so far.
        let number = 25 + random.below(40);
        let mut faulty = Faulty::start("-wal", number, 0);
        faulty
            .write_until("before", |trace| injected(trace) > 0)
            .await;
        faulty.goes_on().await;
        let trace = faulty.kill();
        assert_eq!(injected(&trace), 1, "sync {number} of {trace}");
        opened_before_the_next_sync(&trace);
        let log = faulty.server.log();
        assert!(log.contains("lost a group of writes"), "{log}");
        faulty.compare().await;
    }
}

/// After the sync that failed, the log is opened before it is synced again.
fn opened_before_the_next_sync(trace: &str) {
    let (_, after) = trace.split_once(INJECTED).unwrap();
    let mut calls = after.lines().skip(1);
    let first = calls.find(|line| line.contains("openat(") || line.contains("sync("));
    assert!(
        first.is_some_and(|line| line.contains("openat(")),
        "{after}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sync_of_the_database_is_made_up_for() {
    if !is_possible("a_failed_sync_of_the_database_is_made_up_for") {
        return;
    }
    // The log is whole, so what is acknowledged meanwhile is durable. It is not
    // begun anew before the database has all of it.
    let mut faulty = Faulty::start("", 1, 2000);
    faulty
        .write_until("before", |trace| injected(trace) > 0)
        .await;
    let synced = |trace: &str| {
        let (_, after) = trace.split_once(INJECTED).unwrap();
        after
            .lines()
            .any(|line| line.contains("sync(") && line.ends_with("= 0"))
    };
    faulty.write_until("between", synced).await;
    faulty.goes_on().await;
    assert_eq!(injected(&faulty.kill()), 1);
    assert_eq!(faulty.history.count(Outcome::Unknown), 0);
    faulty.compare().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_at_the_end_costs_nothing() {
    if !is_possible("a_sync_that_fails_at_the_end_costs_nothing") {
        return;
    }
    let mut faulty = Faulty::start("", 1, 2000);
    faulty.goes_on().await;
    assert_eq!(injected(&faulty.trace()), 0);
    let tracer = tracer(faulty.server.pid());
    assert_eq!(faulty.server.terminate(), Some(0));
    assert!(injected(&faulty.ended(&tracer)) > 0);
    faulty.compare().await;
}
