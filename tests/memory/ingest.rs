//! Taking in what was said: the published example, repeats, what is said twice, and what
//! is refused.

use serde_json::{Value, json};

use super::{close_to, say, trial};
use crate::support::{Http, Server};

const DATAFLOW: &str =
    "I just got promoted to engineering manager at Dataflow. My team is 12 people now.";

/// Everything there is of a user, without what changes with the time.
async fn nodes(http: &Http, user: &str) -> Vec<Value> {
    let told = http
        .get(&format!("/api/v1/context/{user}"))
        .await
        .expect(200);
    told["nodes"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_published_example() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    let answer = http
        .post(
            "/api/v1/ingest",
            &json!({"user_id": "user_001", "content": DATAFLOW}),
        )
        .await;
    assert_eq!(answer.header("x-trial-days-remaining"), Some("30"));
    let told = answer.expect(201);
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(
        keys(&told),
        [
            "node_id",
            "scoring",
            "entities_created",
            "safety",
            "merged",
            "suppressed"
        ]
    );
    let id: uuid::Uuid = told["node_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 4);
    let scoring = &told["scoring"];
    assert_eq!(
        keys(scoring),
        [
            "base_score",
            "sdv",
            "cscv",
            "lcs",
            "swv",
            "pdv",
            "signal_modifiers_applied"
        ]
    );
    for (name, published) in [
        ("base_score", 0.48),
        ("sdv", 0.62),
        ("cscv", 0.0),
        ("lcs", 0.55),
        ("swv", 0.41),
        ("pdv", 0.0),
    ] {
        close_to(&scoring[name], published);
    }
    assert_eq!(scoring["signal_modifiers_applied"], true);
    assert_eq!(
        told["entities_created"],
        json!(["Dataflow", "engineering manager"])
    );
    assert_eq!(told["safety"]["crisis_detected"], false);
    assert_eq!(told["safety"]["route"], "pass");
    // Said again by somebody else it is the first memory of another.
    let other = say(&http, "user_002", DATAFLOW).await;
    assert_eq!(other["entities_created"], told["entities_created"]);
    assert_ne!(other["node_id"], told["node_id"]);
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    let whole = json!({"user_id": "user_001", "content": "I like tea."});
    let long = "x".repeat(32_769);
    for (member, value, words) in [
        ("user_id", json!(null), "user_id is required"),
        ("user_id", json!(""), "user_id is required"),
        ("user_id", json!("u\n1"), "user_id is not valid"),
        (
            "user_id",
            json!("u".repeat(257)),
            "user_id must have at most 256 bytes",
        ),
        ("content", json!(null), "content is required"),
        ("content", json!("  \n"), "content is required"),
        (
            "content",
            json!(long),
            "content must have at most 32768 bytes",
        ),
        ("role", json!("system"), "role is not valid"),
        (
            "timestamp",
            json!("2999-01-01T00:00:00Z"),
            "timestamp must not be more than 24 hours ahead",
        ),
        (
            "metadata",
            json!({"a": {"b": 1}}),
            "metadata.a must be a plain value: metadata is flat",
        ),
        (
            "metadata",
            json!({"a": "x".repeat(4096)}),
            "metadata must have at most 4096 bytes",
        ),
    ] {
        let mut body = whole.clone();
        body[member] = value;
        let told = http.post("/api/v1/ingest", &body).await.expect(400);
        let expected = json!({"error": {"code": "BAD_REQUEST", "message": words}});
        assert_eq!(told, expected, "{member}");
    }
    let usage = http.get("/api/v1/usage").await.expect(200);
    assert_eq!((&usage["users"], &usage["nodes"]), (&json!(0), &json!(0)));
    // Members nobody knows are passed over.
    let mut body = whole.clone();
    body["colour"] = json!("green");
    http.post("/api/v1/ingest", &body).await.expect(201);
}

#[tokio::test]
async fn a_repeat_is_answered_the_same_and_stored_once() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    let body = json!({"user_id": "u", "content": "I like tea.", "idempotency_key": "one"});
    let first = http.post("/api/v1/ingest", &body).await;
    let again = http.post("/api/v1/ingest", &body).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    let mut other = body.clone();
    other["content"] = json!("I like coffee.");
    let told = http.post("/api/v1/ingest", &other).await.expect(409);
    assert_eq!(told["error"]["code"], "IDEMPOTENCY_KEY_REUSED");
    let keyed = http.with("idempotency-key", "two");
    let body = json!({"user_id": "u", "content": "My sister Ana lives in Lisbon."});
    let first = keyed.post("/api/v1/ingest", &body).await;
    let again = keyed.post("/v1/memory/ingest", &body).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(nodes(&http, "u").await.len(), 2);
}

#[tokio::test]
async fn what_is_said_twice_is_one_memory() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    let made = |content: &str, from: &str| json!({"user_id": "u", "content": content, "metadata": {"from": from}});
    let first = http
        .post("/api/v1/ingest", &made("My dog is called Biscuit.", "a"))
        .await
        .expect(201);
    let again = http
        .post("/api/v1/ingest", &made("my dog is called Biscuit!", "b"))
        .await
        .expect(201);
    assert_eq!(again["node_id"], first["node_id"]);
    assert_eq!(
        (&first["merged"], &again["merged"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(again["entities_created"], json!([]));
    let all = nodes(&http, "u").await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["processing_count"], 2);
    assert_eq!(all[0]["metadata"], json!({"from": "a"}));
    assert_eq!(all[0]["merged_metadata"], json!([{"from": "b"}]));
    // Somebody else who says it says something else.
    let mut other = made("My dog is called Biscuit.", "c");
    other["speaker"] = json!("Ben");
    let other = http.post("/api/v1/ingest", &other).await.expect(201);
    assert_ne!(other["node_id"], first["node_id"]);
}

#[tokio::test]
async fn what_comes_back_over_sessions_counts() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    let mut last = 0.0;
    for (session, content) in [
        ("s1", "I met Ana at the market."),
        ("s2", "Yesterday I heard Ana play the cello."),
        ("s3", "I will go hiking with Ana soon."),
    ] {
        let body = json!({"user_id": "u", "content": content, "session_id": session});
        let told = http.post("/api/v1/ingest", &body).await.expect(201);
        let cscv = told["scoring"]["cscv"].as_f64().unwrap();
        assert!(cscv > last || session == "s1", "{told}");
        last = cscv;
    }
    assert!(last > 0.7, "{last}");
}

#[tokio::test]
async fn signs_of_a_crisis_are_told() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    let told = say(
        &http,
        "u",
        "I want to kill myself tonight, I have the pills here.",
    )
    .await;
    assert_eq!(told["safety"]["crisis_detected"], true);
    assert_eq!(told["safety"]["level"], 3);
    assert_eq!(told["safety"]["route"], "escalate");
    // Those before it count with what is asked next.
    let query = json!({"user_id": "u", "current_input": "What is for lunch?"});
    let told = http.post("/api/v1/query", &query).await.expect(200);
    assert_eq!(told["safety"]["level"], 0);
    assert_eq!(told["safety"]["crisis_detected"], true);
    let told = say(&http, "v", "This cake is to die for.").await;
    assert_eq!(told["safety"]["crisis_detected"], false);
}

#[tokio::test]
async fn the_other_documented_status() {
    let server = Server::with(&[("APEX_COMPAT_INGEST_STATUS", "200")]);
    let http = trial(&server, "Acme").await;
    let body = json!({"user_id": "u", "content": "I like tea."});
    assert_eq!(http.post("/api/v1/ingest", &body).await.status, 200);
}

#[tokio::test]
async fn a_speaker_among_the_metadata_is_a_text_as_any_other() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    for member in ["speaker", "name"] {
        let body = json!({
            "user_id": "u", "content": "I like tea.", "metadata": {member: "A\u{0}"},
        });
        let told = http.post("/api/v1/ingest", &body).await.expect(400);
        let words = format!("metadata.{member} must not contain U+0000");
        assert_eq!(told["error"]["message"], words);
    }
    let body =
        json!({"user_id": "u", "content": "I like tea.", "timestamp": "0000-12-31T00:00:00Z"});
    http.post("/api/v1/ingest", &body).await.expect(400);
    assert_eq!(http.get("/api/v1/usage").await.expect(200)["nodes"], 0);
}
