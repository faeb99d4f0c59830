//! The platform: its documented API, and what becomes of what is asked of it.

mod documented;
mod engines;
mod github;
mod groups;
mod proxied;
mod reconciled;
mod refused;
mod rest;
mod teams;
mod tokens;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::engine::Engine;
use crate::support::{Answer, Http, Server};

/// A server with an engine, and a client of an organization on it.
struct Platform {
    server: Server,
    engine: Engine,
    http: Http,
}

/// How long anything may take to become so.
const PATIENCE: Duration = Duration::from_secs(20);

impl Platform {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(settings: &[(&str, &str)]) -> Self {
        let engine = Engine::start();
        let own = engine.settings();
        let unlimited = ("APEX_RATE_LIMIT_ENABLED", "false");
        // Its name means nothing, so it is not public either.
        let registry = ("APEX_PAAS_REGISTRIES", "registry.example.com");
        let own = own
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<(&str, &str)> = own
            .chain([unlimited, registry])
            .chain(settings.iter().copied())
            .collect();
        let server = Server::with(&all);
        let http = server.http().bearer(&server.organization("Acme").key);
        Self {
            server,
            engine,
            http,
        }
    }

    /// Deploys a service and waits until it runs.
    async fn running(&self, body: Value) -> Value {
        let made = self.http.post("/api/deploy", &body).await.expect(200);
        self.becomes(&made["id"], |own| own["status"] == "RUNNING")
            .await
    }

    /// Waits until a service is as a test wants it.
    async fn becomes(&self, id: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/api/services/{}", id.as_str().expect("an id"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let own = self.http.get(&path).await.expect(200);
            if is_so(&own) {
                return own;
            }
            assert!(Instant::now() < deadline, "it stays {own}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until so many containers run.
    async fn containers(&self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let running = self.engine.running();
            if running.len() == count {
                return running;
            }
            assert!(Instant::now() < deadline, "{} run", running.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a public service answers.
    async fn answers(&self, service: &Value) {
        let deadline = Instant::now() + PATIENCE;
        while self.ask(service).await.status != 200 {
            assert!(Instant::now() < deadline, "it does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What a public service answers.
    async fn visit(&self, service: &Value) -> Value {
        self.ask(service).await.expect(200)
    }

    async fn ask(&self, service: &Value) -> Answer {
        let url = service["url"].as_str().expect("an address");
        let rest = url.strip_prefix("http://").expect("HTTP");
        let (host, rest) = rest.split_once(':').expect("a port");
        let port = rest.trim_end_matches('/');
        // Its name need not resolve here.
        let http = Http::new(&format!("http://127.0.0.1:{port}"));
        http.with("host", host).get("/").await
    }
}

/// The contract's example of a service.
fn example() -> Value {
    json!({
        "name": "my-service", "image": "nginx:alpine", "containerPort": 80, "public": true,
        "replicas": 2, "env": {"NODE_ENV": "production"},
    })
}
