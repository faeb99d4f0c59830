//! Tokens: made with a session, a password or another token, shown once, ended at once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::server::PASSWORD;
use crate::support::{Http, Server};

fn basic(server: &Server, email: &str, password: &str) -> Http {
    let pair = STANDARD.encode(format!("{email}:{password}"));
    server
        .http()
        .with("authorization", &format!("Basic {pair}"))
}

async fn make(http: &Http) -> Value {
    let made = http
        .send(reqwest::Method::POST, "/api/account/token", None)
        .await;
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let made = made.expect(200);
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("apx_") && token.len() == 47, "{token}");
    made
}

#[tokio::test]
async fn a_token_is_made_in_each_documented_way() {
    let server = Server::start();
    let own = server.organization("Acme");
    // The first one: with e-mail and password.
    let first = make(&basic(&server, &own.email, PASSWORD)).await;
    let http = server.http().bearer(first["token"].as_str().unwrap());
    assert_eq!(http.get("/api/services").await.text, "[]");
    // Another one: with the first, which stays.
    let second = make(&http).await;
    let other = server.http().bearer(second["token"].as_str().unwrap());
    assert_eq!(http.get("/api/teams").await.status, 200);
    assert_eq!(other.get("/api/teams").await.status, 200);
    // With any key of the organization, and with a session.
    make(&server.http().bearer(&own.key)).await;
    let body = json!({"email": own.email, "password": PASSWORD});
    let signed = server.http().post("/api/auth/sign-in", &body).await;
    let cookie = signed.header("set-cookie").unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let session = server
        .http()
        .with("cookie", cookie)
        .with("sec-fetch-site", "same-origin");
    make(&session).await;
    // A token is for this product alone.
    let refused = http.get("/api/projects").await.expect(403);
    assert_eq!(refused["error"], "The API key lacks the scope account.read");
    let listed = http.get("/api/account/tokens").await;
    assert_eq!(listed.json().as_array().unwrap().len(), 4);
    for made in [&first, &second] {
        let token = made["token"].as_str().unwrap();
        assert!(!listed.text.contains(token), "it is shown once");
        assert!(listed.text.contains(&token[..8]), "how it begins is shown");
    }
    // Ended, it is worth nothing.
    let path = format!("/api/account/tokens/{}", second["id"].as_str().unwrap());
    assert_eq!(
        http.delete(&path).await.expect(200),
        json!({"success": true})
    );
    assert_eq!(other.get("/api/teams").await.status, 401);
    assert_eq!(
        http.delete(&path).await.expect(404)["error"],
        "Token not found"
    );
    let kept = server.kept_bytes();
    let kept = String::from_utf8_lossy(&kept);
    assert!(!kept.contains(first["token"].as_str().unwrap()));
}

#[tokio::test]
async fn nobody_else_is_given_one() {
    let server = Server::start();
    let own = server.organization("Acme");
    let other = server.organization("Other");
    let path = "/api/account/token";
    let post = |http: Http| async move { http.send(reqwest::Method::POST, path, None).await };
    let words = json!({
        "error": "The e-mail or the password is wrong", "code": "UNAUTHORIZED", "status": 401,
    });
    for (email, password) in [
        (own.email.as_str(), "wrong password"),
        ("nobody@example.com", PASSWORD),
        ("", ""),
    ] {
        let answer = post(basic(&server, email, password)).await;
        assert_eq!(answer.expect(401), words, "{email}");
    }
    for header in ["Basic", "Basic !!!", "Basic bm9jb2xvbg=="] {
        let answer = post(server.http().with("authorization", header)).await;
        assert_eq!(answer.status, 401, "{header}");
    }
    assert_eq!(post(server.http()).await.status, 401);
    // A key gives no more than it has.
    let reader = server.key(&own, "paas.read");
    let reader = server.http().bearer(reader["key"].as_str().unwrap());
    assert_eq!(post(reader).await.status, 403);
    let other_product = server.key(&own, "metrics.write");
    let other_product = server.http().bearer(other_product["key"].as_str().unwrap());
    assert_eq!(post(other_product).await.status, 403);
    // Others' tokens are not there.
    let made = make(&server.http().bearer(&own.key)).await;
    let stranger = server.http().bearer(&other.key);
    let path = format!("/api/account/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(stranger.delete(&path).await.status, 404);
    assert_eq!(stranger.get("/api/account/tokens").await.text, "[]");
    // Who only reads is given none.
    let viewer = json!({"email": "v@example.com", "role": "viewer", "password": PASSWORD});
    let http = server.http().bearer(&own.key);
    let members = format!("/api/organizations/{}/members", own.id);
    http.post(&members, &viewer).await.expect(200);
    let answer = post(basic(&server, "v@example.com", PASSWORD)).await;
    assert_eq!(answer.expect(403)["error"], "Your role does not allow this");
}

#[tokio::test]
async fn tries_on_one_account_are_limited() {
    let server = Server::start();
    let own = server.organization("Acme");
    let wrong = basic(&server, &own.email, "wrong password");
    let mut last = 0;
    for _ in 0..25 {
        let path = "/api/account/token";
        last = wrong.send(reqwest::Method::POST, path, None).await.status;
        if last == 429 {
            break;
        }
    }
    assert_eq!(last, 429);
}
