//! An export taken in again: the same answers, for another tenant, on another server, or
//! where the user was erased.

use serde_json::{Value, json};

use super::{say, trial};
use crate::support::{Http, Server};

const QUESTIONS: [&str; 4] = [
    "How is Ana?",
    "What is my dog called?",
    "Who is my manager?",
    "Tell me something.",
];

/// What questions are answered, without ids and what changes with the time.
async fn answers(http: &Http, user: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for input in QUESTIONS {
        let body = json!({"user_id": user, "current_input": input});
        let mut told = http.post("/api/v1/query", &body).await.expect(200);
        for memory in told["memories"].as_array_mut().unwrap() {
            let memory = memory.as_object_mut().unwrap();
            memory.remove("node_id");
            memory.remove("last_accessed_at");
        }
        told.as_object_mut().unwrap().remove("safety");
        all.push(told);
    }
    all
}

#[tokio::test]
async fn an_export_is_taken_in_to_the_same_answers() {
    let server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let http = trial(&server, "Acme").await;
    for (at, content) in [
        "My sister Ana moved to Lisbon in May.",
        "My dog is called Biscuit.",
        "I just got promoted to engineering manager at Dataflow.",
        "My manager is called Priya.",
        "Ana and I went hiking with Biscuit.",
        "I am allergic to peanuts.",
        "My dog is called Biscuit!",
        "My father died last week.",
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({
            "user_id": "u", "content": content, "session_id": format!("s{}", at / 3),
            "timestamp": format!("2026-0{}-03T10:00:00Z", at + 1), "metadata": {"turn": at},
        });
        http.post("/api/v1/ingest", &body).await.expect(201);
    }
    let topic = json!({"topic": "promotion"});
    http.post("/api/v1/users/u/suppressions", &topic)
        .await
        .expect(201);
    let before = answers(&http, "u").await;
    let export = http.get("/api/v1/context/u").await.expect(200);
    let taken = http
        .post("/api/v1/users/u/import", &export)
        .await
        .expect(409);
    assert_eq!(taken["error"]["code"], "CONFLICT");

    let other = trial(&server, "Other").await;
    let told = other
        .post("/api/v1/users/u/import", &export)
        .await
        .expect(201);
    assert_eq!(
        told,
        json!({"status": "imported", "user_id": "u", "nodes_imported": 7})
    );
    assert_eq!(answers(&other, "u").await, before);
    let again = other.get("/api/v1/context/u").await.expect(200);
    for member in ["suppressed_topics", "context_block", "tokens_used"] {
        assert_eq!(again[member], export[member], "{member}");
    }
    assert_eq!(
        again["edges"].as_array().unwrap().len(),
        export["edges"].as_array().unwrap().len()
    );
    let names = |export: &Value| {
        let all = export["entities"].as_array().unwrap().iter();
        all.map(|own| {
            (
                own["name"].clone(),
                own["salience"].clone(),
                own["mention_count"].clone(),
            )
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(names(&again), names(&export));
    // Its ids were taken there; where the user was erased they are as they were.
    let id = |export: &Value| export["nodes"][0]["node_id"].clone();
    assert_ne!(id(&again), id(&export));
    http.delete("/api/v1/users/u").await.expect(200);
    http.post("/api/v1/users/u/import", &export)
        .await
        .expect(201);
    assert_eq!(
        id(&http.get("/api/v1/context/u").await.expect(200)),
        id(&export)
    );
    assert_eq!(answers(&http, "u").await, before);
}

#[tokio::test]
async fn what_is_no_export_is_refused_whole() {
    let server = Server::with(&[("APEX_PLANS_TRIAL_NODES_PER_USER", "2")]);
    let http = trial(&server, "Acme").await;
    let node = |content: &str| json!({"content": content});
    for (nodes, status, words) in [
        (
            json!([node("I like tea."), node(" ")]),
            400,
            "content is required",
        ),
        (
            json!([{"content": "x", "metadata": {"a": []}}]),
            400,
            "metadata is flat",
        ),
        (
            json!([node("a"), node("b"), node("c")]),
            403,
            "Your plan allows 2 memories",
        ),
    ] {
        let body = json!({"nodes": nodes});
        let told = http
            .post("/api/v1/users/u/import", &body)
            .await
            .expect(status);
        let message = told["error"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{message}");
    }
    let usage = http.get("/api/v1/usage").await.expect(200);
    assert_eq!((&usage["users"], &usage["nodes"]), (&json!(0), &json!(0)));
    say(&http, "u", "I like tea.").await;
}
