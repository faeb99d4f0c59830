//! The memory product over HTTP, gRPC and gRPC-Web.

mod documented;
mod embedder;
mod erasure;
mod grpc;
mod import;
mod ingest;
mod limits;
mod mcp;
mod profile;
mod query;
mod tiers;
mod turns;

use serde_json::{Value, json};

use crate::support::{Http, Server};

/// The support address of the documented examples.
const SUPPORT: &str = "support@sandstonecloud.com";

/// Begins a trial; answers what was answered.
async fn signup(server: &Server, company: &str) -> Value {
    let body = json!({
        "company_name": company,
        "email": format!("dev@{}.com", company.to_lowercase().replace(' ', "")),
        "name": "Jordan Park",
    });
    server
        .http()
        .post("/api/v1/trial/signup", &body)
        .await
        .expect(201)
}

/// A client with the key of a new trial.
async fn trial(server: &Server, company: &str) -> Http {
    let made = signup(server, company).await;
    server
        .http()
        .with("x-api-key", made["api_key"].as_str().unwrap())
}

/// Takes in what a user says.
async fn say(http: &Http, user: &str, content: &str) -> Value {
    let body = json!({"user_id": user, "content": content});
    http.post("/api/v1/ingest", &body).await.expect(201)
}

/// Whether a score is what was published, as far as that can be said.
#[track_caller]
fn close_to(value: &Value, published: f64) {
    let value = value.as_f64().expect("a number");
    assert!(
        (value - published).abs() <= 0.0201,
        "{value} for {published}"
    );
}
