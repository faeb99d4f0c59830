//! Many at once about one user: nobody is sent away because somebody else was faster, and
//! what is read is of one state.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{say, trial};
use crate::support::{Http, Server};

const MANY: usize = 24;

/// A text that says nothing any other of them says.
fn text(at: usize) -> String {
    let word = |n: usize| {
        let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
        [letter(n), 'o', letter(n / 26), 'a', letter(n * 7), 'u', 'x']
            .iter()
            .collect::<String>()
    };
    format!(
        "Friend {} keeps a {} in {}.",
        word(at),
        word(at + 300),
        word(at + 600)
    )
}

async fn ids(http: &Http) -> Vec<String> {
    let whole = http.get("/api/v1/context/u").await.expect(200);
    let nodes = whole["nodes"].as_array().unwrap().iter();
    nodes
        .map(|own| own["node_id"].as_str().unwrap().to_owned())
        .collect()
}

async fn ingest(http: &Http, user: &str, at: usize) {
    let body = json!({"user_id": user, "content": text(at)});
    http.post("/api/v1/ingest", &body).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_away() {
    let server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let http = trial(&server, "Acme").await;
    join_all((0..MANY).map(|at| ingest(&http, "u", at))).await;
    let before = ids(&http).await;
    assert_eq!(before.len(), MANY);
    let said = join_all((MANY..3 * MANY).map(|at| ingest(&http, "u", at)));
    let erased = join_all(before.iter().map(async |id| {
        http.delete(&format!("/api/v1/nodes/{id}"))
            .await
            .expect(200);
    }));
    let suppressed = join_all((0..MANY).map(async |at| {
        let topic = json!({"topic": format!("nothing{at}")});
        let path = "/api/v1/users/u/suppressions";
        http.post(path, &topic).await.expect(201);
    }));
    tokio::join!(said, erased, suppressed);
    assert_eq!(ids(&http).await.len(), 2 * MANY);
    let usage = http.get("/api/v1/usage").await.expect(200);
    assert_eq!(usage["nodes"], 2 * MANY);
    // The user itself comes and goes.
    let said = join_all((0..MANY).map(|at| ingest(&http, "u", at)));
    let erased = join_all((0..6).map(async |_| {
        http.delete("/api/v1/users/u").await.expect(200);
    }));
    tokio::join!(said, erased);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_away_where_there_is_little_room() {
    let settings = [
        ("APEX_RATE_LIMIT_ENABLED", "false"),
        ("APEX_MEMORY_INDEX_BYTES", "20000"),
    ];
    let server = Server::with(&settings);
    let http = trial(&server, "Acme").await;
    let users: Vec<String> = (0..12).map(|at| format!("u{at}")).collect();
    let all = (0..120).map(|at| ingest(&http, &users[at % users.len()], at));
    join_all(all).await;
    assert_eq!(http.get("/api/v1/usage").await.expect(200)["nodes"], 120);
}

/// Whether all that an export names is in it.
fn is_whole(export: &Value) -> bool {
    let all = |list: &str, id: &str| -> Vec<String> {
        let list = export[list].as_array().unwrap().iter();
        list.map(|own| own[id].as_str().unwrap().to_owned())
            .collect()
    };
    let (nodes, entities) = (all("nodes", "node_id"), all("entities", "entity_id"));
    all("edges", "source").iter().all(|id| nodes.contains(id))
        && all("edges", "target")
            .iter()
            .all(|id| entities.contains(id))
        && all("processing_events", "node_id")
            .iter()
            .all(|id| nodes.contains(id))
        && nodes
            .iter()
            .all(|id| all("processing_events", "node_id").contains(id))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_of_one_state() {
    let server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let http = trial(&server, "Acme").await;
    for at in 0..MANY {
        say(&http, "u", &text(at)).await;
    }
    let before = ids(&http).await;
    let said = join_all((MANY..2 * MANY).map(|at| ingest(&http, "u", at)));
    let erased = join_all(before.iter().map(async |id| {
        http.delete(&format!("/api/v1/nodes/{id}"))
            .await
            .expect(200);
    }));
    let exported = join_all((0..2 * MANY).map(async |_| {
        let export = http.get("/api/v1/context/u").await.expect(200);
        assert!(is_whole(&export), "{export}");
    }));
    tokio::join!(said, erased, exported);
}
