//! Sessions: what begins one, what ends one, and that an ended one stays ended.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use apex::api::apex::account::v1 as pb;
use pb::session_service_client::SessionServiceClient;
use serde_json::json;
use tonic::Code;
use tonic::service::interceptor::InterceptedService;

use super::{cookie, refused, session, sign_in, until, with_session};
use crate::support::grpc::Metadata;
use crate::support::server::PASSWORD;
use crate::support::{Server, grpc};

const OVER: &str = "The session is over; sign in again";
const NEW: &str = "a new password";

/// The session a token names.
fn session_id(cookie: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = cookie.split('.').nth(1).unwrap();
    let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    claims["sid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_is_never_taken_over() {
    let server = Server::start();
    let ada = server.organization("Ada").email;
    let eve = server.organization("Eve").email;
    let planted = cookie(&sign_in(&server.http(), &eve, PASSWORD).await);
    // Whatever cookie a browser was made to bring, signing in begins anew.
    let mut seen = vec![session_id(&planted)];
    for brought in [planted.as_str(), "apex_session=chosen", "apex_session="] {
        let http = server.http().with("cookie", brought);
        let answer = sign_in(&http, &ada, PASSWORD).await;
        assert_eq!(answer.json()["user"]["email"], ada);
        let own = cookie(&answer);
        assert!(!seen.contains(&session_id(&own)), "a session of its own");
        seen.push(session_id(&own));
    }
    let me = server.http().with("cookie", &planted).get("/api/me").await;
    assert_eq!(me.expect(200)["user"]["email"], eve);
    let chosen = server.http().with("cookie", "apex_session=chosen");
    refused(&chosen.get("/api/me").await, 401, "UNAUTHORIZED", OVER);
}

#[tokio::test]
async fn signing_out_ends_one_session() {
    let server = Server::start();
    let email = server.organization("Ada").email;
    let here = sign_in(&server.http(), &email, PASSWORD).await;
    let there = session(&server, &email).await;
    let token = cookie(&here)["apex_session=".len()..].to_owned();
    let here = with_session(&server, &here);
    let bearer = server.http().bearer(&token);
    assert_eq!(bearer.get("/api/me").await.status, 200);
    here.post("/api/auth/sign-out", &json!({}))
        .await
        .expect(200);
    // A copy of the token is worth nothing, however it comes.
    refused(&here.get("/api/me").await, 401, "UNAUTHORIZED", OVER);
    refused(&bearer.get("/api/me").await, 401, "UNAUTHORIZED", OVER);
    let again = here.post("/api/auth/sign-out", &json!({})).await;
    refused(&again, 401, "UNAUTHORIZED", OVER);
    assert_eq!(there.get("/api/me").await.status, 200);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let server = Server::start();
    let organization = server.organization("Ada");
    let email = &organization.email;
    let here = session(&server, email).await;
    let there = session(&server, email).await;
    let change = async |current: &str, new: &str| {
        let body = json!({"current": current, "new": new});
        here.post("/api/auth/password", &body).await
    };
    let wrong = change("not the password", NEW).await;
    let message = "The current password is wrong";
    refused(&wrong, 400, "VALIDATION_ERROR", message);
    let short = change(PASSWORD, "short").await;
    // The member is named as it is called here.
    let message = "new must have 8 to 1024 bytes";
    refused(&short, 400, "VALIDATION_ERROR", message);
    assert_eq!(there.get("/api/me").await.status, 200);

    let changed = change(PASSWORD, NEW).await;
    // The caller goes on with the cookie that came with the answer.
    let own = with_session(&server, &changed);
    assert_eq!(own.get("/api/me").await.status, 200);
    for old in [&here, &there] {
        refused(&old.get("/api/me").await, 401, "UNAUTHORIZED", OVER);
    }
    assert_eq!(sign_in(&server.http(), email, PASSWORD).await.status, 401);
    let again = session_of(&server, email, NEW).await;
    assert_eq!(again.get("/api/me").await.status, 200);
    assert_eq!(own.get("/api/me").await.status, 200);
    // Keys are no sessions.
    let key = server.http().bearer(&organization.key);
    assert_eq!(key.get("/api/me").await.status, 200);
}

/// Sessions know when they began to the second, passwords change in between.
#[tokio::test]
async fn a_new_password_is_good_at_once() {
    let server = Server::start();
    let email = server.organization("Ada").email;
    let mut old = PASSWORD.to_owned();
    let mut http = session(&server, &email).await;
    for round in 0..4 {
        let new = format!("password {round}");
        let body = json!({"current": old, "new": new});
        http.post("/api/auth/password", &body).await.expect(200);
        http = session_of(&server, &email, &new).await;
        let me = http.get("/api/me").await;
        assert_eq!(me.status, 200, "round {round}: {}", me.text);
        old = new;
    }
}

async fn session_of(server: &Server, email: &str, password: &str) -> crate::support::Http {
    with_session(server, &sign_in(&server.http(), email, password).await)
}

#[tokio::test]
async fn the_operator_ends_sessions() {
    let server = Server::start();
    let organization = server.organization("Ada");
    let email = &organization.email;
    let http = session(&server, email).await;
    let mut command = server.command();
    command.args(["user", "set-password", email, "--password-stdin", "--json"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(NEW.as_bytes())
        .unwrap();
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(0));
    let printed = String::from_utf8(done.stdout).unwrap();
    assert_eq!(printed, format!("{}\n", json!({"email": email})));
    refused(&http.get("/api/me").await, 401, "UNAUTHORIZED", OVER);
    let http = session_of(&server, email, NEW).await;
    assert_eq!(http.get("/api/me").await.status, 200);

    // Shutting out ends sessions and stops keys, and looks like a wrong password.
    let key = server.http().bearer(&organization.key);
    let state = server.apex_json(&["user", "disable", email]);
    assert_eq!(state["disabled"], true);
    refused(&http.get("/api/me").await, 401, "UNAUTHORIZED", OVER);
    refused(
        &key.get("/api/me").await,
        401,
        "UNAUTHORIZED",
        "Invalid API key",
    );
    let answer = sign_in(&server.http(), email, NEW).await;
    let wrong = "The e-mail or the password is wrong";
    refused(&answer, 401, "UNAUTHORIZED", wrong);
    let state = server.apex_json(&["user", "enable", email]);
    assert_eq!(state["disabled"], false);
    assert_eq!(key.get("/api/me").await.status, 200);
    assert_eq!(sign_in(&server.http(), email, NEW).await.status, 200);
}

#[tokio::test]
async fn a_session_ends_by_itself_and_never_comes_back() {
    let server = Server::with(&[
        ("APEX_SESSIONS_LIFETIME", "1s"),
        ("APEX_LIMITS_ACCOUNT_WRITE_LIMIT", "10000"),
    ]);
    let organization = server.organization("Ada");
    let begun = sign_in(&server.http(), &organization.email, PASSWORD).await;
    let signed_out = with_session(&server, &begun);
    let other = session(&server, &organization.email).await;
    signed_out
        .post("/api/auth/sign-out", &json!({}))
        .await
        .expect(200);
    // Clocks may differ by some seconds, so a token is good a little longer than
    // it says. One that was signed out is not, whatever changes meanwhile.
    let key = server.http().bearer(&organization.key);
    let asked = async || {
        let name = json!({"name": "Ada"});
        let path = format!("/api/organizations/{}", organization.id);
        key.patch(&path, &name).await.expect(200);
        refused(&signed_out.get("/api/me").await, 401, "UNAUTHORIZED", OVER);
        other.get("/api/me").await
    };
    let over = until(401, Duration::from_secs(20), asked).await;
    refused(&over, 401, "UNAUTHORIZED", OVER);
}

#[tokio::test]
async fn over_grpc() {
    let server = Server::start();
    let organization = server.organization("Ada");
    let channel = grpc::channel(&server.url).await;
    let mut anyone = SessionServiceClient::new(channel.clone());
    let request = pb::SignInRequest {
        email: organization.email.clone(),
        password: PASSWORD.to_owned(),
    };
    let answer = anyone.sign_in(request).await.unwrap();
    let line = grpc::text(answer.metadata(), "set-cookie")
        .unwrap()
        .to_owned();
    assert!(line.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"));
    let answer = answer.into_inner();
    assert_eq!(answer.user.unwrap().email, organization.email);
    assert_eq!(answer.organizations[0].role(), pb::Role::Owner);

    let token = line.split(';').next().unwrap().to_owned();
    let metadata = Metadata(vec![("cookie", token.clone())]);
    let mut own = SessionServiceClient::new(InterceptedService::new(channel.clone(), metadata));
    let me = own.get_me(pb::GetMeRequest {}).await.unwrap().into_inner();
    assert_eq!(me.organization.unwrap().id, organization.id);
    assert_eq!(me.project.unwrap().id, organization.project);
    let answer = own.sign_out(pb::SignOutRequest {}).await.unwrap();
    let line = grpc::text(answer.metadata(), "set-cookie").unwrap();
    assert!(line.starts_with("apex_session=;"), "{line}");
    let status = own.get_me(pb::GetMeRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(status.message(), OVER);
    assert_eq!(grpc::reason(&status), "UNAUTHORIZED");

    let wrong = pb::SignInRequest {
        email: organization.email,
        password: "wrong".to_owned(),
    };
    let status = anyone.sign_in(wrong).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(status.message(), "The e-mail or the password is wrong");
}

/// A credential that was given is never passed over in favour of a cookie.
#[tokio::test]
async fn a_wrong_key_beside_a_right_cookie() {
    let server = Server::start();
    let organization = server.organization("Ada");
    let http = session(&server, &organization.email).await;
    let wrong = http.bearer("apex_key_nothing");
    refused(
        &wrong.get("/api/me").await,
        401,
        "UNAUTHORIZED",
        "Invalid API key",
    );
    let wrong = http.with("x-api-key", "nothing");
    refused(
        &wrong.get("/api/me").await,
        401,
        "UNAUTHORIZED",
        "Invalid API key",
    );
    let right = http.with("x-api-key", &organization.key);
    assert_eq!(right.get("/api/me").await.status, 200);
}
