//! What a plan allows to be kept, and what happens to it when a trial is over.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{say, signup, trial};
use crate::support::clock::FakeClock;
use crate::support::skip::skip;
use crate::support::{Http, Server};

const DAY: i64 = 24 * 60 * 60;

async fn refused(http: &Http, user: &str, content: &str) -> Value {
    let body = json!({"user_id": user, "content": content});
    http.post("/api/v1/ingest", &body).await.expect(403)["error"].clone()
}

#[tokio::test]
async fn the_twenty_sixth_user_is_refused() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    for at in 0..25 {
        say(&http, &format!("user_{at}"), "I like tea.").await;
    }
    let told = refused(&http, "user_25", "I like tea.").await;
    assert_eq!(told["code"], "USER_LIMIT_EXCEEDED");
    assert_eq!(told["message"], "Your plan allows 25 users");
    // Those there are go on, and an erased one makes room.
    say(&http, "user_1", "I like coffee.").await;
    http.delete("/api/v1/users/user_0").await.expect(200);
    say(&http, "user_25", "I like tea.").await;
    assert_eq!(http.get("/api/v1/usage").await.expect(200)["users"], 25);
}

#[tokio::test]
async fn a_memory_more_than_allowed_is_refused() {
    let server = Server::with(&[("APEX_PLANS_TRIAL_NODES_PER_USER", "2")]);
    let http = trial(&server, "Acme").await;
    let first = say(&http, "u", "I like tea.").await;
    say(&http, "u", "I like coffee.").await;
    let told = refused(&http, "u", "My dog is called Biscuit.").await;
    assert_eq!(told["code"], "NODE_LIMIT_EXCEEDED");
    // What was said already takes no more room, and another user has room.
    assert_eq!(say(&http, "u", "I like tea!").await["merged"], true);
    say(&http, "v", "My dog is called Biscuit.").await;
    let path = format!("/api/v1/nodes/{}", first["node_id"].as_str().unwrap());
    http.delete(&path).await.expect(200);
    say(&http, "u", "My dog is called Biscuit.").await;
    let usage = http.get("/api/v1/usage").await.expect(200);
    assert_eq!((&usage["users"], &usage["nodes"]), (&json!(2), &json!(3)));
}

#[tokio::test]
async fn a_crisis_is_not_lost_where_nothing_more_is_stored() {
    let server = Server::with(&[("APEX_PLANS_TRIAL_NODES_PER_USER", "1")]);
    let http = trial(&server, "Acme").await;
    say(&http, "u", "I like tea.").await;
    let ask = json!({"user_id": "u", "current_input": "hello"});
    let before = http.post("/api/v1/query", &ask).await.expect(200);
    assert_eq!(before["safety"]["route"], "pass");
    let told = refused(
        &http,
        "u",
        "I want to kill myself tonight, I have the pills here.",
    )
    .await;
    assert_eq!(told["code"], "NODE_LIMIT_EXCEEDED");
    let after = http.post("/api/v1/query", &ask).await.expect(200);
    assert_eq!(after["safety"]["crisis_detected"], true);
    assert_eq!(after["safety"]["route"], "intervene");
    // And what else is refused moves it on.
    for _ in 0..10 {
        refused(&http, "u", "My dog is called Biscuit.").await;
    }
    let later = http.post("/api/v1/query", &ask).await.expect(200);
    assert_eq!(later["safety"]["route"], "pass");
    let usage = http.get("/api/v1/usage").await.expect(200);
    assert_eq!(usage["nodes"], 1);
}

#[tokio::test]
async fn what_a_trial_left_is_erased_after_thirty_days() {
    let mut server = Server::start();
    let Some(clock) = FakeClock::install(&mut server) else {
        return skip("what_a_trial_left", "faketime is not installed");
    };
    server.kill();
    server.run();
    let made = signup(&server, "Acme").await;
    let key = made["api_key"].as_str().unwrap().to_owned();
    let http = server.http().with("x-api-key", &key);
    say(&http, "u", "My sister Zyzzyva moved to Lisbon.").await;
    let bytes = |server: &Server| {
        let all = server.kept_bytes();
        all.windows(7).any(|own| own == b"Zyzzyva")
    };
    assert!(bytes(&server));
    // A day before, it is still there.
    clock.put(59 * DAY);
    server.kill();
    server.run();
    let all = server.apex_json(&["organization", "list"]);
    let id = all[0]["id"].as_i64().unwrap().to_string();
    assert!(bytes(&server));
    server.apex(&["organization", "plan", &id, "starter"]);
    let http = server.http().with("x-api-key", &key);
    let told = http.get("/api/v1/context/u").await.expect(200);
    assert_eq!(told["nodes"].as_array().unwrap().len(), 1);
    server.apex(&["organization", "plan", &id, "trial"]);
    clock.put(62 * DAY);
    server.kill();
    server.run();
    let deadline = Instant::now() + Duration::from_secs(20);
    while bytes(&server) {
        assert!(Instant::now() < deadline, "it is there still");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
