//! What each plan allows: requests by the minute and by the day.

use serde_json::json;

use super::trial;
use crate::support::clock::FakeClock;
use crate::support::skip::skip;
use crate::support::{Answer, Http, Server};

fn number(answer: &Answer, name: &str) -> i64 {
    answer.header(name).expect(name).parse().expect("a number")
}

/// Asks once; answers status, limit and what is left.
async fn ask(http: &Http) -> (u16, i64, i64) {
    let answer = http.get("/api/v1/profile/presets").await;
    let of = |name| number(&answer, name);
    (
        answer.status,
        of("x-ratelimit-limit"),
        of("x-ratelimit-remaining"),
    )
}

#[tokio::test]
async fn a_minute_allows_sixty_requests_of_a_trial() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    // Windows turn over with the minute: the test begins where it does not meanwhile.
    let (_, limit, mut left) = ask(&http).await;
    assert_eq!(limit, 60);
    let mut refused = None;
    for _ in 0..130 {
        let answer = http.get("/api/v1/usage").await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        let now = number(&answer, "x-ratelimit-remaining");
        assert!(now == left - 1 || now == 59, "{now} after {left}");
        left = now;
    }
    let refused = refused.expect("a refusal");
    let reset = number(&refused, "x-ratelimit-reset");
    assert_eq!(reset % 60, 0);
    assert_eq!(number(&refused, "x-ratelimit-remaining"), 0);
    let wait = number(&refused, "retry-after");
    assert!((1..=60).contains(&wait), "{wait}");
    let words = format!("Rate limit exceeded. Retry after {wait} seconds.");
    let told = json!({"error": {"code": "RATE_LIMITED", "message": words}});
    assert_eq!(refused.expect(429), told);
    // Before the body is looked at, and after the key is.
    let answer = http.post("/api/v1/query", &json!({})).await;
    assert!(answer.status == 429 || answer.status == 400);
    assert_eq!(server.http().get("/api/v1/usage").await.status, 401);
    // Another tenant's window is its own.
    let other = trial(&server, "Other").await;
    assert_eq!(ask(&other).await, (200, 60, 59));
}

#[tokio::test]
async fn the_day_is_told_once_it_has_fewer_left() {
    let mut server = Server::with(&[("APEX_PLANS_TRIAL_PER_DAY", "3")]);
    let Some(clock) = FakeClock::install(&mut server) else {
        return skip("the_day_is_told", "faketime is not installed");
    };
    server.kill();
    server.run();
    let http = trial(&server, "Acme").await;
    assert_eq!(ask(&http).await, (200, 3, 2));
    assert_eq!(ask(&http).await, (200, 3, 1));
    assert_eq!(ask(&http).await, (200, 3, 0));
    let refused = http.get("/api/v1/usage").await;
    assert_eq!(refused.status, 429);
    assert_eq!(number(&refused, "x-ratelimit-reset") % 86_400, 0);
    // A refusal is not counted, and a new day begins with nothing used.
    clock.put(24 * 60 * 60);
    assert_eq!(ask(&http).await, (200, 3, 2));
}

#[tokio::test]
async fn a_restart_does_not_give_the_day_back() {
    let mut server = Server::with(&[("APEX_PLANS_TRIAL_PER_DAY", "5")]);
    let made = super::signup(&server, "Acme").await;
    let key = made["api_key"].as_str().unwrap().to_owned();
    let http = server.http().with("x-api-key", &key);
    assert_eq!(ask(&http).await, (200, 5, 4));
    assert_eq!(ask(&http).await, (200, 5, 3));
    server.terminate();
    server.run();
    let http = server.http().with("x-api-key", &key);
    assert_eq!(ask(&http).await, (200, 5, 2));
}

#[tokio::test]
async fn every_plan_has_its_figures() {
    let server = Server::start();
    for (plan, minute, day) in [
        ("trial", 60, 10_000),
        ("starter", 120, 50_000),
        ("scale", 300, 200_000),
    ] {
        let made = server.organization(plan);
        let id = made.id.to_string();
        server.apex(&["organization", "plan", &id, plan]);
        let http = server.http().with("x-api-key", &made.key);
        let usage = http.get("/api/v1/usage").await;
        assert_eq!(number(&usage, "x-ratelimit-limit"), minute, "{plan}");
        // Made by the operator, a trial has no end.
        assert_eq!(usage.header("x-trial-days-remaining"), None);
        let usage = usage.expect(200);
        assert_eq!(usage["plan"], plan);
        assert_eq!(usage["rate_limit_rpm"], minute);
        assert_eq!(usage["rate_limit_daily"], day);
        assert_eq!(usage["day_remaining"], day - 1);
    }
}
