//! The first run: a one-time token makes the first organization, once.

use std::time::Duration;

use apex::api::METHODS;
use apex::api::apex::account::v1 as pb;
use apex::policy::Auth;
use pb::session_service_client::SessionServiceClient;
use reqwest::Method;
use serde_json::{Value, json};
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

use super::{refused, sign_in, until};
use crate::support::server::PASSWORD;
use crate::support::{Server, grpc};

/// The token a server printed when it was last started.
fn token(server: &Server) -> String {
    let log = server.log();
    let (_, rest) = log.rsplit_once("one-time token ").expect("a token");
    rest.split_whitespace().next().unwrap().to_owned()
}

fn body(token: &str, email: &str) -> Value {
    json!({
        "token": token, "organization": "Acme", "email": email, "password": PASSWORD,
        "name": "Ada",
    })
}

const GONE: &str = "There is no such path";

#[tokio::test]
async fn a_wrong_token_sets_nothing_up() {
    let server = Server::start();
    let http = server.http();
    let token = token(&server);
    assert!(token.len() >= 43, "256 bits: {token}");
    for wrong in ["x", &token[1..], &token.to_lowercase()] {
        let answer = http.post("/api/setup", &body(wrong, "a@example.com")).await;
        refused(&answer, 403, "FORBIDDEN", "The set-up token is wrong");
    }
    for (name, value, message) in [
        ("token", "", "token is required"),
        ("organization", "", "organization is required"),
        ("email", "nobody", "email is not valid"),
        ("password", "1234567", "password must have 8 to 1024 bytes"),
    ] {
        let mut wrong = body(&token, "a@example.com");
        wrong[name] = json!(value);
        let answer = http.post("/api/setup", &wrong).await;
        refused(&answer, 400, "VALIDATION_ERROR", message);
    }
    let mut alien = body(&token, "a@example.com");
    alien["tenantId"] = json!(1);
    let answer = http.post("/api/setup", &alien).await;
    refused(&answer, 400, "VALIDATION_ERROR", "tenantId is not known");
    // None of it used the token up.
    let answer = http
        .post("/api/setup", &body(&token, "a@example.com"))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let kept = server.kept_bytes();
    let found = kept.windows(token.len()).any(|w| w == token.as_bytes());
    assert!(!found, "only a hash of the token is kept");
}

#[tokio::test]
async fn of_many_at_once_one_wins() {
    let server = Server::start();
    let token = token(&server);
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..4 {
        let (http, token) = (server.http(), token.clone());
        let email = format!("ada{at}@example.com");
        tasks.spawn(async move {
            let answer = http.post("/api/setup", &body(&token, &email)).await;
            (email, answer)
        });
    }
    let mut winners = Vec::new();
    for (email, answer) in tasks.join_all().await {
        match answer.status {
            200 => winners.push(email),
            _ => refused(&answer, 404, "NOT_FOUND", GONE),
        }
    }
    let [winner] = winners.as_slice() else {
        panic!("one wins: {winners:?}");
    };
    let users = server.apex_json(&["user", "list"]);
    assert_eq!(users.as_array().unwrap().len(), 1, "{users}");
    assert_eq!(users[0]["email"], winner.as_str());
    let organizations = server.apex_json(&["organization", "list"]);
    assert_eq!(
        organizations,
        json!([{"id": 101, "name": "Acme", "plan": "scale"}])
    );
    assert_eq!(sign_in(&server.http(), winner, PASSWORD).await.status, 200);
}

// The client of gRPC must be able to close its connection while the server drains.
#[tokio::test(flavor = "multi_thread")]
async fn afterwards_there_is_no_such_path() {
    let mut server = Server::start();
    let first = token(&server);
    // A server that is started again prints another token; the old one is over.
    assert_eq!(server.terminate(), Some(0));
    server.run();
    let token = token(&server);
    assert_ne!(first, token);
    let http = server.http();
    let answer = http
        .post("/api/setup", &body(&first, "a@example.com"))
        .await;
    refused(&answer, 403, "FORBIDDEN", "The set-up token is wrong");
    let answer = http
        .post("/api/setup", &body(&token, "a@example.com"))
        .await;
    assert_eq!(answer.status, 200);
    for token in [token.as_str(), "x"] {
        let answer = http.post("/api/setup", &body(token, "b@example.com")).await;
        refused(&answer, 404, "NOT_FOUND", GONE);
    }
    // Nor for what would never have been taken, over any protocol.
    let json = http.with("content-type", "application/json");
    for body in ["", "{", "[]", "{}", r#"{"token": 1}"#, r#"{"tenantId": 1}"#] {
        let body = Some(body.as_bytes().to_vec());
        let answer = json.send(Method::POST, "/api/setup", body).await;
        refused(&answer, 404, "NOT_FOUND", GONE);
    }
    let text = http.with("content-type", "text/plain");
    let body = Some(b"token=x".to_vec());
    let answer = text.send(Method::POST, "/api/setup?x=y", body).await;
    refused(&answer, 404, "NOT_FOUND", GONE);
    let mut sessions = SessionServiceClient::new(grpc::channel(&server.url).await);
    let nothing = pb::CompleteSetupRequest::default();
    let status = sessions.complete_setup(nothing).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(grpc::reason(&status), "NOT_FOUND");
    let request = pb::CompleteSetupRequest {
        token,
        organization: "Acme".to_owned(),
        email: "b@example.com".to_owned(),
        password: PASSWORD.to_owned(),
        name: String::new(),
    };
    let status = sessions.complete_setup(request).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(grpc::reason(&status), "NOT_FOUND");
    // Nor does it offer another set-up when it is started once more.
    let tokens = server.log().matches("one-time token").count();
    assert_eq!(server.terminate(), Some(0));
    server.run();
    assert_eq!(server.log().matches("one-time token").count(), tokens);
}

#[tokio::test]
async fn the_command_line_ends_the_set_up_too() {
    let server = Server::start();
    let token = token(&server);
    server.organization("First");
    let http = server.http();
    let answer = http
        .post("/api/setup", &body(&token, "a@example.com"))
        .await;
    refused(&answer, 404, "NOT_FOUND", GONE);
}

/// Before the set-up, as after it, an unknown caller reaches nothing but what is
/// public; every method there is, over gRPC.
#[tokio::test]
async fn nothing_else_is_open_before_the_set_up() {
    let server = Server::start();
    let channel = grpc::channel(&server.url).await;
    let mut public = Vec::new();
    for spec in METHODS.iter() {
        if matches!(spec.auth, Auth::Public | Auth::ProjectKey) {
            if spec.service.product == "account" {
                public.push(spec.path.rsplit('/').next().unwrap());
            }
            continue;
        }
        let mut client = tonic::client::Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let path = http::uri::PathAndQuery::from_static(spec.path);
        let codec = ProstCodec::<(), ()>::default();
        let answer = client.unary(Request::new(()), path, codec).await;
        let expected = match spec.auth {
            Auth::Operator => Code::PermissionDenied,
            _ => Code::Unauthenticated,
        };
        let status = answer.expect_err(spec.path);
        assert_eq!(status.code(), expected, "{}", spec.path);
    }
    assert_eq!(public, ["CompleteSetup", "SignUp", "SignIn"]);
    // Whoever signs in or up needs an account, or a door that is open.
    let answer = sign_in(&server.http(), "a@example.com", PASSWORD).await;
    assert_eq!(answer.status, 401);
    let body = json!({"organization": "O", "email": "a@example.com", "password": PASSWORD});
    let answer = server.http().post("/api/auth/sign-up", &body).await;
    assert_eq!(answer.status, 403);
    // The server itself says that it is up.
    let ready = until(200, Duration::from_secs(5), async || {
        server.http().get("/readyz").await
    });
    ready.await;
}
