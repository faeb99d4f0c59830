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
        "My father died last week with \"Blue\tHeron\" on the radio.",
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({
            "user_id": "u", "content": content, "session_id": format!("s{}", at / 3),
            "timestamp": format!("2026-03-{:02}T10:00:00Z", 3 * at + 1), "metadata": {"turn": at},
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
        // What is wrong with the body is told before what the plan does not allow.
        (
            json!([node("a"), node("b"), {}]),
            400,
            "content is required",
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
    // The export of nobody makes nobody.
    let nobody = http.get("/api/v1/context/nobody").await.expect(200);
    for body in [nobody, json!({})] {
        let told = http.post("/api/v1/users/u/import", &body).await.expect(201);
        assert_eq!(told["nodes_imported"], 0);
    }
    let usage = http.get("/api/v1/usage").await.expect(200);
    assert_eq!((&usage["users"], &usage["nodes"]), (&json!(0), &json!(0)));
    say(&http, "u", "I like tea.").await;
}

#[tokio::test]
async fn what_is_out_of_bounds_is_named() {
    let server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let http = trial(&server, "Acme").await;
    let ahead = jiff::Timestamp::now() + jiff::Span::new().hours(25);
    let ahead = ahead.to_string();
    let exact = |said_at: i64, reinforced_at: i64| {
        json!({"content": "a tea cup",
               "exact": {"said_at": said_at, "reinforced_at": reinforced_at}})
    };
    let node = |member: &str, value: Value| json!({"nodes": [{"content": "a", member: value}]});
    let before = -62_135_596_800_000_001_i64;
    for (body, words) in [
        (
            json!({"nodes": [exact(before, 0)]}),
            "exact.said_at must not be before the year 1",
        ),
        (
            json!({"nodes": [exact(i64::MIN, i64::MIN)]}),
            "exact.said_at must not be before",
        ),
        (
            json!({"nodes": [exact(0, i64::MAX)]}),
            "exact.reinforced_at must not be more than 24 hours ahead",
        ),
        (
            node("processing_count", json!(i64::MIN)),
            "processing_count must be 0 to",
        ),
        (
            node("processing_count", json!(i64::MAX)),
            "processing_count must be 0 to",
        ),
        (
            node("created_at", json!(ahead)),
            "created_at must not be more",
        ),
        (
            node("updated_at", json!(ahead)),
            "updated_at must not be more",
        ),
        (
            node("last_accessed_at", json!(ahead)),
            "last_accessed_at must not be more",
        ),
        (
            json!({"entities": [{"name": "Ana", "first_seen_at": ahead}]}),
            "first_seen_at must not be more",
        ),
        (
            json!({"nodes": [{"content": "a", "node_id": "n"}],
                   "processing_events": [{"node_id": "n", "type": "eaten"}]}),
            "type must be created, merged or reactivated",
        ),
        (
            node("role", json!("system")),
            "role must be one of user, assistant",
        ),
        (
            node("node_type", json!("bogus")),
            "node_type must be one of domain, entity, facet",
        ),
        (
            json!({"entities": [{"name": "Ana", "type": "alien"}]}),
            "type must be one of person, organization",
        ),
        (
            json!({"entities": [{"name": "Ana\nMaria"}]}),
            "name must be 1 to 256 bytes without control characters",
        ),
        (json!({"entities": [{}]}), "name must be 1 to 256 bytes"),
        (
            json!({"crisis_levels": [0, 4]}),
            "crisis_levels[1] must be 0 to 3",
        ),
    ] {
        let told = http.post("/api/v1/users/u/import", &body).await.expect(400);
        let message = told["error"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{message} for {body}");
    }
    assert_eq!(http.get("/api/v1/usage").await.expect(200)["users"], 0);
    // The bounds themselves are taken, and told.
    let body = json!({"nodes": [exact(before + 1, before + 1)]});
    http.post("/api/v1/users/u/import", &body).await.expect(201);
    let told = http.get("/api/v1/context/u").await.expect(200);
    assert_eq!(told["nodes"][0]["created_at"], "0001-01-01T00:00:00Z");
    let ask = json!({"user_id": "u", "current_input": "tea cup"});
    let told = http.post("/api/v1/query", &ask).await.expect(200);
    assert_eq!(told["memories"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_happened_before_is_taken_in_too() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    for content in [
        "My dog is called Biscuit.",
        "I feel hopeless.",
        "My dog is called Biscuit!",
        "I want to kill myself tonight, I have the pills here.",
    ] {
        say(&http, "u", content).await;
    }
    let export = http.get("/api/v1/context/u").await.expect(200);
    let levels = export["crisis_levels"].as_array().unwrap();
    assert_eq!(levels.len(), 4);
    assert!(levels[3] == 3, "{levels:?}");
    http.post("/api/v1/users/v/import", &export)
        .await
        .expect(201);
    let again = http.get("/api/v1/context/v").await.expect(200);
    assert_eq!(again["crisis_levels"], export["crisis_levels"]);
    let happened = |export: &Value| {
        let nodes = export["nodes"].as_array().unwrap().clone();
        let place = |id: &Value| nodes.iter().position(|own| own["node_id"] == *id);
        let all = export["processing_events"].as_array().unwrap().iter();
        all.map(|own| {
            (
                place(&own["node_id"]),
                own["type"].clone(),
                own["at"].clone(),
            )
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(happened(&again), happened(&export));
    assert!(happened(&export).iter().any(|own| own.1 == "merged"));
    let safety = async |user: &str| {
        let ask = json!({"user_id": user, "current_input": "hello"});
        let told = http.post("/api/v1/query", &ask).await.expect(200);
        told["safety"].clone()
    };
    assert_eq!(safety("v").await, safety("u").await);
    assert_eq!(safety("v").await["crisis_detected"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_answered_while_much_is_taken_in() {
    let server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let http = trial(&server, "Acme").await;
    let text = "We went to Lisbon with Ana in May and ate a lot of fish by the sea. ".repeat(4);
    let nodes: Vec<Value> = (0..600)
        .map(|at| json!({"content": format!("{at} {text}")}))
        .collect();
    let body = json!({"nodes": nodes});
    let taking = ["a", "b", "c"].map(|user| {
        let (http, body) = (http.clone(), body.clone());
        let path = format!("/api/v1/users/{user}/import");
        tokio::spawn(async move { http.post(&path, &body).await.expect(201) })
    });
    let anybody = server.http();
    let mut answered = 0;
    while !taking.iter().all(tokio::task::JoinHandle::is_finished) {
        let health = anybody.get("/api/v1/health");
        let told = tokio::time::timeout(std::time::Duration::from_secs(10), health);
        told.await.expect("an answer").expect(200);
        answered += 1;
    }
    for one in taking {
        one.await.unwrap();
    }
    assert!(answered > 3, "{answered} answers meanwhile");
}
