//! Erasing leaves nothing: not in a table, not in the index, not in an answer kept for a
//! repeat, and not among the bytes of the database and its log.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{say, signup, trial};
use crate::support::Server;

fn holds(server: &Server, word: &str) -> bool {
    let bytes = server.kept_bytes();
    bytes.windows(word.len()).any(|own| own == word.as_bytes())
}

/// Waits for bytes to be gone; readers of the database may be in the way for a moment.
async fn gone(server: &Server, word: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while holds(server, word) {
        assert!(Instant::now() < deadline, "{word} is there still");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn nothing_of_a_user_is_left() {
    let server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let http = trial(&server, "Acme").await;
    for at in 0..60 {
        // Some are long, so that they lie on pages of their own.
        let filler = "words about nothing in particular ".repeat(at * 7);
        let content = format!("Qwertzuio{at} told me that Plantedname{at} is at home. {filler}");
        let body = json!({
            "user_id": "plantedperson", "content": content, "session_id": "Plantedsession",
            "metadata": {"note": "Plantednote"}, "idempotency_key": format!("Plantedkey{at}"),
        });
        http.post("/api/v1/ingest", &body).await.expect(201);
        say(
            &http,
            "other",
            &format!("Somebody{at} else lives in Lisbon{at}."),
        )
        .await;
    }
    let keyed = http.with("idempotency-key", "Plantedheader");
    let body = json!({"user_id": "plantedperson", "content": "Plantedtwice is a name."});
    keyed.post("/api/v1/ingest", &body).await.expect(201);
    let topic = json!({"topic": "plantedtopic"});
    http.post("/api/v1/users/plantedperson/suppressions", &topic)
        .await
        .expect(201);
    let ask = json!({"user_id": "plantedperson", "current_input": "Qwertzuio3"});
    http.post("/api/v1/query", &ask).await.expect(200);
    for word in ["Qwertzuio7", "Plantednote", "plantedtopic", "plantedperson"] {
        assert!(holds(&server, word), "{word} was planted");
    }
    let told = http.delete("/api/v1/users/plantedperson").await.expect(200);
    assert_eq!(
        told,
        json!({"status": "deleted", "user_id": "plantedperson", "nodes_deleted": 61})
    );
    for word in [
        "Qwertzuio",
        "Plantedname",
        "Plantedsession",
        "Plantednote",
        "Plantedkey",
        "Plantedtwice",
        "Plantedheader",
        "plantedtopic",
        "plantedperson",
    ] {
        gone(&server, word).await;
    }
    // Nobody else lost anything, and the same id begins anew.
    let other = http.get("/api/v1/context/other").await.expect(200);
    assert_eq!(other["nodes"].as_array().unwrap().len(), 60);
    let told = http.post("/api/v1/query", &ask).await.expect(200);
    assert_eq!(told["memories"], json!([]));
    let again = keyed.post("/api/v1/ingest", &body).await;
    assert_eq!(again.header("idempotent-replayed"), None);
    assert_eq!(
        again.expect(201)["entities_created"],
        json!(["Plantedtwice"])
    );
}

#[tokio::test]
async fn one_memory_is_erased_alone() {
    let server = Server::start();
    let made = signup(&server, "Acme").await;
    let http = server
        .http()
        .with("x-api-key", made["api_key"].as_str().unwrap());
    let first = say(&http, "u", "My sister Zyzzyva moved to Lisbon.").await;
    say(&http, "u", "We went to Lisbon in May.").await;
    let id = first["node_id"].as_str().unwrap();
    let told = http
        .delete(&format!("/api/v1/nodes/{id}"))
        .await
        .expect(200);
    assert_eq!(told, json!({"status": "deleted", "node_id": id}));
    gone(&server, "Zyzzyva").await;
    let told = http.get("/api/v1/context/u").await.expect(200);
    assert_eq!(told["nodes"].as_array().unwrap().len(), 1);
    let names: Vec<_> = told["entities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| own["name"].clone())
        .collect();
    assert!(
        names.contains(&json!("Lisbon")) && !names.contains(&json!("Zyzzyva")),
        "{names:?}"
    );
    for missing in [id, "f47ac10b-58cc-4372-a567-0e02b2c3d479", "nothing"] {
        let told = http
            .delete(&format!("/api/v1/nodes/{missing}"))
            .await
            .expect(404);
        assert_eq!(told["error"]["code"], "NOT_FOUND");
    }
}

#[tokio::test]
async fn what_was_written_over_is_gone_too() {
    let server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let http = trial(&server, "Acme").await;
    // The same again, so that what is given with it grows over pages of its own, and is
    // then begun anew.
    for at in 0..12 {
        let note = format!("Overwritten{at} ").repeat(260);
        let body = json!({
            "user_id": "u", "content": "My dog is called Biscuit.", "metadata": {"note": note},
        });
        let told = http.post("/api/v1/ingest", &body).await.expect(201);
        assert_eq!(told["merged"], at > 0);
    }
    http.delete("/api/v1/users/u").await.expect(200);
    gone(&server, "Overwritten").await;
}

#[tokio::test]
async fn answers_kept_for_repeats_go_with_the_user() {
    let server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let http = trial(&server, "Acme").await;
    let path = "/api/v1/users/u/suppressions";
    let import = "/api/v1/users/u/import";
    let topic = json!({"topic": "divorce"});
    let export = json!({"nodes": [{"content": "I like tea."}]});
    let keyed = |key: &str| http.with("idempotency-key", key);
    keyed("take").post(import, &export).await.expect(201);
    keyed("suppress").post(path, &topic).await.expect(201);
    let lift = format!("{path}?topic=divorce");
    keyed("lift").delete(&lift).await.expect(200);
    keyed("suppress-again").post(path, &topic).await.expect(201);
    let whole = http.get("/api/v1/context/u").await.expect(200);
    let node = format!(
        "/api/v1/nodes/{}",
        whole["nodes"][0]["node_id"].as_str().unwrap()
    );
    keyed("node").delete(&node).await.expect(200);
    // A memory that goes takes what tells of it, and nothing else.
    for answer in [
        keyed("take").post(import, &export).await,
        keyed("suppress").post(path, &topic).await,
        keyed("lift").delete(&lift).await,
        keyed("node").delete(&node).await,
    ] {
        assert_eq!(answer.header("idempotent-replayed"), Some("true"));
    }
    http.delete("/api/v1/users/u").await.expect(200);
    let answer = keyed("lift").delete(&lift).await;
    assert_eq!(answer.header("idempotent-replayed"), None);
    answer.expect(404);
    keyed("node").delete(&node).await.expect(404);
    let answer = keyed("take").post(import, &export).await;
    assert_eq!(answer.header("idempotent-replayed"), None);
    answer.expect(201);
    let whole = http.get("/api/v1/context/u").await.expect(200);
    assert_eq!(whole["nodes"].as_array().unwrap().len(), 1);
    let answer = keyed("suppress").post(path, &topic).await;
    assert_eq!(answer.header("idempotent-replayed"), None);
    answer.expect(201);
    let told = http.get(path).await.expect(200);
    assert_eq!(told["suppressed_topics"], json!(["divorce"]));
}
