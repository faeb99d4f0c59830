//! The project is named in the body of a public request.

use futures_util::FutureExt as _;
use reqwest::Method;
use sea_orm::ConnectionTrait as _;
use serde_json::json;

use super::{Running, start};
use crate::support::Answer;

/// A project with two public keys, one of them revoked.
async fn with_project(origins: &str) -> Running {
    let host = start().await;
    let shared = host.host.shared();
    let statements = format!(
        "INSERT INTO organization (id, name, slug, plan, created_at)
             VALUES (101, 'One', 'one', 'scale', 0);
         INSERT INTO project (number, id, organization_id, name, timezone, allowed_origins,
             consent_mode, created_at) VALUES (1, 'prj_1', 101, 'One', 'UTC', '{origins}', '', 0);
         INSERT INTO project_key (key, project, created_at) VALUES ('pk_live_one', 1, 0);
         INSERT INTO project_key (key, project, created_at, revoked_at)
             VALUES ('pk_live_old', 1, 0, 1);"
    );
    let written = shared.db.write(move |tx| {
        async move {
            tx.execute_unprepared(&statements).await?;
            Ok(())
        }
        .boxed()
    });
    written.await.unwrap();
    shared.directory.reload().await.unwrap();
    host
}

async fn track(host: &Running, origin: &str, key: &str) -> Answer {
    let page = host.http.with("content-type", "text/plain");
    let page = page.with("origin", origin).with("cookie", "apex_session=x");
    let body = json!({"projectKey": key, "url": "/"}).to_string();
    page.send(Method::POST, "/track", Some(body.into())).await
}

#[tokio::test]
async fn the_key_names_the_project() {
    let host = with_project("[]").await;
    let answer = track(&host, "https://shop.example", "pk_live_one").await;
    assert_eq!(answer.expect(200)["projectKey"], "pk_live_one");
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://shop.example")
    );
    Running::refused(
        &track(&host, "https://shop.example", "pk_live_two").await,
        "projectKey is not known",
    );
    let revoked = track(&host, "https://shop.example", "pk_live_old").await;
    assert_eq!(revoked.expect(403)["code"], "FORBIDDEN");
}

#[tokio::test]
async fn a_project_may_choose_its_origins() {
    let host = with_project(r#"["https://shop.example"]"#).await;
    let own = track(&host, "https://shop.example", "pk_live_one").await;
    assert_eq!(own.status, 200);
    for other in [
        "https://shop.example.evil.io",
        "null",
        "http://shop.example",
    ] {
        let answer = track(&host, other, "pk_live_one").await;
        assert_eq!(answer.expect(403)["code"], "ORIGIN_NOT_ALLOWED", "{other}");
    }
    // Who is no page names no origin.
    let server = host
        .send("POST", "/track", r#"{"projectKey":"pk_live_one"}"#)
        .await;
    assert_eq!(server.status, 200);
}
