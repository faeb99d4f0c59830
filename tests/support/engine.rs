//! A container engine that runs no containers: it speaks as much of Docker's API as is
//! asked of it, on a socket of its own, and answers on the ports of what it was told to
//! run. What it cannot show, tests of real engines do.
//!
//! Images whose names begin with `missing` are nowhere, those of `broken` end at once, and
//! those of `silent` never answer.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, UnixListener};
use tokio::task::AbortHandle;

/// An engine. It ends with the test.
#[derive(Debug)]
pub struct Engine {
    state: Arc<Mutex<State>>,
    folder: TempDir,
}

#[derive(Debug, Default)]
struct State {
    containers: BTreeMap<String, Container>,
    networks: BTreeSet<String>,
    volumes: BTreeMap<String, Bytes>,
    count: usize,
    /// Requests that changed something.
    changes: usize,
    /// All requests.
    requests: usize,
    /// Whether what is broken runs.
    is_mended: bool,
}

#[derive(Debug)]
struct Container {
    name: String,
    spec: Value,
    state: &'static str,
    port: Option<u16>,
    serving: Option<AbortHandle>,
}

impl Engine {
    /// Starts one.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let socket = std::os::unix::net::UnixListener::bind(folder.path().join("engine.sock"));
        let socket = socket.expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        let state = Arc::new(Mutex::new(State::default()));
        let own = state.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(serve(socket, own));
        });
        Self { state, folder }
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("engine.sock")
    }

    /// Settings of a server that uses it.
    pub fn settings(&self) -> Vec<(String, String)> {
        let socket = format!("unix://{}", self.socket().display());
        [
            ("APEX_RUNTIME", "docker"),
            ("APEX_PAAS_DOCKER_HOST", &socket),
            ("APEX_PAAS_PROXY_LISTEN", "127.0.0.1:0"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Specifications of the containers that run.
    pub fn running(&self) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        let running = state
            .containers
            .values()
            .filter(|own| own.state == "running");
        running.map(|own| own.spec.clone()).collect()
    }

    /// Ends every container by itself, as a crash does.
    pub fn crash(&self) {
        let mut state = self.state.lock().unwrap();
        for container in state.containers.values_mut() {
            container.end("exited");
        }
    }

    /// From now on images of `broken` run.
    pub fn mend(&self) {
        self.state.lock().unwrap().is_mended = true;
    }

    /// Stops one running container from answering, which runs on; answers its id.
    pub fn silence(&self) -> String {
        let mut state = self.state.lock().unwrap();
        let mut running = state.containers.iter_mut();
        let (id, own) = running
            .find(|(_, own)| own.state == "running")
            .expect("a container that runs");
        own.serving.take().expect("it answers").abort();
        id.clone()
    }

    /// How many requests there were, and how many of them changed something.
    pub fn requests(&self) -> (usize, usize) {
        let state = self.state.lock().unwrap();
        (state.requests, state.changes)
    }

    /// Makes a container that is nobody's.
    pub fn make_stranger(&self) -> String {
        let mut state = self.state.lock().unwrap();
        state.make(
            "stranger",
            json!({"Image": "nginx", "Labels": {"apex.instance": "other"}}),
        )
    }

    /// What is in all volumes.
    pub fn volumes(&self) -> Vec<Bytes> {
        self.state
            .lock()
            .unwrap()
            .volumes
            .values()
            .cloned()
            .collect()
    }

    /// Puts something into all volumes there are, and those of all databases.
    pub fn write_volumes(&self, text: &'static str) {
        let mut state = self.state.lock().unwrap();
        let names: Vec<String> = state
            .containers
            .values()
            .filter_map(Container::volume)
            .collect();
        for name in names {
            state
                .volumes
                .insert(name, Bytes::from_static(text.as_bytes()));
        }
    }

    /// Whether a container is there.
    pub fn has(&self, id: &str) -> bool {
        self.state.lock().unwrap().containers.contains_key(id)
    }
}

impl Container {
    fn end(&mut self, state: &'static str) {
        if self.state == "running" {
            self.state = state;
        }
        self.port = None;
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }

    fn volume(&self) -> Option<String> {
        let name = &self.spec["HostConfig"]["Mounts"][0]["Source"];
        name.as_str().map(str::to_owned)
    }

    fn image(&self) -> &str {
        self.spec["Image"].as_str().unwrap_or_default()
    }
}

impl State {
    fn make(&mut self, name: &str, spec: Value) -> String {
        self.count += 1;
        let id = format!("{:064x}", self.count);
        let container = Container {
            name: name.to_owned(),
            spec,
            state: "created",
            port: None,
            serving: None,
        };
        self.containers.insert(id.clone(), container);
        id
    }
}

async fn serve(socket: std::os::unix::net::UnixListener, state: Arc<Mutex<State>>) {
    let listener = UnixListener::from_std(socket).expect("a socket");
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let state = state.clone();
                async move { Ok::<_, Infallible>(answer(request, state).await) }
            });
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

type Answer = Response<Full<Bytes>>;

fn said(status: u16, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
    let kind = http::HeaderValue::from_static("application/json");
    answer.headers_mut().insert("content-type", kind);
    answer
}

fn told(status: u16, body: &Value) -> Answer {
    said(status, body.to_string())
}

fn unknown() -> Answer {
    told(404, &json!({"message": "no such thing"}))
}

async fn answer(request: Request<Incoming>, state: Arc<Mutex<State>>) -> Answer {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let sent = body;
    let body: Value = serde_json::from_slice(&sent).unwrap_or_default();
    let path = parts.uri.path().trim_start_matches('/');
    // Clients name the version of the API they speak.
    let path = match path.split_once('/') {
        Some((version, rest)) if version.starts_with("v1.") => rest,
        _ => path,
    };
    let query = parts.uri.query().unwrap_or_default();
    {
        let mut state = state.lock().unwrap();
        state.requests += 1;
        state.changes += usize::from(parts.method != Method::GET);
    }
    let words: Vec<&str> = path.split('/').collect();
    match (parts.method.as_str(), words.as_slice()) {
        ("GET", ["_ping"]) => said(200, "OK"),
        ("GET", ["version"]) => told(
            200,
            &json!({"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}),
        ),
        ("GET", ["containers", "json"]) => told(200, &list(&state.lock().unwrap(), query)),
        ("POST", ["containers", "create"]) => {
            let name = query.split('&').find_map(|pair| pair.strip_prefix("name="));
            let image = body["Image"].as_str().unwrap_or_default();
            if image.contains("refused") {
                return told(400, &json!({"message": "that cannot be"}));
            }
            let id = state.lock().unwrap().make(name.unwrap_or_default(), body);
            told(201, &json!({"Id": id, "Warnings": []}))
        }
        ("POST", ["containers", id, "start"]) => start(id, &state).await,
        ("POST", ["containers", id, "stop"]) => {
            let mut state = state.lock().unwrap();
            match state.containers.get_mut(*id) {
                Some(own) if own.state == "running" => {
                    own.end("exited");
                    said(204, "")
                }
                Some(_) => said(304, ""),
                None => unknown(),
            }
        }
        ("DELETE", ["containers", id]) => {
            let mut state = state.lock().unwrap();
            match state.containers.remove(*id) {
                Some(mut own) => {
                    own.end("exited");
                    said(204, "")
                }
                None => unknown(),
            }
        }
        ("GET", ["containers", id, "json"]) => {
            let state = state.lock().unwrap();
            match state.containers.get(*id) {
                Some(own) => told(200, &inspected(id, own)),
                None => unknown(),
            }
        }
        ("GET", ["containers", id, "logs"]) => {
            let state = state.lock().unwrap();
            match state.containers.get(*id) {
                Some(own) => said(200, logs(own, query)),
                None => unknown(),
            }
        }
        ("GET", ["images", name @ .., "json"]) => {
            let name = name.join("/").replace("%3A", ":").replace("%40", "@");
            match name.contains("missing") {
                true => told(404, &json!({"message": format!("No such image: {name}")})),
                false => {
                    // What is asked for by its whole name is known here by the short one.
                    let name = name.trim_start_matches("docker.io/library/");
                    let name = name.trim_end_matches(":latest");
                    told(200, &json!({"Id": name, "RepoDigests": []}))
                }
            }
        }
        ("POST", ["images", "create"]) => match query.contains("missing") {
            true => told(404, &json!({"message": "manifest unknown"})),
            false => said(200, "{\"status\":\"Pulling\"}\r\n"),
        },
        ("GET", ["networks", name]) => match state.lock().unwrap().networks.contains(*name) {
            true => told(200, &json!({"Name": name})),
            false => unknown(),
        },
        ("POST", ["networks", "create"]) => {
            let name = body["Name"].as_str().unwrap_or_default().to_owned();
            state.lock().unwrap().networks.insert(name.clone());
            told(201, &json!({"Id": name, "Warning": ""}))
        }
        ("DELETE", ["networks", name]) => {
            state.lock().unwrap().networks.remove(*name);
            said(204, "")
        }
        ("DELETE", ["volumes", name]) => {
            state.lock().unwrap().volumes.remove(*name);
            said(204, "")
        }
        ("GET", ["containers", id, "archive"]) => {
            let state = state.lock().unwrap();
            let volume = state.containers.get(*id).and_then(Container::volume);
            let kept = volume.and_then(|name| state.volumes.get(&name));
            said(200, kept.cloned().unwrap_or_default())
        }
        ("PUT", ["containers", id, "archive"]) => {
            let mut state = state.lock().unwrap();
            let volume = state.containers.get(*id).and_then(Container::volume);
            state.volumes.insert(volume.unwrap_or_default(), sent);
            said(200, "")
        }
        ("GET", ["containers", _, "stats"]) => told(200, &used()),
        (method, _) => told(
            501,
            &json!({"message": format!("{method} {path} is not there")}),
        ),
    }
}

fn list(state: &State, query: &str) -> Value {
    let filter = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("filters="));
    let filter = percent_encoding::percent_decode_str(filter.unwrap_or_default());
    let filter: Value = serde_json::from_slice(&filter.collect::<Vec<u8>>()).unwrap_or_default();
    let labels = filter["label"].as_array().cloned().unwrap_or_default();
    let fits = |own: &Container| {
        labels.iter().all(|pair| {
            let (name, value) = pair.as_str().unwrap().split_once('=').unwrap();
            own.spec["Labels"][name] == value
        })
    };
    let shown = state.containers.iter().filter(|(_, own)| fits(own));
    let shown = shown.map(|(id, own)| {
        let ports = own.port.map(
            |port| json!({"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": port, "Type": "tcp"}),
        );
        json!({
            "Id": id, "Names": [format!("/{}", own.name)], "Image": own.image(),
            "Labels": own.spec["Labels"], "State": own.state,
            "Ports": ports.into_iter().collect::<Vec<_>>(),
        })
    });
    shown.collect()
}

fn inspected(id: &str, own: &Container) -> Value {
    let code = i32::from(own.image().contains("broken"));
    json!({
        "Id": id, "Name": own.name, "Image": own.image(),
        "State": {
            "Status": own.state, "Running": own.state == "running", "ExitCode": code,
            "OOMKilled": false,
        },
    })
}

/// A line on each stream, in the frames of Docker's API.
fn logs(own: &Container, query: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    if own.state == "created" || query.contains("tail=0") {
        return bytes;
    }
    let time = match query.contains("timestamps=true") {
        true => "2026-01-02T03:04:05.678901234Z ",
        false => "",
    };
    for (stream, text) in [(1, "started"), (2, "warning: nothing runs here")] {
        let line = format!("{time}{text}\n");
        bytes.extend([stream, 0, 0, 0]);
        bytes.extend((line.len() as u32).to_be_bytes());
        bytes.extend(line.as_bytes());
    }
    bytes
}

/// Half of one of two processors, and 64 MiB.
fn used() -> Value {
    let cpu = |own: u64, all: u64| json!({"cpu_usage": {"total_usage": own}, "system_cpu_usage": all, "online_cpus": 2});
    json!({
        "read": "2026-01-02T03:04:05Z", "preread": "2026-01-02T03:04:04Z",
        "precpu_stats": cpu(1_000, 10_000), "cpu_stats": cpu(1_250, 11_000),
        "memory_stats": {"usage": 67_108_864, "limit": 536_870_912},
    })
}

async fn start(id: &str, state: &Arc<Mutex<State>>) -> Answer {
    let (image, spec) = {
        let state = state.lock().unwrap();
        match state.containers.get(id) {
            Some(own) if state.is_mended => {
                (own.image().replace("broken", "mended"), own.spec.clone())
            }
            Some(own) => (own.image().to_owned(), own.spec.clone()),
            None => return unknown(),
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("a port").port();
    let body =
        json!({"image": image, "env": spec["Env"], "cmd": spec["Cmd"], "id": id, "headers": {}});
    let serving = match image.as_str() {
        name if name.contains("broken") || name.contains("silent") => None,
        _ => Some(tokio::spawn(workload(listener, body)).abort_handle()),
    };
    let mut state = state.lock().unwrap();
    if let Some(own) = state.containers.get_mut(id) {
        own.state = if image.contains("broken") {
            "exited"
        } else {
            "running"
        };
        own.port = (own.state == "running").then_some(port);
        own.serving = serving;
    }
    said(204, "")
}

/// What answers on a container's port: what the container was told.
async fn workload(listener: TcpListener, body: Value) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let body = body.clone();
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let mut body = body.clone();
                for (name, value) in request.headers() {
                    body["headers"][name.as_str()] = json!(value.to_str().expect("text"));
                }
                async move { Ok::<_, Infallible>(told(200, &body)) }
            });
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
