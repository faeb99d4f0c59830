//! The same against engines that really run containers: dockerd and Podman, as
//! `scripts/services` starts them, with an image made of a static binary of this project.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::skip::skip;
use crate::support::{Http, Server};

/// How long anything may take to become so.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that drives a real engine.
struct Real {
    server: Server,
    http: Http,
    socket: String,
}

/// The address of an engine, if it was started.
fn engine(variable: &str, test: &str) -> Option<String> {
    let address = std::env::var(variable).ok().filter(|own| !own.is_empty());
    if address.is_none() {
        skip(test, &format!("{variable} names no engine"));
    }
    address
}

impl Real {
    fn start(socket: &str) -> Self {
        let server = Server::with(&[
            ("APEX_RATE_LIMIT_ENABLED", "false"),
            ("APEX_RUNTIME", "docker"),
            ("APEX_PAAS_DOCKER_HOST", socket),
            ("APEX_PAAS_PROXY_LISTEN", "127.0.0.1:0"),
            ("APEX_PAAS_REGISTRIES", "localhost"),
            ("APEX_PAAS_POSTGRES_IMAGE", "localhost/workload:database"),
        ]);
        let http = server.http().bearer(&server.organization("Acme").key);
        Self {
            server,
            http,
            socket: socket.to_owned(),
        }
    }

    async fn becomes(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let own = self.http.get(path).await.expect(200);
            if is_so(&own) {
                return own;
            }
            assert!(
                Instant::now() < deadline,
                "it stays {own}\n{}",
                self.server.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Deploys the workload and waits until it runs; answers its path and itself.
    async fn deployed(&self, name: &str, more: Value) -> (String, Value) {
        let mut body = json!({
            "name": name, "image": "localhost/workload:1", "containerPort": 8080,
            "public": true, "env": {"OWN": "value"},
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let made = self.http.post("/api/deploy", &body).await.expect(200);
        let path = format!("/api/services/{}", made["id"].as_str().unwrap());
        let own = self
            .becomes(&path, |own| {
                own["status"] == "RUNNING" && own["readyReplicas"] == own["replicas"]
            })
            .await;
        (path, own)
    }

    /// A command of the engine's own client.
    fn docker(&self, arguments: &[&str]) -> String {
        let done = Command::new("docker")
            .args(["-H", &self.socket])
            .args(arguments)
            .output()
            .expect("docker runs");
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let errors = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "docker {arguments:?}: {errors}");
        text
    }

    /// Ids of the containers of a service that run.
    fn containers(&self, service: &Value) -> Vec<String> {
        let label = format!("label=apex.workload={}", service["id"].as_str().unwrap());
        let text = self.docker(&["ps", "-q", "--no-trunc", "--filter", &label]);
        text.lines().map(str::to_owned).collect()
    }

    async fn count(&self, service: &Value, count: usize) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let running = self.containers(service);
            if running.len() == count {
                return running;
            }
            assert!(Instant::now() < deadline, "{} run", running.len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Removes everything, as a user does.
    async fn clear(self) {
        let label = "{{index .Config.Labels \"apex.instance\"}}";
        let all = self.http.get("/api/services").await.expect(200);
        let all = [all, self.http.get("/api/databases").await.expect(200)];
        let mut all = all.iter().flat_map(|list| list.as_array().unwrap());
        let one = self
            .containers(all.next().expect("something that runs"))
            .remove(0);
        let instance = self.docker(&["inspect", "--format", label, &one]);
        let instance = instance.trim();
        for kind in ["services", "databases"] {
            let all = self.http.get(&format!("/api/{kind}")).await.expect(200);
            for own in all.as_array().unwrap() {
                let path = format!("/api/{kind}/{}", own["id"].as_str().unwrap());
                self.http.delete(&path).await.expect(200);
                self.count(own, 0).await;
            }
        }
        // Nothing of it stays, its network no more than its containers.
        let own = format!("label=apex.instance={instance}");
        let deadline = Instant::now() + PATIENCE;
        while !self
            .docker(&["network", "ls", "-q", "--filter", &own])
            .is_empty()
        {
            assert!(Instant::now() < deadline, "its network stays");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// A client of a public service, and where its proxy listens.
fn visitor(service: &Value) -> (Http, String, String) {
    let url = service["url"].as_str().expect("an address");
    let rest = url.strip_prefix("http://").expect("HTTP");
    let (host, rest) = rest.split_once(':').expect("a port");
    let address = format!("127.0.0.1:{}", rest.trim_end_matches('/'));
    let http = Http::new(&format!("http://{address}")).with("host", host);
    (http, address, host.to_owned())
}

async fn lives(socket: String) {
    let real = Real::start(&socket);
    let http = &real.http;
    let (path, own) = real.deployed("web", json!({})).await;
    let (visit, address, host) = visitor(&own);
    let said = visit.get("/").await;
    assert_eq!(said.status, 200);
    assert!(said.text.contains("OWN=value\n"), "{}", said.text);
    // A body of some size, and an upgrade.
    let body = vec![b'x'; 3_000_000];
    let length = visit
        .send(reqwest::Method::POST, "/length", Some(body))
        .await;
    assert_eq!(length.text, "3000000\n");
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let head =
        format!("GET /up HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
    stream.write_all(b"hello").await.unwrap();
    let mut echoed = [0; 5];
    stream.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"hello");
    drop(stream);
    let unknown = Http::new(&format!("http://{address}")).with("host", "nobody.localhost");
    assert_eq!(unknown.get("/").await.status, 404);
    // A group's values reach it.
    let group = json!({"name": "secrets", "variables": {"API_KEY": "secret123", "OWN": "group"}});
    let group = http.post("/api/env-groups", &group).await.expect(200);
    let attach = format!("{path}/attach-group/{}", group["id"].as_str().unwrap());
    http.post(&attach, &json!({})).await.expect(200);
    let before = own["currentDeploymentId"].clone();
    real.becomes(&path, |now| now["currentDeploymentId"] != before)
        .await;
    let said = visit.get("/").await.text;
    assert!(
        said.contains("API_KEY=secret123\n") && said.contains("OWN=value\n"),
        "{said}"
    );
    // Logs are read, and followed.
    visit.get("/a-line-of-the-log").await;
    // An engine may take a moment to write down what it read.
    let logs = real
        .becomes(&format!("{path}/logs"), |logs| {
            let text = logs["logs"].as_str().unwrap();
            text.contains("/a-line-of-the-log")
        })
        .await;
    let text = logs["logs"].as_str().unwrap();
    assert!(text.contains("it listens\n"), "{text}");
    let token = http
        .post("/api/account/token", &json!({}))
        .await
        .expect(200);
    let mut follow = reqwest::Client::new()
        .get(format!("{}{path}/logs?follow=true&tail=0", real.server.url))
        .bearer_auth(token["token"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    let mut seen = String::new();
    let deadline = Instant::now() + PATIENCE;
    while !seen.contains("/followed") {
        visit.get("/followed").await;
        let piece = tokio::time::timeout(Duration::from_millis(500), follow.chunk()).await;
        if let Ok(piece) = piece {
            seen.push_str(&String::from_utf8_lossy(&piece.unwrap().expect("more")));
        }
        assert!(Instant::now() < deadline, "{seen}");
    }
    drop(follow);
    let used = http.get(&format!("{path}/metrics")).await.expect(200);
    assert!(used[0]["memoryBytes"].as_i64().unwrap() > 100_000, "{used}");
    // Paused, nothing runs; resumed, it answers again.
    let pause = format!("{path}/pause");
    http.post(&pause, &json!({"pause": true})).await.expect(200);
    real.count(&own, 0).await;
    assert_eq!(visit.get("/").await.status, 503);
    http.post(&pause, &json!({"pause": false}))
        .await
        .expect(200);
    real.becomes(&path, |now| now["readyReplicas"] == 1).await;
    assert_eq!(visit.get("/").await.status, 200);
    for replicas in [3, 1] {
        let scale = json!({"replicas": replicas});
        http.post(&format!("{path}/scale"), &scale)
            .await
            .expect(200);
        real.count(&own, replicas).await;
        real.becomes(&path, |now| now["readyReplicas"] == replicas)
            .await;
    }
    real.clear().await;
}

/// What ends comes back; what is bad never replaces what runs.
async fn recovers(socket: String) {
    let mut real = Real::start(&socket);
    let (path, own) = real.deployed("web", json!({})).await;
    let (visit, ..) = visitor(&own);
    let killed = real.count(&own, 1).await;
    real.docker(&["kill", &killed[0]]);
    let begun = Instant::now();
    while visit.get("/").await.status != 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{}",
            real.server.log()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // By itself, too.
    let _ = visit.try_send(reqwest::Method::GET, "/exit", None).await;
    let begun = Instant::now();
    while visit.get("/").await.status != 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(8),
            "{}",
            real.server.log()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A bad image, and one that fails, are told and taken back.
    for (change, why) in [
        (
            json!({"image": "localhost/none:1"}),
            "The image localhost/none:1 cannot be pulled",
        ),
        (
            json!({"image": "localhost/workload:1", "env": {"FAIL": "1"}}),
            "ended with code 3 before it was ready: it was told to fail",
        ),
        (
            json!({"env": {"PORT": "9"}, "healthCheck": {"timeoutSeconds": 2}}),
            "takes no connections on port 8080 after 2 seconds",
        ),
    ] {
        let known = real.http.get(&path).await.expect(200)["message"].clone();
        real.http.patch(&path, &change).await.expect(200);
        let now = real
            .becomes(&path, |now| {
                now["message"].is_string() && now["message"] != known
            })
            .await;
        let told = now["message"].as_str().unwrap();
        assert!(told.contains(why), "{told}");
        assert_eq!(now["status"], "RUNNING");
        assert_eq!(visit.get("/").await.status, 200);
        real.count(&own, 1).await;
    }
    // Ended the hard way in the middle of a deployment, the next one finishes it.
    let change = json!({"image": "localhost/workload:2", "env": {"DELAY_MS": "1500"},
        "healthCheck": {"timeoutSeconds": 30}});
    let before = real.http.patch(&path, &change).await.expect(200)["currentDeploymentId"].clone();
    real.count(&own, 2).await;
    real.server.kill();
    real.server.run();
    let key = real
        .server
        .apex_json(&["key", "create", "--organization", "101", "--name", "t"]);
    real.http = real.server.http().bearer(key["key"].as_str().unwrap());
    let now = real
        .becomes(&path, |now| {
            now["currentDeploymentId"] != before && now["readyReplicas"] == 1
        })
        .await;
    assert_eq!(now["image"], "localhost/workload:2");
    real.count(&own, 1).await;
    let (visit, ..) = visitor(&now);
    assert_eq!(visit.get("/").await.status, 200);
    real.clear().await;
}

/// Requests keep coming while everything behind them is replaced, and none fails.
async fn never_down(socket: String) {
    let real = Real::start(&socket);
    let more = json!({"replicas": 2, "env": {"DELAY_MS": "300"}, "healthCheck": {"path": "/up"}});
    let (path, own) = real.deployed("web", more).await;
    let (done, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let stop = Arc::new(AtomicBool::new(false));
    let mut visitors = Vec::new();
    for number in 0..8 {
        let (visit, ..) = visitor(&own);
        let (done, failed, stop) = (done.clone(), failed.clone(), stop.clone());
        visitors.push(tokio::spawn(async move {
            let mut told = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let path = if number == 0 { "/slow" } else { "/" };
                match visit.try_send(reqwest::Method::GET, path, None).await {
                    Ok(answer) if answer.status == 200 => {}
                    other => {
                        failed.fetch_add(1, Ordering::Relaxed);
                        told.push(format!("{other:?}"));
                    }
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
            told
        }));
    }
    for _ in 0..3 {
        let again = real
            .http
            .post(&format!("{path}/redeploy"), &json!({}))
            .await
            .expect(200);
        let before = again["currentDeploymentId"].clone();
        real.becomes(&path, |now| now["currentDeploymentId"] != before)
            .await;
        real.count(&own, 2).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut told = Vec::new();
    for visitor in visitors {
        told.extend(visitor.await.unwrap());
    }
    assert_eq!(failed.load(Ordering::Relaxed), 0, "{told:?}");
    assert!(done.load(Ordering::Relaxed) > 100, "{done:?} requests");
    println!("{} requests, none failed", done.load(Ordering::Relaxed));
    real.clear().await;
}

/// A database's data outlives its container.
async fn keeps_data(socket: String) {
    let real = Real::start(&socket);
    let body = json!({"name": "store", "type": "postgres", "size": "small"});
    let made = real.http.post("/api/databases", &body).await.expect(200);
    let path = format!("/api/databases/{}", made["id"].as_str().unwrap());
    let own = real.becomes(&path, |now| now["status"] == "RUNNING").await;
    let data = |own: &Value| Http::new(&format!("http://127.0.0.1:{}", own["localPort"]));
    let added = data(&own)
        .send(reqwest::Method::POST, "/data", Some(b"kept".to_vec()))
        .await;
    assert_eq!(added.text, "kept");
    let killed = real.count(&made, 1).await;
    real.docker(&["kill", &killed[0]]);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let running = real.containers(&made);
        let own = real.http.get(&path).await.expect(200);
        if running.len() == 1 && running != killed && own["status"] == "RUNNING" {
            let asked = data(&own)
                .try_send(reqwest::Method::GET, "/data", None)
                .await;
            if asked.is_ok_and(|answer| answer.text == "kept") {
                break;
            }
        }
        assert!(Instant::now() < deadline, "{}", real.server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Copied, written to, and put back as it was.
    let backups = format!("{path}/backups");
    let asked = real.http.post(&backups, &json!({})).await.expect(200);
    let made_of = real
        .becomes(&backups, |now| now[0]["status"] != "PENDING")
        .await;
    assert_eq!(made_of[0]["status"], "SUCCEEDED", "{made_of}");
    let own = real.becomes(&path, |now| now["status"] == "RUNNING").await;
    let added = data(&own)
        .send(reqwest::Method::POST, "/data", Some(b" and more".to_vec()))
        .await;
    assert_eq!(added.text, "kept and more");
    let restore = json!({"backupId": asked["id"]});
    real.http
        .post(&format!("{path}/restore"), &restore)
        .await
        .expect(200);
    let own = real.becomes(&path, |now| now["status"] == "RUNNING").await;
    assert_eq!(own.get("message"), None, "{own}");
    assert_eq!(data(&own).get("/data").await.text, "kept");
    real.clear().await;
}

/// A test of each engine.
macro_rules! on_engines {
    ($($docker:ident, $podman:ident: $test:ident;)+) => {
        $(
            #[tokio::test]
            async fn $docker() {
                if let Some(socket) = engine("TEST_DOCKER", concat!("paas::engines::", stringify!($docker))) {
                    $test(socket).await;
                }
            }

            #[tokio::test]
            async fn $podman() {
                if let Some(socket) = engine("TEST_PODMAN", concat!("paas::engines::", stringify!($podman))) {
                    $test(socket).await;
                }
            }
        )+
    };
}

on_engines! {
    docker_runs_a_service, podman_runs_a_service: lives;
    docker_recovers, podman_recovers: recovers;
    docker_is_never_down, podman_is_never_down: never_down;
    docker_keeps_data, podman_keeps_data: keeps_data;
}
