//! The tools of the Model Context Protocol, over HTTP and over standard input. A client
//! that others wrote calls them in `tests/clients/mcp.rs`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use serde_json::{Value, json};

use super::{signup, trial};
use crate::support::{Http, Server};

const TOOLS: [&str; 5] = [
    "kapex_ingest",
    "kapex_query",
    "kapex_context",
    "kapex_entities",
    "kapex_delete",
];

fn message(id: i64, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn initialize() -> Value {
    let client = json!({"name": "test", "version": "1"});
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
    message(1, "initialize", &params)
}

pub(super) async fn call(http: &Http, tool: &str, arguments: Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    let told = http
        .post("/mcp", &message(7, "tools/call", &params))
        .await
        .expect(200);
    assert_eq!((&told["jsonrpc"], &told["id"]), (&json!("2.0"), &json!(7)));
    told["result"].clone()
}

#[tokio::test]
async fn five_tools_over_http() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    for path in ["/mcp", "/mcp/http"] {
        let answer = http.post(path, &initialize()).await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("x-ratelimit-limit"), Some("60"));
        let told = answer.expect(200)["result"].clone();
        assert_eq!(told["protocolVersion"], "2025-06-18");
        assert_eq!(told["serverInfo"]["name"], "apex");
        let told = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let answer = http.post(path, &told).await;
        assert_eq!((answer.status, answer.text.as_str()), (202, ""));
        let listed = http
            .post(path, &message(2, "tools/list", &json!({})))
            .await
            .expect(200);
        let tools = listed["result"]["tools"].as_array().unwrap();
        let names: Vec<_> = tools
            .iter()
            .map(|tool| tool["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, TOOLS);
        assert!(
            tools
                .iter()
                .all(|tool| tool["inputSchema"]["type"] == "object")
        );
    }
    let said = json!({"user_id": "u", "content": "My dog is called Biscuit."});
    let kept = call(&http, "kapex_ingest", said).await;
    assert_eq!(kept["isError"], false, "{kept}");
    let id = kept["structuredContent"]["node_id"].clone();
    let text: Value = serde_json::from_str(kept["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, kept["structuredContent"]);
    let asked = json!({"user_id": "u", "current_input": "What is my dog called?"});
    let found = call(&http, "kapex_query", asked.clone()).await["structuredContent"].clone();
    assert_eq!(found["memories"][0]["node_id"], id);
    // As over REST.
    let same = http.post("/api/v1/query", &asked).await.expect(200);
    assert_eq!(found["context_block"], same["context_block"]);
    let user = json!({"user_id": "u"});
    // The block alone: an export is more than a model should read.
    let block = call(&http, "kapex_context", user.clone()).await["structuredContent"].clone();
    let whole = http.get("/api/v1/context/u").await.expect(200);
    assert_eq!(block["context_block"], whole["context_block"]);
    let members: Vec<_> = block.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        ["user_id", "context_block", "tokens_used", "token_budget"]
    );
    let named = call(&http, "kapex_entities", user.clone()).await;
    assert_eq!(named["structuredContent"]["entities"][0]["name"], "Biscuit");
    let gone = call(&http, "kapex_delete", user).await;
    assert_eq!(gone["structuredContent"]["nodes_deleted"], 1);
}

#[tokio::test]
async fn what_is_refused_is_told() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    let refused = call(&http, "kapex_ingest", json!({"user_id": "u"})).await;
    assert_eq!(refused["isError"], true);
    let told = json!({"error": {"code": "BAD_REQUEST", "message": "content is required"}});
    assert_eq!(refused["structuredContent"], told);
    let params = json!({"name": "nothing", "arguments": {}});
    let unknown = http
        .post("/mcp", &message(1, "tools/call", &params))
        .await
        .expect(200);
    assert_eq!(unknown["error"]["code"], -32602);
    let unknown = http
        .post("/mcp", &message(1, "nothing", &json!({})))
        .await
        .expect(200);
    assert!(unknown["error"]["code"].is_i64(), "{unknown}");
    let broken = http
        .send(reqwest::Method::POST, "/mcp", Some(b"{".to_vec()))
        .await;
    assert_eq!(broken.expect(400)["error"]["code"], "BAD_REQUEST");
    assert_eq!(http.get("/mcp").await.status, 405);
    assert_eq!(http.delete("/mcp").await.status, 405);
    let keyed = http.with("idempotency-key", "one");
    assert_eq!(keyed.post("/mcp", &initialize()).await.status, 400);
    assert_eq!(server.http().post("/mcp", &initialize()).await.status, 401);
    // Who may write may not read with it.
    let organization = server.organization("Other");
    let key = server.key(&organization, "memory.write");
    let writer = server
        .http()
        .with("x-api-key", key["key"].as_str().unwrap());
    let user = json!({"user_id": "u"});
    let refused = call(&writer, "kapex_context", user.clone()).await;
    assert_eq!(refused["structuredContent"]["error"]["code"], "FORBIDDEN");
    assert_eq!(call(&writer, "kapex_delete", user).await["isError"], false);
}

#[tokio::test]
async fn the_same_over_standard_input() {
    let server = Server::start();
    let made = signup(&server, "Acme").await;
    let mut child = server
        .command()
        .args(["mcp", "--url", &server.url, "--user-id", "u"])
        .env("KAPEX_API_KEY", made["api_key"].as_str().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut ask = |message: &Value| {
        writeln!(input, "{message}").unwrap();
        let line = lines.next().expect("a line").unwrap();
        serde_json::from_str::<Value>(&line).unwrap()
    };
    let told = ask(&initialize());
    assert_eq!(told["result"]["serverInfo"]["name"], "apex");
    let params = json!({"name": "kapex_ingest", "arguments": {"content": "I like tea."}});
    let kept = ask(&message(2, "tools/call", &params));
    assert_eq!(kept["result"]["isError"], false, "{kept}");
    let params = json!({"name": "kapex_query", "arguments": {"current_input": "tea"}});
    let found = ask(&message(3, "tools/call", &params));
    assert_eq!(found["result"]["structuredContent"]["user_id"], "u");
    let broken = ask(&json!("no message"));
    assert_eq!(broken["error"]["code"], -32700);
    drop(input);
    assert!(child.wait().unwrap().success());
}
