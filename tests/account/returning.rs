//! Who comes back begins anew: neither the keys of a member who was removed nor
//! the sessions of a user who was shut out work again.

use serde_json::json;

use super::{cookie, key, member, refused, session, sign_in};
use crate::support::Server;
use crate::support::server::PASSWORD;

#[tokio::test]
async fn keys_of_a_member_who_went_stay_revoked() {
    let server = Server::start();
    let own = server.organization("Acme");
    let boss = session(&server, &own.email).await;
    let (admin, id) = member(&boss, &server, own.id, "admin").await;
    let (by_key, made) = key(&admin, &server, json!({"name": "k"})).await;
    // A key of the same user in another organization is none of this one's.
    let body = json!({"name": "Mine"});
    let mine = admin.post("/api/organizations", &body).await.expect(200);
    let elsewhere = admin.with("x-organization", &mine["id"].to_string());
    let (kept, _) = key(&elsewhere, &server, json!({"name": "kept"})).await;
    let members = format!("/api/organizations/{}/members", own.id);
    boss.delete(&format!("{members}/{id}")).await.expect(200);
    let email = format!("admin-{}@example.com", own.id);
    let body = json!({"email": email, "role": "admin"});
    boss.post(&members, &body).await.expect(200);
    let me = admin.with("x-organization", &own.id.to_string());
    assert_eq!(me.get("/api/me").await.status, 200);
    let answer = by_key.get("/api/me").await;
    refused(&answer, 401, "UNAUTHORIZED", "Invalid API key");
    let listed = boss.get("/api/api-keys").await;
    assert!(!listed.text.contains(made["id"].as_str().unwrap()));
    assert_eq!(kept.get("/api/me").await.status, 200);
}

#[tokio::test]
async fn sessions_of_a_user_who_was_shut_out_stay_over() {
    let server = Server::start();
    let own = server.organization("Acme");
    let begun = cookie(&sign_in(&server.http(), &own.email, PASSWORD).await);
    let before = server.http().with("cookie", &begun);
    assert_eq!(before.get("/api/me").await.status, 200);
    for command in ["disable", "enable"] {
        server.apex(&["user", command, &own.email]);
        let answer = before.get("/api/me").await;
        let over = "The session is over; sign in again";
        refused(&answer, 401, "UNAUTHORIZED", over);
    }
    let after = session(&server, &own.email).await;
    assert_eq!(after.get("/api/me").await.status, 200);
    // Keys were never their user's to lose: they wait until the user is back.
    let by_key = server.http().bearer(&own.key);
    assert_eq!(by_key.get("/api/me").await.status, 200);
}
