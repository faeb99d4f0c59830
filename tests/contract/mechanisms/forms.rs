//! Methods that share a route are told apart by circumstance.

use serde_json::json;

use super::{start, told};

#[tokio::test]
async fn circumstances_pick_the_method() {
    let host = start().await;
    let body = r#"{"name":"n"}"#;
    let owner = host.send("POST", "/shared", body).await;
    assert_eq!(owner.text, r#"{"name":"n","items":[]}"#);
    let by_member = host
        .send("POST", "/shared", r#"{"name":"n","items":["x"]}"#)
        .await;
    assert_eq!(by_member.text, r#"{"many":"n"}"#);
    // Only a member of the object itself counts.
    let nested = r#"{"name":"{\"items\":[]}"}"#;
    assert!(
        host.send("POST", "/shared", nested)
            .await
            .text
            .starts_with(r#"{"name"#)
    );
    let by_query = host.send("POST", "/shared?format=csv", body).await;
    assert_eq!(by_query.status, 400, "the parameter is the method's own");

    let json = host.http.with("content-type", "application/json");
    let send = |http: crate::support::Http| async move {
        let sent = http.send(
            reqwest::Method::POST,
            "/shared",
            Some(body.as_bytes().to_vec()),
        );
        sent.await.text
    };
    assert_eq!(send(json.with("x-service-method", "restore")).await, "{}");
    assert_eq!(
        send(json.with("accept", "text/csv")).await,
        r#"{"quiet":"n"}"#
    );
    assert_eq!(
        send(json.with("authorization", "Bearer x")).await,
        r#"{"known":"n"}"#
    );
    assert_eq!(send(json.with("x-api-key", "x")).await, r#"{"known":"n"}"#);
}

#[tokio::test]
async fn the_owner_answers_what_cannot_be_read() {
    let host = start().await;
    let answer = host.send("POST", "/shared", r#"{"items":"#).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["code"], "VALIDATION_ERROR");
    // The method that was picked answers in its own dialect.
    let known = host
        .http
        .with("authorization", "Bearer x")
        .with("content-type", "application/json");
    let body = Some(br#"{"nam":1}"#.to_vec());
    let answer = known.send(reqwest::Method::POST, "/shared", body).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["code"], "bad_request");
    assert_eq!(answer.json()["metadata"], serde_json::json!({}));
}

#[tokio::test]
async fn a_body_that_no_form_looks_at_is_not_lost() {
    let host = start().await;
    let body = r#"{"name":"n"}"#;
    let owner = host.send("POST", "/pair", body).await;
    assert_eq!(told(&owner), json!({"name": "n"}));
    let csv = host.http.with("accept", "text/csv;q=0.5, */*;q=0.1");
    let json = csv.with("content-type", "application/json");
    let sent = |http: crate::support::Http| async move {
        let body = Some(body.as_bytes().to_vec());
        http.send(reqwest::Method::POST, "/pair", body).await.text
    };
    assert_eq!(sent(json).await, r#"{"quiet":"n"}"#);
    // What only looks like the type, and what is not wanted, is not it.
    for other in ["text/csvish", "text/csv;q=0, */*", "*/*"] {
        let http = host.http.with("accept", other);
        assert_eq!(sent(http).await, r#"{"name":"n","items":[]}"#, "{other}");
    }
}
