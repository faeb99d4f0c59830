//! Every example of the published pages: sign-up, headers and refusals, byte for byte
//! where they show bytes.

use serde_json::json;

use super::{SUPPORT, signup, trial};
use crate::support::clock::FakeClock;
use crate::support::skip::skip;
use crate::support::{Answer, Server};

const DAY: i64 = 24 * 60 * 60;

fn number(answer: &Answer, name: &str) -> i64 {
    let text = answer.header(name);
    let text = text.unwrap_or_else(|| panic!("{name}: {:?} {}", answer.headers, answer.text));
    text.parse().unwrap()
}

/// The three headers that stand on every answer.
#[track_caller]
fn rate(answer: &Answer, limit: i64) {
    assert_eq!(
        number(answer, "x-ratelimit-limit"),
        limit,
        "{}",
        answer.text
    );
    assert!((0..limit).contains(&number(answer, "x-ratelimit-remaining")));
    assert!(number(answer, "x-ratelimit-reset") > 1_750_320_000);
}

#[tokio::test]
async fn a_trial_begins() {
    let server = Server::start();
    let body = json!({
        "company_name": "Acme Health", "email": "dev@acmehealth.com", "name": "Jordan Park",
    });
    let answer = server.http().post("/api/v1/trial/signup", &body).await;
    rate(&answer, 600);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let made = answer.expect(201);
    let members: Vec<_> = made.as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        members,
        [
            "status",
            "tenant_id",
            "api_key",
            "trial_ends",
            "limits",
            "quickstart",
            "base_url"
        ]
    );
    assert_eq!(made["status"], "trial_active");
    assert_eq!(made["tenant_id"], "tn_acme_health_01");
    assert!(made["api_key"].as_str().unwrap().len() >= 20);
    assert_eq!(
        made["limits"].to_string(),
        r#"{"max_users":25,"max_nodes_per_user":5000,"rate_limit_rpm":60,"rate_limit_daily":10000,"features":"all"}"#
    );
    assert_eq!(made["base_url"], format!("{}/api/v1", server.url));
    assert_eq!(made["quickstart"], format!("{}/docs", server.url));
    // The first midnight at or after thirty days from now.
    let ends: jiff::Timestamp = made["trial_ends"].as_str().unwrap().parse().unwrap();
    assert_eq!(ends.as_second() % DAY, 0);
    let days = (ends.as_second() - jiff::Timestamp::now().as_second()) as f64 / DAY as f64;
    assert!((30.0..=31.0).contains(&days), "{days}");
    // The key is shown once: nothing says it again.
    let http = server
        .http()
        .with("x-api-key", made["api_key"].as_str().unwrap());
    let usage = http.get("/api/v1/usage").await;
    rate(&usage, 60);
    assert_eq!(number(&usage, "x-trial-days-remaining"), 30);
    assert!(!usage.expect(200).to_string().contains("apex_key_"));
}

#[tokio::test]
async fn what_a_sign_up_lacks_is_named() {
    let server = Server::start();
    let whole = json!({"company_name": "Acme", "email": "dev@acme.com", "name": "Jordan Park"});
    for missing in ["company_name", "email", "name"] {
        let mut body = whole.clone();
        body.as_object_mut().unwrap().remove(missing);
        let answer = server.http().post("/api/v1/trial/signup", &body).await;
        rate(&answer, 600);
        let words = format!("{missing} is required");
        let told = answer.expect(400);
        assert_eq!(
            told,
            json!({"error": {"code": "BAD_REQUEST", "message": words}})
        );
    }
    let mut body = whole.clone();
    body["email"] = json!("nobody");
    let told = server
        .http()
        .post("/api/v1/trial/signup", &body)
        .await
        .expect(400);
    assert_eq!(told["error"]["message"], "email is not valid");
}

#[tokio::test]
async fn an_email_is_registered_once() {
    let server = Server::start();
    signup(&server, "Acme").await;
    let body = json!({"company_name": "Other", "email": "Dev@Acme.com", "name": "Somebody"});
    let told = server.http().post("/api/v1/trial/signup", &body).await;
    rate(&told, 600);
    assert_eq!(told.expect(409)["error"]["code"], "CONFLICT");
    // The same company may try twice; it is another tenant.
    let body = json!({"company_name": "Acme", "email": "two@acme.com", "name": "Somebody"});
    let second = server
        .http()
        .post("/api/v1/trial/signup", &body)
        .await
        .expect(201);
    assert_eq!(second["tenant_id"], "tn_acme_02");
}

#[tokio::test]
async fn a_few_trials_an_hour_begin_at_one_address() {
    let server = Server::start();
    for at in 0..5 {
        signup(&server, &format!("Acme{at}")).await;
    }
    let body = json!({"company_name": "Acme", "email": "x@acme.com", "name": "Jordan Park"});
    let answer = server.http().post("/api/v1/trial/signup", &body).await;
    let wait = number(&answer, "retry-after");
    assert!((3500..=3600).contains(&wait), "{wait}");
    // The headers tell of the limit that was met.
    assert_eq!(number(&answer, "x-ratelimit-limit"), 5);
    assert_eq!(number(&answer, "x-ratelimit-remaining"), 0);
    let reset = number(&answer, "x-ratelimit-reset") - jiff::Timestamp::now().as_second();
    assert!((wait - 5..=wait + 5).contains(&reset), "{reset} for {wait}");
    let words = format!("Rate limit exceeded. Retry after {wait} seconds.");
    assert_eq!(
        answer.expect(429),
        json!({"error": {"code": "RATE_LIMITED", "message": words}})
    );
    let closed = Server::with(&[("APEX_TRIAL_SIGNUP", "closed")]);
    let told = closed.http().post("/api/v1/trial/signup", &body).await;
    assert_eq!(told.expect(403)["error"]["code"], "FORBIDDEN");
}

#[tokio::test]
async fn who_has_no_valid_key_is_told_so() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    let documented = r#"{"error":{"code":"UNAUTHORIZED","message":"Invalid or missing API key. Include a valid key in the X-API-Key header."}}"#;
    let strangers = [
        server.http(),
        server.http().with("x-api-key", ""),
        server.http().with("x-api-key", "a1b2c3d4e5f6g7h8i9j0"),
        server.http().bearer("a1b2c3d4e5f6g7h8i9j0"),
    ];
    for stranger in strangers {
        let query = json!({"user_id": "user_001", "current_input": "How is the project going?"});
        for answer in [
            stranger.post("/api/v1/query", &query).await,
            stranger.post("/v1/memory/query", &json!({})).await,
            stranger.get("/api/v1/context/user_001").await,
            stranger.get("/api/v1/profile").await,
        ] {
            rate(&answer, 600);
            assert_eq!(answer.header("x-trial-days-remaining"), None);
            assert_eq!((answer.status, answer.text.as_str()), (401, documented));
        }
    }
    // A key in a URL is refused even where the header has a good one.
    for name in ["api_key", "X-API-Key"] {
        let answer = http.get(&format!("/api/v1/usage?{name}=x")).await;
        assert_eq!((answer.status, answer.text.as_str()), (401, documented));
    }
    assert_eq!(http.get("/api/v1/usage").await.status, 200);
}

#[tokio::test]
async fn a_trial_key_opens_nothing_else() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    for path in ["/api/projects", "/api/experiments", "/contacts"] {
        assert_eq!(http.get(path).await.status, 403, "{path}");
    }
    let made = signup(&server, "Other").await;
    let http = server.http().bearer(made["api_key"].as_str().unwrap());
    let event = json!({"event_name": "x"});
    assert_eq!(http.post("/api/v1/events", &event).await.status, 403);
    // And a key of another product does not open this one.
    let organization = server.organization("Third");
    let key = server.key(&organization, "metrics.read");
    let other = server
        .http()
        .with("x-api-key", key["key"].as_str().unwrap());
    let answer = other.get("/api/v1/usage").await;
    assert_eq!(answer.expect(403)["error"]["code"], "FORBIDDEN");
}

#[tokio::test]
async fn health_needs_no_key() {
    let server = Server::start();
    let answer = server.http().get("/api/v1/health?now=1").await;
    rate(&answer, 600);
    let told = answer.expect(200);
    assert_eq!(told["status"], "healthy");
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    assert!(told["uptime_seconds"].is_i64());
    assert_eq!(told["checks"], json!({"storage": "ok", "embedder": "ok"}));
}

#[tokio::test]
async fn paths_nobody_has_answer_alike() {
    let server = Server::start();
    let http = trial(&server, "Acme").await;
    for path in ["/api/v1/nothing", "/v1/memory/nothing"] {
        let answer = http.get(path).await;
        rate(&answer, 600);
        assert_eq!(answer.expect(404)["error"]["code"], "NOT_FOUND");
    }
    let answer = http.get("/api/v1/ingest").await;
    rate(&answer, 600);
    assert_eq!(answer.header("allow"), Some("POST"));
    assert_eq!(answer.expect(405)["error"]["code"], "METHOD_NOT_ALLOWED");
    let plain = http.with("content-type", "text/plain");
    let body = Some(b"{}".to_vec());
    let answer = plain
        .send(reqwest::Method::POST, "/api/v1/query", body)
        .await;
    rate(&answer, 60);
    assert_eq!(
        answer.expect(415)["error"]["code"],
        "UNSUPPORTED_MEDIA_TYPE"
    );
    let large = json!({"user_id": "u", "content": "x".repeat(70_000)});
    let answer = http.post("/api/v1/ingest", &large).await;
    rate(&answer, 60);
    assert_eq!(answer.expect(413)["error"]["code"], "PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn plaintext_is_refused_where_that_is_set() {
    let server = Server::with(&[("APEX_REQUIRE_HTTPS", "true")]);
    let answer = server.http().get("/api/v1/usage").await;
    rate(&answer, 600);
    assert_eq!(answer.expect(403)["error"]["code"], "FORBIDDEN");
}

#[tokio::test]
async fn a_trial_ends() {
    let mut server = Server::with(&[("APEX_TRIAL_SUPPORT", SUPPORT)]);
    let Some(clock) = FakeClock::install(&mut server) else {
        return skip("a_trial_ends", "faketime is not installed");
    };
    server.kill();
    server.run();
    let made = signup(&server, "Acme").await;
    let key = made["api_key"].as_str().unwrap();
    let http = server.http().with("x-api-key", key);
    let ends = made["trial_ends"].as_str().unwrap();
    clock.put(9 * DAY);
    let days = number(&http.get("/api/v1/usage").await, "x-trial-days-remaining");
    assert!((21..=22).contains(&days), "{days}");
    clock.put(31 * DAY);
    for answer in [
        http.get("/api/v1/usage").await,
        http.post("/api/v1/query", &json!({})).await,
        http.get("/v1/memory/context/user_001").await,
    ] {
        rate(&answer, 60);
        assert_eq!(number(&answer, "x-trial-days-remaining"), 0);
        let documented = format!(
            r#"{{"error":{{"code":"TRIAL_EXPIRED","message":"Your trial expired on {}. Contact support@sandstonecloud.com to continue."}}}}"#,
            &ends[..10]
        );
        assert_eq!((answer.status, answer.text), (403, documented));
    }
    // Who buys a plan goes on.
    let all = server.apex_json(&["organization", "list"]);
    let id = all[0]["id"].as_i64().unwrap().to_string();
    server.apex(&["organization", "plan", &id, "starter"]);
    let answer = http.get("/api/v1/usage").await;
    rate(&answer, 120);
    assert_eq!(answer.header("x-trial-days-remaining"), None);
    assert_eq!(answer.expect(200)["plan"], "starter");
}

#[tokio::test]
async fn the_other_documented_word_of_a_trial_that_is_over() {
    let settings = [
        ("APEX_TRIAL_SUPPORT", SUPPORT),
        ("APEX_COMPAT_TRIAL_EXPIRED_CODE", "FORBIDDEN"),
    ];
    let mut server = Server::with(&settings);
    let Some(clock) = FakeClock::install(&mut server) else {
        return skip("a_trial_ends", "faketime is not installed");
    };
    server.kill();
    server.run();
    let http = trial(&server, "Acme").await;
    clock.put(31 * DAY);
    let answer = http.get("/api/v1/usage").await;
    let documented = r#"{"error":{"code":"FORBIDDEN","message":"Trial expired. Contact support@sandstonecloud.com to upgrade."}}"#;
    assert_eq!((answer.status, answer.text.as_str()), (403, documented));
}
