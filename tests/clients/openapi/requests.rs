//! A request of every operation of the CRM that succeeds, and of some others. Records name each other, which
//! schemathesis does not guess.

use serde_json::{Map, Value, json};

use super::platform::of_platform;
use crate::clients::setup::Setup;
use crate::support::Http;
use crate::support::records::{BODIES, body, delivery, file, import, made, make, of_file, signed};

/// Requests by verb and path, as arguments of a case of schemathesis.
#[derive(Debug, Default)]
pub(super) struct Requests(Map<String, Value>);

impl Requests {
    pub(super) fn add(&mut self, operation: String, request: Value) {
        self.0.insert(operation, request);
    }

    /// One record is read and changed, another is taken away.
    fn of_record(&mut self, path: &str, new: &Value, kept: &Value, gone: &Value) {
        self.add(format!("POST {path}"), json!({ "body": new }));
        let one = |id: &Value| json!({"path_parameters": {"id": id}});
        self.add(format!("GET {path}/{{id}}"), one(&kept["id"]));
        self.add(format!("DELETE {path}/{{id}}"), one(&gone["id"]));
        let mut change = one(&kept["id"]);
        change["body"] = json!({});
        self.add(format!("PATCH {path}/{{id}}"), change);
    }
}

/// What makes a record beside others: there is one grant of a role and a resource.
async fn another(http: &Http, path: &str, number: usize) -> Value {
    let mut new = body(http, path).await;
    if path == "/role-grants" {
        new["resource"] = json!(["notes", "tags", "companies"][number]);
    }
    new
}

async fn of_resources(requests: &mut Requests, key: &Http, session: &Http) {
    for (path, _) in BODIES {
        // API keys are made by people.
        let http = if path == "/api-keys" { session } else { key };
        let first = another(http, path, 0).await;
        let kept = made(http, path, &first).await;
        let gone = made(http, path, &another(http, path, 1).await).await;
        let new = another(http, path, 2).await;
        requests.of_record(path, &new, &kept, &gone);
        let same = json!({"path_parameters": {"id": kept["id"]}, "body": first});
        requests.add(format!("PUT {path}/{{id}}"), same);
    }
}

/// Each channel has a service of its own.
async fn of_channels(requests: &mut Requests, http: &Http) {
    for channel in [
        "whatsapp",
        "instagram",
        "messenger",
        "webchat",
        "sms",
        "playground",
    ] {
        let path = format!("/conversation-messages-{channel}");
        let incoming = body(http, "/conversation-messages-whatsapp").await;
        let kept = made(http, &path, &incoming).await;
        let gone = made(http, &path, &incoming).await;
        requests.of_record(&path, &incoming, &kept, &gone);
        let talk = &kept["conversation_id"];
        let list = json!({"query": {"conversation_id": talk}});
        requests.add(format!("GET {path}"), list);
        let outgoing = json!({"body": {"conversation_id": talk, "message_text": "Hello"}});
        let path = format!("POST /conversation-messages-transform-outgoing-{channel}");
        requests.add(path, outgoing);
    }
}

/// What is there besides records.
async fn of_others(requests: &mut Requests, http: &Http, organization: i64) {
    let first = async |path: &str| {
        let page = http.get(path).await.expect(200);
        page["data"][0]["id"].clone()
    };
    let one = |id: Value| json!({"path_parameters": {"id": id}});
    let talk = make(http, "/conversations").await;
    let bulk = json!({"action": "update_status", "conversation_ids": [talk["id"]],
        "status": "closed"});
    let told = delivery(http).await;
    let replay = json!({"path_parameters": {"id": told["id"]}, "body": {"status": "pending"}});
    let (kept, gone) = (import(http).await, import(http).await);
    let file = "email,first_name\nx@example.com,X\n";
    let csv = json!({"body": file, "media_type": "text/plain",
        "headers": {"content-type": "text/csv"}});
    for (operation, request) in [
        ("GET /audit-log/{id}", one(first("/audit-log").await)),
        ("GET /organizations/{id}", one(json!(organization))),
        (
            "GET /organization-users/{id}",
            one(first("/organization-users").await),
        ),
        ("POST /conversations-bulk-actions", json!({ "body": bulk })),
        ("GET /webhook-deliveries/{id}", one(told["id"].clone())),
        ("PATCH /webhook-deliveries/{id}", replay),
        ("POST /imports", csv),
        ("GET /imports/{id}", one(kept["id"].clone())),
        ("GET /imports/{id}/rows", one(kept["id"].clone())),
        ("DELETE /imports/{id}", one(gone["id"].clone())),
        (
            "GET /exports/{resource}",
            json!({"path_parameters": {"resource": "contacts"}}),
        ),
        (
            "GET /contact-duplicates",
            json!({"query": {"first_name": "Jane"}}),
        ),
        (
            "GET /company-duplicates",
            json!({"query": {"name": "Acme"}}),
        ),
    ] {
        requests.add(operation.to_owned(), request);
    }
}

/// A signed URL as arguments of a case.
fn of_url(url: &str) -> Value {
    let (path, query) = url.split_once('?').expect("a query");
    let steps: Vec<&str> = path.rsplit('/').collect();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query: Map<String, Value> = pairs
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    json!({
        "path_parameters": {
            "organization_id": steps[2], "upload": steps[1], "file_name": steps[0],
        },
        "query": query,
    })
}

/// Files come by URLs that are signed.
async fn of_files(requests: &mut Requests, http: &Http) {
    let (kept, gone) = (file(http).await, file(http).await);
    requests.of_record("/conversation-files", &of_file(http).await, &kept, &gone);
    let url = "/conversation-files/{organization_id}/{upload}/{file_name}";
    let load = of_url(kept["download_url"].as_str().expect("a URL"));
    requests.add(format!("GET {url}"), load);
    let mut send = of_url(&signed(http, "text/plain").await.0);
    send["body"] = json!("text");
    send["media_type"] = json!("text/plain");
    send["headers"] = json!({"content-type": "text/plain"});
    requests.add(format!("PUT {url}"), send);
    let new = json!({"body": {"file_name": "a.pdf", "file_type": "application/pdf"}});
    requests.add("POST /s3-url-signing".to_owned(), new);
}

/// Makes records and answers the requests that name them.
pub async fn requests(setup: &Setup, session: &str) -> Value {
    let key = setup.server.http().bearer(&setup.organization.key);
    let session = setup
        .server
        .http()
        .with("cookie", &format!("apex_session={session}"));
    let mut requests = Requests::default();
    of_resources(&mut requests, &key, &session).await;
    of_channels(&mut requests, &key).await;
    of_files(&mut requests, &key).await;
    of_others(&mut requests, &key, setup.organization.id).await;
    of_memories(&mut requests, &setup.server.http(), &setup.organization.key).await;
    of_platform(&mut requests, &key, setup.organization.id).await;
    Value::Object(requests.0)
}

/// What there must be for a request to succeed: a memory, a topic, nobody yet, a message.
async fn of_memories(requests: &mut Requests, http: &Http, key: &str) {
    let http = http.with("x-api-key", key);
    let said = json!({"user_id": "u", "content": "My dog is called Biscuit."});
    let made = http.post("/api/v1/ingest", &said).await.expect(201);
    let topic = json!({"topic": "divorce"});
    http.post("/api/v1/users/u/suppressions", &topic)
        .await
        .expect(201);
    let one = json!({"path_parameters": {"node_id": made["node_id"]}});
    requests.add("DELETE /api/v1/nodes/{node_id}".to_owned(), one);
    let lifted = json!({"path_parameters": {"user_id": "u"}, "query": topic});
    let path = "DELETE /api/v1/users/{user_id}/suppressions";
    requests.add(path.to_owned(), lifted);
    let nodes = json!({"nodes": [{"content": "I like tea."}]});
    let import = json!({"path_parameters": {"user_id": "new"}, "body": nodes});
    requests.add("POST /api/v1/users/{user_id}/import".to_owned(), import);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    for path in ["POST /mcp", "POST /mcp/http"] {
        requests.add(path.to_owned(), json!({"body": list}));
    }
}
