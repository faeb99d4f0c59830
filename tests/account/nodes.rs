//! Several servers on one PostgreSQL database: what one is told holds on the
//! other within five seconds. SQLite has one process and one process only.

use std::time::Duration;

use serde_json::json;

use super::{key, member, sign_in, until, with_session};
use crate::support::database::is_postgres;
use crate::support::server::PASSWORD;
use crate::support::{Http, Server};

const PROMISED: Duration = Duration::from_secs(5);

#[tokio::test]
async fn what_one_is_told_holds_on_the_other() {
    if !is_postgres() {
        return;
    }
    let here = Server::start();
    let there = here.beside();
    let own = here.organization("Acme");
    // What was made here is known there.
    let key_there = there.http().bearer(&own.key);
    until(200, PROMISED, async || key_there.get("/api/me").await).await;
    let begun = sign_in(&there.http(), &own.email, PASSWORD).await;
    let owner = with_session(&here, &begun);
    let owner_there = with_session(&there, &begun);
    let over = async |http: &Http| {
        until(401, PROMISED, async || http.get("/api/me").await).await;
    };

    let (_, made) = key(&owner, &here, json!({"name": "k"})).await;
    let revoked = there.http().bearer(made["key"].as_str().unwrap());
    until(200, PROMISED, async || revoked.get("/api/me").await).await;
    let path = format!("/api/api-keys/{}", made["id"].as_str().unwrap());
    owner.delete(&path).await.expect(200);
    over(&revoked).await;

    // A member who is made a viewer, then removed.
    let (_, id) = member(&owner, &here, own.id, "admin").await;
    let email = format!("admin-{}@example.com", own.id);
    let admin = with_session(&there, &sign_in(&there.http(), &email, PASSWORD).await);
    let path = format!("/api/organizations/{}/members/{id}", own.id);
    until(200, PROMISED, async || admin.get("/api/projects").await).await;
    owner
        .patch(&path, &json!({"role": "viewer"}))
        .await
        .expect(200);
    let adds = json!({"name": "x"});
    until(403, PROMISED, async || {
        admin.post("/api/projects", &adds).await
    })
    .await;
    owner.delete(&path).await.expect(200);
    until(400, PROMISED, async || admin.get("/api/projects").await).await;

    // Signing out, a new password, and being shut out.
    let second = sign_in(&here.http(), &own.email, PASSWORD).await;
    let second_there = with_session(&there, &second);
    assert_eq!(second_there.get("/api/me").await.status, 200);
    let second = with_session(&here, &second);
    second
        .post("/api/auth/sign-out", &json!({}))
        .await
        .expect(200);
    over(&second_there).await;
    assert_eq!(owner_there.get("/api/me").await.status, 200);
    let body = json!({"current": PASSWORD, "new": "a new password"});
    let changed = owner.post("/api/auth/password", &body).await;
    over(&owner_there).await;
    let owner_there = with_session(&there, &changed);
    assert_eq!(owner_there.get("/api/me").await.status, 200);
    here.apex(&["user", "disable", &own.email]);
    over(&owner_there).await;
    over(&key_there).await;
}

#[tokio::test]
async fn one_node_is_set_up_at_a_time() {
    const REPLACES: &str = "it replaces the one printed before";
    if !is_postgres() {
        return;
    }
    let here = Server::start();
    let there = here.beside();
    // Whoever reads the second line knows that the first token is over.
    assert!(here.log().contains("one-time token "), "{}", here.log());
    assert!(!here.log().contains(REPLACES), "{}", here.log());
    assert!(there.log().contains(REPLACES), "{}", there.log());
}
