//! The CRM over HTTP and gRPC: the documentation's examples, its query language and its
//! errors, and the rules of its records.

mod callers;
mod changes;
mod conversations;
mod deals;
mod documented;
mod errors;
mod fields;
mod files;
mod found;
mod grants;
mod grpc;
mod hidden;
mod hostile;
mod imports;
mod incoming;
mod known;
mod limits;
mod messages;
mod query;
mod races;
mod small;
mod state;
mod strangers;
mod text;
mod tickets;
mod watch;
mod webhooks;
mod work;

use serde_json::{Value, json};

use crate::support::{Http, Organization, Server};

/// A server with an organization, and a client with its key.
fn client() -> (Server, Http, Organization) {
    with(&[])
}

fn with(settings: &[(&str, &str)]) -> (Server, Http, Organization) {
    let server = Server::with(settings);
    let own = server.organization("Acme");
    let http = server.http().with("x-api-key", &own.key);
    (server, http, own)
}

/// Makes a record and answers it.
async fn make(http: &Http, path: &str, body: Value) -> Value {
    http.post(path, &body).await.expect(201)
}

/// Replaces a record.
async fn put(http: &Http, path: &str, body: &Value) -> crate::support::Answer {
    let body = Some(body.to_string().into_bytes());
    let http = http.with("content-type", "application/json");
    http.send(reqwest::Method::PUT, path, body).await
}

/// The first names of a page.
fn names(page: &Value) -> Vec<&str> {
    let data = page["data"].as_array().expect("a page").iter();
    data.map(|one| one["first_name"].as_str().unwrap_or("?"))
        .collect()
}

/// Makes contacts with these first names.
async fn contacts(http: &Http, names: &[&str]) {
    let all: Vec<Value> = names.iter().map(|n| json!({"first_name": n})).collect();
    make(http, "/contacts", json!(all)).await;
}
