//! Every documented request and what it is answered, with an engine and without.

use serde_json::{Value, json};

use super::{Platform, example};
use crate::support::{Answer, Http, Server};

/// Members of an object in the order in which they stand.
fn members(value: &Value) -> Vec<&str> {
    let all = value.as_object().expect("an object");
    all.keys().map(String::as_str).collect()
}

fn failed(answer: &Answer, status: u16, code: &str, words: &str) {
    let expected = json!({"error": words, "code": code, "status": status});
    assert_eq!(answer.expect(status), expected);
}

#[tokio::test]
async fn services_are_listed_and_deployed() {
    let platform = Platform::start();
    let http = &platform.http;
    assert_eq!(http.get("/api/services").await.text, "[]");
    let made = http.post("/api/deploy", &example()).await.expect(200);
    assert_eq!(made["status"], "DEPLOYING");
    let own = platform
        .becomes(&made["id"], |own| own["status"] == "RUNNING")
        .await;
    let id = own["id"].as_str().unwrap();
    assert!(uuid::Uuid::parse_str(id).is_ok(), "{id}");
    // The documented list: a bare array, of these members first.
    let listed = http.get("/api/services").await;
    let begin = format!(
        r#"[{{"id":"{id}","name":"my-service","image":"nginx:alpine","status":"RUNNING","replicas":2,"#
    );
    assert!(listed.text.starts_with(&begin), "{}", listed.text);
    assert_eq!(own["readyReplicas"], 2);
    assert_eq!(own["containerPort"], 80);
    assert_eq!(own["env"], json!(["NODE_ENV"]));
    assert!(!listed.text.contains("production"), "values are not shown");
    // It answers, and was told its environment.
    let said = platform.visit(&own).await;
    assert_eq!(said["image"], "nginx:alpine");
    assert_eq!(said["env"], json!(["NODE_ENV=production"]));

    let path = format!("/api/services/{id}");
    let again = http.post(&format!("{path}/redeploy"), &json!({})).await;
    assert_eq!(again.expect(200)["status"], "DEPLOYING");
    let before = &own["currentDeploymentId"];
    platform
        .becomes(&own["id"], |now| now["currentDeploymentId"] != *before)
        .await;

    let logs = http.get(&format!("{path}/logs")).await.expect(200);
    assert_eq!(members(&logs), ["logs", "lines"]);
    assert!(logs["logs"].as_str().unwrap().contains("started\n"));
    let first = &logs["lines"][0];
    assert_eq!(members(first), ["ts", "replica", "stream", "message"]);
    let plain = http.with("accept", "text/plain");
    let plain = plain.get(&format!("{path}/logs?tail=1")).await;
    assert_eq!(
        plain.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert!(plain.text.starts_with("started\n"), "{}", plain.text);

    let pause = |pause: bool| {
        let (http, path) = (http.clone(), format!("{path}/pause"));
        async move { http.post(&path, &json!({"pause": pause})).await }
    };
    let paused = pause(true).await.expect(200);
    assert_eq!(
        (&paused["status"], &paused["replicas"]),
        (&json!("PAUSED"), &json!(2))
    );
    assert_eq!(pause(true).await.expect(200)["status"], "PAUSED");
    platform.containers(0).await;
    assert_eq!(pause(false).await.expect(200)["status"], "DEPLOYING");
    platform.containers(2).await;
    for wrong in [json!({}), json!({"pause": null})] {
        let answer = http.post(&format!("{path}/pause"), &wrong).await;
        let words = "pause is required: true pauses the service, false resumes it";
        failed(&answer, 400, "VALIDATION_ERROR", words);
    }
    let answer = http
        .post(&format!("{path}/pause"), &json!({"pause": "yes"}))
        .await;
    assert_eq!(answer.expect(400)["code"], "VALIDATION_ERROR");
}

#[tokio::test]
async fn databases_are_listed_and_made() {
    let platform = Platform::start();
    let http = &platform.http;
    assert_eq!(http.get("/api/databases").await.text, "[]");
    let body = json!({"name": "my-postgres", "type": "postgres", "size": "small"});
    let made = http.post("/api/databases", &body).await.expect(200);
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(made[name], *value);
    }
    assert_eq!(made["status"], "PENDING");
    let password = made["password"].as_str().unwrap();
    let deadline = std::time::Instant::now() + super::PATIENCE;
    let listed = loop {
        let listed = http.get("/api/databases").await;
        if listed.json()[0]["status"] == "RUNNING" {
            break listed;
        }
        assert!(std::time::Instant::now() < deadline, "{}", listed.text);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert!(!listed.text.contains(password), "a list shows no password");
    let masked = "postgres://app:********@my-postgres:5432/app";
    assert_eq!(listed.json()[0]["connectionString"], masked);
    let path = format!("/api/databases/{}", made["id"].as_str().unwrap());
    let shown = http.get(&path).await.expect(200);
    assert_eq!(
        shown["connectionString"],
        masked.replace("********", password)
    );
    let spec = &platform.containers(1).await[0];
    let env = spec["Env"].as_array().unwrap();
    assert!(env.contains(&json!(format!("POSTGRES_PASSWORD={password}"))));
    assert_eq!(
        spec["HostConfig"]["Mounts"][0]["Target"],
        "/var/lib/postgresql/data"
    );
    for (body, words) in [
        (
            json!({"name": "x", "type": "postgres", "size": "huge"}),
            "size must be one of small, medium, large",
        ),
        (
            json!({"name": "x", "size": "small"}),
            "type must be one of postgres, mysql, redis, mongodb",
        ),
        (
            json!({"name": "my-postgres", "type": "redis"}),
            "name is taken by another database of the organization",
        ),
    ] {
        let answer = http.post("/api/databases", &body).await.expect(400);
        let told = answer["error"].as_str().unwrap();
        assert!(told.contains(words) || told.contains("size"), "{told}");
    }
    http.delete(&path).await.expect(200);
    platform.containers(0).await;
    assert_eq!(http.get("/api/databases").await.text, "[]");
    assert_eq!(http.get(&path).await.status, 404);
}

#[tokio::test]
async fn teams_and_groups_need_no_engine() {
    let server = Server::start();
    let own = server.organization("Acme");
    let http = server.http().bearer(&own.key);
    let made = http
        .post("/api/teams", &json!({"name": "Engineering"}))
        .await;
    let team = made.expect(200);
    assert_eq!(members(&team), ["id", "name", "role", "createdAt"]);
    assert_eq!(
        (&team["name"], &team["role"]),
        (&json!("Engineering"), &json!("owner"))
    );
    assert_eq!(http.get("/api/teams").await.expect(200), json!([team]));
    let members_of = format!("/api/teams/{}/members", team["id"].as_str().unwrap());
    let person = json!({"email": "new@example.com", "role": "member"});
    let joined = format!("/api/organizations/{}/members", own.id);
    http.post(&joined, &person).await.expect(200);
    let added = http.post(&members_of, &person).await.expect(200);
    assert_eq!(members(&added), ["userId", "email", "role", "createdAt"]);
    assert_eq!(added["role"], "member");

    let variables = json!({"DATABASE_URL": "postgres://...", "API_KEY": "secret123"});
    let body = json!({"name": "production-secrets", "variables": variables});
    let group = http.post("/api/env-groups", &body).await.expect(200);
    assert_eq!(group["variables"]["API_KEY"], "secret123", "this once");
    let listed = http.get("/api/env-groups").await;
    assert_eq!(
        listed.json()[0]["variables"],
        json!({"API_KEY": "********", "DATABASE_URL": "********"})
    );
    assert!(!listed.text.contains("secret123"));
}

#[tokio::test]
async fn a_group_reaches_what_it_is_attached_to() {
    let platform = Platform::start();
    let http = &platform.http;
    let own = platform.running(example()).await;
    let variables = json!({"NODE_ENV": "staging", "API_KEY": "secret123"});
    let body = json!({"name": "production-secrets", "variables": variables});
    let group = http.post("/api/env-groups", &body).await.expect(200);
    let (id, group_id) = (own["id"].as_str().unwrap(), group["id"].as_str().unwrap());
    let path = format!("/api/services/{id}/attach-group/{group_id}");
    let answer = http.post(&path, &json!({})).await;
    assert_eq!(
        answer.expect(200),
        json!({"success": true, "serviceId": id, "groupId": group_id, "redeploying": true})
    );
    // Twice is once.
    assert_eq!(
        http.post(&path, &json!({})).await.expect(200)["redeploying"],
        false
    );
    let before = &own["currentDeploymentId"];
    let own = platform
        .becomes(&own["id"], |now| now["currentDeploymentId"] != *before)
        .await;
    // The service's own environment wins over a group's.
    let said = platform.visit(&own).await;
    assert_eq!(
        said["env"],
        json!(["API_KEY=secret123", "NODE_ENV=production"])
    );
}

#[tokio::test]
async fn without_an_engine_what_needs_one_is_refused() {
    let server = Server::start();
    let http = server.http().bearer(&server.organization("Acme").key);
    let words = "No container engine: start Docker, Podman or Kubernetes and set APEX_RUNTIME";
    let answer = http.post("/api/deploy", &example()).await;
    failed(&answer, 503, "RUNTIME_UNAVAILABLE", words);
    let database = json!({"name": "my-postgres", "type": "postgres", "size": "small"});
    let answer = http.post("/api/databases", &database).await;
    failed(&answer, 503, "RUNTIME_UNAVAILABLE", words);
    assert_eq!(http.get("/api/services").await.text, "[]");
    assert_eq!(http.get("/api/databases").await.text, "[]");
    // What is wrong is told before what is missing.
    let wrong = json!({"name": "My Service", "image": "nginx:alpine"});
    assert_eq!(http.post("/api/deploy", &wrong).await.status, 400);
    for path in ["redeploy", "pause", "rollback"] {
        let path = format!("/api/services/{}/{path}", uuid::Uuid::nil());
        let answer = http.post(&path, &json!({"pause": true})).await;
        assert!(
            [400, 404].contains(&answer.status),
            "{path}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn a_hundred_requests_a_minute_are_taken() {
    let server = Server::start();
    let http = server.http().bearer(&server.organization("Acme").key);
    // The minute may turn once while they are sent.
    let mut refused = None;
    for _ in 0..202 {
        let answer = http.get("/api/services").await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        assert_eq!(answer.status, 200);
    }
    let refused = refused.expect("a refusal");
    let wait = refused.header("retry-after").unwrap();
    let seconds: u64 = wait.parse().unwrap();
    assert!((1..=60).contains(&seconds), "{wait}");
    let words = format!("Rate limit exceeded. Retry after {wait} seconds.");
    failed(&refused, 429, "RATE_LIMITED", &words);
    // By address: another key from there is refused as well.
    let other = server.http().bearer(&server.organization("Other").key);
    assert_eq!(other.get("/api/teams").await.status, 429);
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let server = Server::start();
    let own = server.organization("Acme");
    let stranger = server.http();
    let answer = stranger.get("/api/services").await;
    failed(&answer, 401, "UNAUTHORIZED", "Authentication is required");
    let wrong = stranger.bearer("apx_nonsense");
    failed(
        &wrong.get("/api/services").await,
        401,
        "UNAUTHORIZED",
        "Invalid API key",
    );
    let reader = server.key(&own, "paas.read");
    let reader = stranger.bearer(reader["key"].as_str().unwrap());
    assert_eq!(reader.get("/api/services").await.text, "[]");
    let answer = reader.post("/api/deploy", &example()).await;
    failed(
        &answer,
        403,
        "FORBIDDEN",
        "The API key lacks the scope paas.write",
    );
    let path = format!("/api/services/{}", uuid::Uuid::nil());
    let http: Http = stranger.bearer(&own.key);
    failed(
        &http.get(&path).await,
        404,
        "NOT_FOUND",
        "Service not found",
    );
}
