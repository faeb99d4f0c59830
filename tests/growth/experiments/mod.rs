//! Experiments, as they are documented.

mod active;
mod alike;
mod assign;
mod bandit;
mod callers;
mod changes;
mod conversions;
mod cuped;
mod documented;
pub mod results;
mod schedule;
mod splits;

use serde_json::{Value, json};

use crate::support::{Http, Organization, Server};

pub const PATH: &str = "/api/experiments";

/// A server with a project, and a client of its owner.
pub struct Site {
    pub server: Server,
    pub own: Organization,
    pub http: Http,
}

impl Site {
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(settings: &[(&str, &str)]) -> Self {
        let server = Server::with(settings);
        let own = server.organization("Acme");
        let http = server.http().bearer(&own.key);
        Self { server, own, http }
    }

    /// Makes an experiment with what is given besides.
    pub async fn create(&self, more: Value) -> Value {
        self.http.post(PATH, &new(&more)).await.expect(200)
    }

    /// Makes an experiment and starts it; answers its id.
    pub async fn run(&self, more: Value) -> String {
        let made = self.create(more).await;
        let id = made["id"].as_str().unwrap().to_owned();
        self.change(&id, json!({"status": "running"})).await;
        id
    }

    /// Changes an experiment.
    pub async fn change(&self, id: &str, changes: Value) -> Value {
        self.try_change(id, changes).await.expect(200)
    }

    pub async fn try_change(&self, id: &str, changes: Value) -> crate::support::Answer {
        let mut body = changes;
        body["id"] = json!(id);
        self.http.patch(PATH, &body).await
    }

    /// Path of what pages ask for.
    pub fn active(&self) -> String {
        format!("{PATH}/active?key={}", self.own.project_key)
    }
}

/// A request for an experiment.
pub fn new(more: &Value) -> Value {
    let mut body = json!({
        "name": "Plans page CTA",
        "targetUrl": "/plans",
        "variants": [
            {"name": "Control"},
            {"name": "Green button", "css": ".cta{background:#2a4}"},
        ],
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}
