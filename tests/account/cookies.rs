//! The session cookie: its attributes, and when it is for encrypted connections
//! only.

use serde_json::json;

use super::{cookie, sign_in, with_session};
use crate::support::server::PASSWORD;
use crate::support::{Http, Server, skip};

/// The attributes of the cookie a sign-in sets.
async fn attributes(http: &Http, email: &str) -> String {
    let answer = sign_in(http, email, PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    attributes_of(answer.header("set-cookie").unwrap())
}

fn attributes_of(line: &str) -> String {
    let (pair, attributes) = line.split_once("; ").unwrap();
    let token = pair.strip_prefix("apex_session=").unwrap();
    assert_eq!(token.split('.').count(), 3, "a signed JWT: {token}");
    attributes.to_owned()
}

const PLAIN: &str = "Path=/; Max-Age=604800; HttpOnly; SameSite=Lax";
const SECURE: &str = "Path=/; Max-Age=604800; HttpOnly; SameSite=Lax; Secure";

#[tokio::test]
async fn over_plain_http() {
    let server = Server::with(&[("APEX_SIGNUP", "open")]);
    let email = server.organization("Acme").email;
    assert_eq!(attributes(&server.http(), &email).await, PLAIN);
    // Nobody is a trusted proxy unless the operator says so.
    let https = server.http().with("x-forwarded-proto", "https");
    assert_eq!(attributes(&https, &email).await, PLAIN);
    let body = json!({"organization": "O", "email": "o@example.com", "password": PASSWORD});
    let answer = server.http().post("/api/auth/sign-up", &body).await;
    assert_eq!(attributes_of(answer.header("set-cookie").unwrap()), PLAIN);
    let http = with_session(&server, &answer);
    let body = json!({"current": PASSWORD, "new": "another password"});
    let answer = http.post("/api/auth/password", &body).await;
    assert_eq!(attributes_of(answer.header("set-cookie").unwrap()), PLAIN);
    let http = with_session(&server, &answer);
    let answer = http.post("/api/auth/sign-out", &json!({})).await;
    assert_eq!(
        answer.header("set-cookie"),
        Some("apex_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")
    );
}

#[tokio::test]
async fn behind_a_trusted_proxy() {
    let server = Server::with(&[("APEX_TRUSTED_PROXIES", "10.0.0.0/8,127.0.0.0/8")]);
    let email = server.organization("Acme").email;
    for (proto, expected) in [
        ("https", SECURE),
        ("HTTPS", SECURE),
        // Each proxy adds to the right; what stands left of it was the client's.
        ("http, https", SECURE),
        ("https, http", PLAIN),
        ("http", PLAIN),
        ("", PLAIN),
    ] {
        let http = server.http().with("x-forwarded-proto", proto);
        assert_eq!(attributes(&http, &email).await, expected, "{proto}");
    }
    let https = server.http().with("x-forwarded-proto", "https");
    let begun = sign_in(&https, &email, PASSWORD).await;
    let answer = https
        .with("cookie", &cookie(&begun))
        .post("/api/auth/sign-out", &json!({}))
        .await;
    assert_eq!(
        answer.header("set-cookie"),
        Some("apex_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure")
    );
}

#[tokio::test]
async fn as_long_as_the_session() {
    let server = Server::with(&[("APEX_SESSIONS_LIFETIME", "1h")]);
    let email = server.organization("Acme").email;
    assert_eq!(
        attributes(&server.http(), &email).await,
        "Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"
    );
}

#[test]
fn over_tls() {
    let test = "account::cookies::over_tls";
    for program in ["openssl", "curl"] {
        if skip::program(program).is_none() {
            return skip::skip(test, &format!("{program} is not installed"));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key) = (file("cert.pem"), file("key.pem"));
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
        .args(["ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=apex test", "-keyout", &key, "-out", &cert])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let server = Server::with(&[("APEX_TLS_CERT", &cert), ("APEX_TLS_KEY", &key)]);
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let email = server.organization("Acme").email;
    let body = json!({"email": email, "password": PASSWORD}).to_string();
    // Nor does a client's own word make a connection less encrypted than it is.
    let done = std::process::Command::new("curl")
        .args(["--silent", "--show-error", "--include", "--noproxy", "*"])
        .args(["--cacert", &cert, "--header", "x-forwarded-proto: http"])
        .args([
            "--header",
            "content-type: application/json",
            "--data",
            &body,
        ])
        .arg(format!("{}/api/auth/sign-in", server.url))
        .output()
        .unwrap();
    let answer = String::from_utf8_lossy(&done.stdout).into_owned();
    let line = answer
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "));
    let line = line.unwrap_or_else(|| panic!("{answer}{done:?}"));
    assert_eq!(attributes_of(line), SECURE);
}
