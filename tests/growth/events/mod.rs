//! Events: what pages, applications and servers may send, and what becomes of it.

mod clocks;
mod documented;
mod generated;
mod kept;
mod limits;
mod list;
mod pages;
mod purchases;
mod repeats;
mod servers;
mod streams;

use serde_json::{Value, json};

use crate::support::{Answer, Http, Organization, Server};

const PATH: &str = "/api/events";
/// 2026-02-03T09:00:00Z as a clock in Tokyo shows it.
const TOKYO: &str = "2026-02-03T18:00:00+09:00";

/// A server with a project that has a page.
struct Site {
    server: Server,
    own: Organization,
    /// Calls without a credential, as a page does.
    page: Http,
    /// Calls with the API key.
    owner: Http,
}

impl Site {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(settings: &[(&str, &str)]) -> Self {
        let server = Server::with(settings);
        let own = server.organization("Acme");
        Self {
            page: server.http(),
            owner: server.http().bearer(&own.key),
            server,
            own,
        }
    }

    /// Kills the server and starts it again.
    fn restart(&mut self) {
        self.server.kill();
        self.server.run();
        self.page = self.server.http();
        self.owner = self.server.http().bearer(&self.own.key);
    }

    /// An event of the page, with members changed; null removes one.
    fn event(&self, changes: Value) -> Value {
        let event = json!({
            "projectKey": self.own.project_key,
            "type": "pageview",
            "visitorId": "v_1",
            "url": "https://shop.example.com/plans",
        });
        changed(event, changes)
    }

    /// A batch of these events.
    fn batch(&self, events: Value) -> Value {
        let batch = json!({"projectKey": self.own.project_key});
        changed(batch, Value::from_iter([("events", events)]))
    }

    async fn send(&self, body: &Value) -> Answer {
        self.page.post(PATH, body).await
    }

    /// Stored events, those that happened last first.
    async fn list(&self, query: &str) -> Vec<Value> {
        let listed = self.owner.get(&format!("{PATH}?{query}")).await.expect(200);
        listed.as_array().unwrap().clone()
    }

    /// Figures of all time.
    async fn figures(&self) -> Value {
        let metrics = "page_views,unique_visitors,events,revenue";
        let period = "start_date=2000-01-01&end_date=2100-01-01";
        let path = format!("/api/v1/analytics?metrics={metrics}&{period}");
        self.owner.get(&path).await.expect(200)["data"].clone()
    }
}

fn changed(mut body: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else {
        panic!("members, not {changes}");
    };
    let members = body.as_object_mut().unwrap();
    for (name, value) in changes {
        match value {
            Value::Null => members.remove(&name),
            value => members.insert(name, value),
        };
    }
    body
}

/// What is answered to a request that is not valid.
fn invalid(words: &str) -> Value {
    json!({"error": words, "code": "VALIDATION_ERROR", "status": 400})
}
