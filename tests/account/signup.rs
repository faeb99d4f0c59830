//! Signing up: only through an open door, and saying no more than it must.

use serde_json::{Value, json};

use super::{cookie, refused, sign_in, with_session};
use crate::support::Server;
use crate::support::server::PASSWORD;

fn body(email: &str, password: &str) -> Value {
    json!({"organization": "Acme", "name": "Ada", "email": email, "password": password})
}

#[tokio::test]
async fn a_closed_door_is_closed_to_everybody() {
    let server = Server::start();
    let known = server.organization("Known").email;
    for email in [known.as_str(), "unknown@example.com"] {
        let answer = server
            .http()
            .post("/api/auth/sign-up", &body(email, PASSWORD))
            .await;
        let message = "Sign-up is closed; ask an admin to add you";
        refused(&answer, 403, "FORBIDDEN", message);
        assert_eq!(answer.header("set-cookie"), None);
    }
    let users = server.apex_json(&["user", "list"]);
    assert_eq!(users.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_open_door() {
    let server = Server::with(&[("APEX_SIGNUP", "open")]);
    let http = server.http();
    let answer = http
        .post("/api/auth/sign-up", &body(" Ada@Example.com ", PASSWORD))
        .await;
    refused(&answer, 400, "VALIDATION_ERROR", "email is not valid");
    let answer = http
        .post("/api/auth/sign-up", &body("Ada@Example.com", PASSWORD))
        .await;
    let json = answer.expect(200);
    assert_eq!(json["user"]["email"], "ada@example.com");
    assert_eq!(json["user"]["name"], "Ada");
    let own = json!([{"id": 101, "name": "Acme", "plan": "scale", "role": "owner"}]);
    assert_eq!(json["organizations"], own);
    // Signed in at once, with a project to begin with.
    let own = with_session(&server, &answer);
    let me = own.get("/api/me").await.expect(200);
    assert_eq!(me["project"]["name"], "Default");
    // The same e-mail again makes nothing, whatever its case and password.
    for (email, password) in [
        ("ada@example.com", PASSWORD),
        ("ADA@EXAMPLE.COM", "another password"),
    ] {
        let again = http.post("/api/auth/sign-up", &body(email, password)).await;
        let message = "There is a user with this e-mail already";
        refused(&again, 409, "CONFLICT", message);
        assert_eq!(again.header("set-cookie"), None);
    }
    assert_eq!(
        sign_in(&http, "ada@example.com", PASSWORD).await.status,
        200
    );
    assert_eq!(
        sign_in(&http, "ada@example.com", "another password")
            .await
            .status,
        401
    );
    let organizations = server.apex_json(&["organization", "list"]);
    assert_eq!(organizations.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn of_many_with_one_e_mail_one_is_made() {
    let server = Server::with(&[("APEX_SIGNUP", "open")]);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let http = server.http();
        tasks.spawn(async move {
            http.post("/api/auth/sign-up", &body("ada@example.com", PASSWORD))
                .await
        });
    }
    let answers = tasks.join_all().await;
    let made: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .collect();
    assert_eq!(made.len(), 1);
    assert!(cookie(made[0]).starts_with("apex_session="));
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.expect(409)["code"], "CONFLICT");
    }
    let organizations = server.apex_json(&["organization", "list"]);
    assert_eq!(organizations.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn passwords_have_a_length() {
    let server = Server::with(&[("APEX_SIGNUP", "open")]);
    let http = server.http();
    let (shortest, longest) = ("12345678", "x".repeat(1024));
    for (email, password) in [("a@example.com", shortest), ("b@example.com", &longest)] {
        let answer = http.post("/api/auth/sign-up", &body(email, password)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(sign_in(&http, email, password).await.status, 200);
    }
    // Bytes count, not characters.
    for password in ["1234567", &"x".repeat(1025), &"ä".repeat(513)] {
        let answer = http
            .post("/api/auth/sign-up", &body("c@example.com", password))
            .await;
        let message = "password must have 8 to 1024 bytes";
        refused(&answer, 400, "VALIDATION_ERROR", message);
    }
}
