//! Coming to another organization: neither the organization that made a user nor
//! the order of organizations gives anybody a way into one that takes the user in.

use serde_json::{Value, json};

use super::{refused, session, sign_in, with_session};
use crate::support::server::PASSWORD;
use crate::support::{Http, Server};

const NOT_CHANGED: &str = "Another organization chose this user's password: the user must first \
                           sign in and change it";

fn members(organization: i64) -> String {
    format!("/api/organizations/{organization}/members")
}

async fn sign_up(server: &Server, name: &str) -> (Http, i64) {
    let email = format!("{name}@example.com");
    let body = json!({"organization": name, "name": name, "email": email, "password": PASSWORD});
    let answer = server.http().post("/api/auth/sign-up", &body).await;
    let id = answer.expect(200)["organizations"][0]["id"].as_i64();
    (with_session(server, &answer), id.unwrap())
}

fn victim(password: Option<&str>) -> Value {
    json!({"email": "victim@example.com", "role": "admin", "password": password})
}

#[tokio::test]
async fn a_password_another_organization_chose_opens_nothing() {
    let server = Server::with(&[("APEX_SIGNUP", "open")]);
    let (evil, theirs) = sign_up(&server, "evil").await;
    let (corp, ours) = sign_up(&server, "corp").await;
    // Whether the password was named or generated, the other organization saw it.
    let body = victim(Some("a password evil knows"));
    let made = evil.post(&members(theirs), &body).await.expect(200);
    let generated = json!({"email": "second@example.com"});
    evil.post(&members(theirs), &generated).await.expect(200);
    for body in [victim(None), generated] {
        let answer = corp.post(&members(ours), &body).await;
        refused(&answer, 409, "PASSWORD_NOT_CHANGED", NOT_CHANGED);
    }
    let listed = corp.get(&members(ours)).await.expect(200);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    // Nor does the operator give such a user an organization by mistake.
    let create = ["organization", "create", "--name", "New"];
    let refusal = server.try_apex(&[&create[..], &["--email", "victim@example.com"]].concat());
    assert_eq!(refusal.status.code(), Some(1));
    let told = String::from_utf8(refusal.stderr).unwrap();
    assert!(told.contains(NOT_CHANGED), "{told}");
    // The organization itself takes its user back as it likes.
    let one = format!("{}/{}", members(theirs), made["userId"]);
    evil.delete(&one).await.expect(200);
    evil.post(&members(theirs), &victim(None)).await.expect(200);
    // The operator sets a password that only its owner is told.
    let set = server.apex_json(&["user", "set-password", "victim@example.com"]);
    let added = corp.post(&members(ours), &victim(None)).await.expect(200);
    assert_eq!(added["userId"], made["userId"]);
    assert_eq!(added["password"], Value::Null);
    let answer = sign_in(
        &server.http(),
        "victim@example.com",
        "a password evil knows",
    )
    .await;
    assert_eq!(answer.status, 401);
    let password = set["password"].as_str().unwrap();
    let answer = sign_in(&server.http(), "victim@example.com", password).await;
    let own = with_session(&server, &answer);
    let me = own.get("/api/me").await.expect(200);
    assert_eq!(me["organizations"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_password_of_ones_own_does() {
    let server = Server::start();
    let (first, second) = (server.organization("First"), server.organization("Second"));
    let (a, b) = (
        session(&server, &first.email).await,
        session(&server, &second.email).await,
    );
    let body = victim(Some("chosen by the first"));
    a.post(&members(first.id), &body).await.expect(200);
    let answer = b.post(&members(second.id), &victim(None)).await;
    refused(&answer, 409, "PASSWORD_NOT_CHANGED", NOT_CHANGED);
    let answer = sign_in(&server.http(), "victim@example.com", "chosen by the first").await;
    let own = with_session(&server, &answer);
    let body = json!({"current": "chosen by the first", "new": PASSWORD});
    own.post("/api/auth/password", &body).await.expect(200);
    b.post(&members(second.id), &victim(None)).await.expect(200);
    // Whom the operator made has a password of the operator's, and may come.
    let add = ["user", "add", "--email", "op@example.com"];
    let id = first.id.to_string();
    server.apex_json(&[&add[..], &["--organization", &id]].concat());
    let body = json!({"email": "op@example.com"});
    b.post(&members(second.id), &body).await.expect(200);
}

#[tokio::test]
async fn being_added_elsewhere_moves_nobody() {
    let server = Server::start();
    let (older, newer) = (server.organization("Older"), server.organization("Newer"));
    let other = session(&server, &older.email).await;
    let own = session(&server, &newer.email).await;
    let before = own.get("/api/me").await.expect(200);
    assert_eq!(before["organization"]["id"], newer.id);
    let body = json!({"email": newer.email, "role": "viewer"});
    other.post(&members(older.id), &body).await.expect(200);
    let after = own.get("/api/me").await.expect(200);
    assert_eq!(after["organization"]["id"], newer.id);
    assert_eq!(after["project"], before["project"]);
    let ids = after["organizations"].as_array().unwrap().iter();
    let ids: Vec<_> = ids.map(|own| own["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [newer.id, older.id]);
    // What is named is found as ever.
    let named = own.with("x-organization", &older.id.to_string());
    let me = named.get("/api/me").await.expect(200);
    assert_eq!(me["organization"]["role"], "viewer");
}
