//! What a tenant configures, and the product's keys.

use serde_json::{Value, json};

use super::{say, signup, trial};
use crate::support::{Http, Server};

async fn put(http: &Http, body: Value) -> crate::support::Answer {
    let own = http.with("content-type", "application/json");
    let body = Some(body.to_string().into_bytes());
    own.send(reqwest::Method::PUT, "/api/v1/profile", body)
        .await
}

#[tokio::test]
async fn both_documented_forms() {
    let server = Server::start();
    let http = trial(&server, "Acme Health").await;
    let told = http.get("/api/v1/profile").await.expect(200);
    let members: Vec<_> = told.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["tenant_id", "preset", "overrides", "effective"]);
    assert_eq!(told["tenant_id"], "tn_acme_health_01");
    assert_eq!(
        (&told["preset"], &told["overrides"]),
        (&json!("default"), &json!({}))
    );
    assert_eq!(
        told["effective"]["decay_profile"],
        json!({"base_rate": 0.01, "processing_boost": 0.5})
    );
    let told = put(&http, json!({"preset": "reflective"}))
        .await
        .expect(200);
    assert_eq!(told["preset"], "reflective");
    assert_eq!(told["effective"]["injection_template"]["max_tokens"], 8000);
    let updates = json!({
        "decay_profile": {"base_rate": 0.01, "processing_boost": 0.5},
        "injection_template": {"max_tokens": 6000},
    });
    let told = put(&http, json!({"updates": updates})).await.expect(200);
    assert_eq!(
        (&told["preset"], &told["overrides"]),
        (&json!("reflective"), &updates)
    );
    assert_eq!(told["effective"]["injection_template"]["max_tokens"], 6000);
    assert_eq!(http.get("/api/v1/profile").await.expect(200), told);
    // Both at once: the preset first, which takes single changes back.
    let both = json!({"preset": "education", "updates": {"decay_profile": {"base_rate": 0.5}}});
    let told = put(&http, both).await.expect(200);
    assert_eq!(
        told["overrides"],
        json!({"decay_profile": {"base_rate": 0.5}})
    );
    assert_eq!(told["effective"]["injection_template"]["max_tokens"], 3000);
    // It holds for what is asked.
    say(&http, "u", "I like tea.").await;
    let ask = json!({"user_id": "u", "current_input": "tea"});
    let told = http.post("/api/v1/query", &ask).await.expect(200);
    assert_eq!(told["token_budget"], 3000);
}

#[tokio::test]
async fn what_nobody_knows_is_refused() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    for (body, words) in [
        (
            json!({"preset": "nothing"}),
            "preset is not known; GET /profile/presets lists them",
        ),
        (json!({}), "Name a preset, or give updates"),
        (
            json!({"updates": {"speed": {}}}),
            "speed is no section of the profile",
        ),
        (
            json!({"updates": {"retrieval": 1}}),
            "retrieval must be an object",
        ),
        (
            json!({"updates": {"decay_profile": {"speed": 1}}}),
            "decay_profile.speed is no member of the profile",
        ),
        (
            json!({"updates": {"decay_profile": {"base_rate": 1.5}}}),
            "decay_profile.base_rate must be between 0 and 1",
        ),
        (
            json!({"updates": {"decay_profile": {"base_rate": "slow"}}}),
            "decay_profile.base_rate must be a number",
        ),
        (
            json!({"preset": "reflective", "updates": {"injection_template": {"max_tokens": 99}}}),
            "injection_template.max_tokens must be between 100 and 32000",
        ),
    ] {
        let told = put(&http, body.clone()).await.expect(400);
        let told = told["error"].clone();
        assert_eq!(told["code"], "BAD_REQUEST");
        assert!(
            told["message"].as_str().unwrap().ends_with(words),
            "{body}: {told}"
        );
    }
    let told = http.get("/api/v1/profile").await.expect(200);
    assert_eq!(
        (&told["preset"], &told["overrides"]),
        (&json!("default"), &json!({}))
    );
}

#[tokio::test]
async fn there_are_sixteen_presets() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    let told = http.get("/api/v1/profile/presets").await.expect(200);
    assert_eq!(told["count"], 16);
    let presets = told["presets"].as_array().unwrap();
    assert_eq!(presets.len(), 16);
    for named in ["reflective", "customer_service", "education", "healthcare"] {
        let found = presets
            .iter()
            .find(|own| own["name"] == named)
            .expect(named);
        assert_eq!(found["group"], "core");
        assert!(found["effective"]["signal_weights"].is_object());
    }
    for preset in presets {
        put(&http, json!({"preset": preset["name"]}))
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn a_topic_is_suppressed_until_it_is_lifted() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    let path = "/api/v1/users/u/suppressions";
    let before = say(&http, "u", "My divorce from Tom was final in May.").await;
    say(&http, "u", "My dog is called Biscuit.").await;
    let told = http
        .post(path, &json!({"topic": "Divorce"}))
        .await
        .expect(201);
    assert_eq!(
        told,
        json!({"user_id": "u", "suppressed_topics": ["divorce"]})
    );
    http.post(path, &json!({"topic": "divorce"}))
        .await
        .expect(201);
    let ask = json!({"user_id": "u", "current_input": "How was the divorce?"});
    let ids = async || {
        let told = http.post("/api/v1/query", &ask).await.expect(200);
        let all = told["memories"].as_array().unwrap().iter();
        all.map(|one| one["node_id"].clone()).collect::<Vec<_>>()
    };
    assert!(!ids().await.contains(&before["node_id"]));
    // What comes on it is not stored; what is kept stays.
    let dropped = say(&http, "u", "The divorce still hurts.").await;
    assert_eq!(dropped["node_id"], "");
    assert_eq!(dropped["suppressed"], true);
    assert_eq!(before["suppressed"], false);
    // What only hidden memories name is not listed.
    let named = async || {
        let told = http.get("/api/v1/entities/u").await.expect(200);
        let all = told["entities"].as_array().unwrap().iter();
        all.map(|own| own["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(named().await, ["Biscuit"]);
    let whole = http.get("/api/v1/context/u").await.expect(200);
    assert_eq!(whole["nodes"].as_array().unwrap().len(), 2);
    assert_eq!(whole["suppressed_topics"], json!(["divorce"]));
    assert!(!whole["context_block"].as_str().unwrap().contains("Tom"));
    let told = http
        .delete(&format!("{path}?topic=divorce"))
        .await
        .expect(200);
    assert_eq!(told["suppressed_topics"], json!([]));
    assert!(ids().await.contains(&before["node_id"]));
    assert!(named().await.contains(&json!("Tom")));
    let told = http
        .delete(&format!("{path}?topic=divorce"))
        .await
        .expect(404);
    assert_eq!(told["error"]["code"], "NOT_FOUND");
    for wrong in [json!({}), json!({"topic": " "}), json!({"topic": "of the"})] {
        http.post(path, &wrong).await.expect(400);
    }
    assert_eq!(
        http.get(path).await.expect(200)["suppressed_topics"],
        json!([])
    );
}

#[tokio::test]
async fn a_key_is_rotated() {
    let server = Server::start();
    let made = signup(&server, "Acme").await;
    let old = server
        .http()
        .with("x-api-key", made["api_key"].as_str().unwrap());
    let answer = old.post("/api/v1/keys/rotate", &json!({})).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let told = answer.expect(200);
    assert_eq!(told["tenant_id"], made["tenant_id"]);
    let key = told["api_key"].as_str().unwrap();
    assert_ne!(key, made["api_key"]);
    assert_eq!(old.get("/api/v1/usage").await.status, 401);
    let http = server.http().with("x-api-key", key);
    assert_eq!(http.get("/api/v1/usage").await.status, 200);
    assert_eq!(http.get("/api/projects").await.status, 403);
}
