//! A disk that fills up costs the writes that do not fit and nothing else: what is
//! acknowledged then and afterwards is there after a restart, and what is refused
//! is not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::stored;
use crate::support::skip::{elsewhere, skip};
use crate::support::{Answer, Http, Server, database};

const CLIENTS: usize = 12;

/// A small file system in memory.
#[derive(Debug)]
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let options = format!("size={size}");
        mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], at).then(|| Self(at.to_owned()))
    }

    fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        assert!(mount(&["-o", &options], &self.0));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mount(options: &[&str], at: &Path) -> bool {
    let done = Command::new("mount").args(options).arg(at).output();
    done.is_ok_and(|done| done.status.success())
}

/// What was sent, and what was said of it.
#[derive(Debug, Default)]
struct Sent {
    acknowledged: BTreeSet<String>,
    refused: BTreeSet<String>,
}

impl Sent {
    fn note(&mut self, name: String, answer: &Answer) -> bool {
        if answer.status == 200 {
            return self.acknowledged.insert(name);
        }
        assert_eq!(answer.status, 503, "{}", answer.text);
        self.refused.insert(name);
        false
    }
}

fn event(name: &str) -> Value {
    json!({
        "event_name": name,
        "visitor_id": name,
        "metadata": {"filler": "x".repeat(3000)},
    })
}

/// Sends events, and now and then makes a project, until several are refused.
async fn fill(http: &Http, admin: &Http, client: usize) -> Sent {
    let mut sent = Sent::default();
    for number in 0.. {
        let name = format!("e{client}-{number}");
        let answer = http.post("/api/v1/events", &event(&name)).await;
        sent.note(name, &answer);
        if number % 4 == 0 {
            let body = json!({"name": format!("p{client}-{number}")});
            let answer = admin.post("/api/projects", &body).await;
            sent.note(format!("p{client}-{number}"), &answer);
        }
        if sent.refused.len() >= 6 {
            break;
        }
    }
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_costs_what_does_not_fit_and_nothing_else() {
    let test = "a_full_disk_costs_what_does_not_fit_and_nothing_else";
    if database::is_postgres() {
        return elsewhere(test, "PostgreSQL's disk is its own");
    }
    let mut server = Server::stopped(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let Some(disk) = Disk::mount(&server.data, "10m") else {
        return skip(test, "a file system can be mounted by root alone");
    };
    server.run();
    let organization = server.organization("Acme");
    let admin = server.http().bearer(&organization.key);
    let bound = json!({"name": "events", "projectId": organization.project});
    let made = admin.post("/api/api-keys", &bound).await.expect(200);
    let key = made["key"].as_str().unwrap();
    let http = server.http().bearer(key);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let own = Http::new(&server.url);
        let (http, admin) = (own.bearer(key), own.bearer(&organization.key));
        clients.spawn(async move { fill(&http, &admin, client).await });
    }
    let mut sent = Sent::default();
    while let Some(own) = clients.join_next().await {
        let own = own.unwrap();
        sent.acknowledged.extend(own.acknowledged);
        sent.refused.extend(own.refused);
    }
    // Who balances load is told; background work may find room in between.
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut number = 0;
    loop {
        let name = format!("still full {number}");
        let answer = http.post("/api/v1/events", &event(&name)).await;
        sent.note(name, &answer);
        let ready = http.get("/readyz").await;
        if ready.status == 503 {
            let failing = &ready.expect(503)["failing"];
            assert_eq!(*failing, json!({"database": "cannot be written"}));
            break;
        }
        assert!(Instant::now() < deadline, "it never told");
        number += 1;
    }
    disk.resize("80m");
    let mut afterwards = 0;
    for number in 0..200 {
        let name = format!("afterwards {number}");
        let answer = http.post("/api/v1/events", &event(&name)).await;
        afterwards += usize::from(sent.note(name, &answer));
        if afterwards == 3 {
            break;
        }
    }
    assert_eq!(afterwards, 3, "it goes on as soon as there is room");
    let body = json!({"name": "p-afterwards"});
    let answer = admin.post("/api/projects", &body).await;
    assert!(
        sent.note("p-afterwards".to_owned(), &answer),
        "{}",
        answer.text
    );
    http.get("/readyz").await.expect(200);
    server.kill();
    server.run();
    let admin = server.http().bearer(&organization.key);
    let events = stored::events(&server.url, key).await;
    let mut found: BTreeSet<String> = events.into_iter().map(|event| event.event_name).collect();
    let projects = admin.get("/api/projects").await.expect(200);
    let projects = projects.as_array().unwrap().iter();
    let names = projects.map(|project| project["name"].as_str().unwrap().to_owned());
    found.extend(names.filter(|name| name.starts_with('p')));
    let lost: Vec<_> = sent.acknowledged.difference(&found).collect();
    assert!(lost.is_empty(), "{} were lost: {lost:?}", lost.len());
    let kept: Vec<_> = sent.refused.intersection(&found).collect();
    assert!(
        kept.is_empty(),
        "{} were refused and kept: {kept:?}",
        kept.len()
    );
    println!(
        "{} acknowledged, {} refused",
        sent.acknowledged.len(),
        sent.refused.len()
    );
}
