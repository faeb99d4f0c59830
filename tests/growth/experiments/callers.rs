//! Who may call, how often, and what a request that is repeated does.

use serde_json::json;

use super::{PATH, Site, new};
use crate::support::Server;

#[tokio::test]
async fn who_may_not_is_told_so() {
    let site = Site::start();
    let stranger = site.server.http();
    let unknown =
        json!({"code": "UNAUTHORIZED", "status": 401, "error": "Authentication is required"});
    assert_eq!(stranger.get(PATH).await.expect(401), unknown);
    assert_eq!(
        stranger.post(PATH, &new(&json!({}))).await.expect(401),
        unknown
    );
    let wrong = stranger.with("x-api-key", "apex_key_wrong");
    assert_eq!(wrong.get(PATH).await.expect(401)["code"], "UNAUTHORIZED");
    let reader = site.server.key(&site.own, "growth.read");
    let reader = stranger.with("x-api-key", reader["key"].as_str().unwrap());
    assert_eq!(reader.get(PATH).await.expect(200), json!([]));
    let denied = reader.post(PATH, &new(&json!({}))).await.expect(403);
    assert_eq!(
        (&denied["code"], &denied["status"]),
        (&json!("FORBIDDEN"), &json!(403))
    );
    let lost = site
        .try_change("exp_0", json!({"name": "x"}))
        .await
        .expect(404);
    assert_eq!(
        lost,
        json!({"error": "Experiment not found", "code": "NOT_FOUND", "status": 404})
    );
    let no_id = site
        .http
        .patch(PATH, &json!({"name": "x"}))
        .await
        .expect(400);
    assert_eq!(no_id["error"], "id is required");
}

/// 200 reads and 100 writes a minute per project key, and pages have their own 200.
#[tokio::test]
async fn limits_are_those_of_the_project() {
    let server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "true")]);
    let own = server.organization("Acme");
    let key = server.apex_json(&[
        "key",
        "create",
        "--organization",
        &own.id.to_string(),
        "--name",
        "p",
        "--scopes",
        "growth.read,growth.write",
        "--project",
        &own.project,
    ]);
    let http = server.http().bearer(key["key"].as_str().unwrap());
    let active = format!("{PATH}/active?key={}", own.project_key);
    for (path, most) in [(PATH, 200), (active.as_str(), 200)] {
        let mut allowed = 0;
        let refused = loop {
            let answer = http.get(path).await;
            match answer.status {
                200 => allowed += 1,
                _ => break answer,
            }
            assert!(allowed <= 2 * most, "{path} has no limit");
        };
        // The minute may turn over once in between.
        assert!(allowed >= most, "{path}: {allowed}");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait));
        let body = refused.expect(429);
        assert_eq!(
            (&body["code"], &body["status"]),
            (&json!("RATE_LIMITED"), &json!(429))
        );
    }
    let mut written = 0;
    while http.patch(PATH, &json!({"id": "exp_0"})).await.status == 404 {
        written += 1;
        assert!(written <= 200);
    }
    assert!(written >= 100, "{written}");
}

#[tokio::test]
async fn a_repeated_request_makes_one_experiment() {
    let site = Site::start();
    let keyed = site.http.with("idempotency-key", "once");
    let first = keyed.post(PATH, &new(&json!({}))).await;
    let again = keyed.post(PATH, &new(&json!({}))).await;
    assert_eq!(first.expect(200), again.expect(200));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(
        site.http
            .get(PATH)
            .await
            .expect(200)
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
