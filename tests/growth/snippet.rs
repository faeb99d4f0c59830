//! The script for pages, as it is served. What it does in a page is in
//! `tests/clients/snippet.rs`.

use std::io::Read as _;

use flate2::read::GzDecoder;
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Server};

/// What the script is told of its server and project.
fn settings(script: &str) -> &str {
    let (_, rest) = script.rsplit_once(")({").expect("settings");
    rest.split_once("})").expect("their end").0
}

async fn ask(server: &Server, query: &str) -> Answer {
    server.http().get(&format!("/api/apex-js{query}")).await
}

#[tokio::test]
async fn it_is_served_as_documented() {
    let server = Server::start();
    let key = server.organization("Acme").project_key;
    let answer = ask(&server, &format!("?key={key}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    for (name, value) in [
        ("content-type", "application/javascript; charset=utf-8"),
        ("cache-control", "public, max-age=300"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "cross-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
    let vary = format!("{vary:?}").to_lowercase();
    assert!(vary.contains("host"), "{vary}");
    let host = server.url.trim_start_matches("http:");
    let told = format!("\"base\":\"{host}\",\"key\":\"{key}\",\"consent\":false");
    assert_eq!(settings(&answer.text), told);

    // Who has it is not sent it again, until something of it changes.
    let tag = answer.header("etag").expect("a tag").to_owned();
    let path = format!("/api/apex-js?key={key}");
    let again = server.http().with("if-none-match", &tag).get(&path).await;
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    assert_eq!(again.header("etag"), Some(tag.as_str()));
    assert_eq!(again.header("cache-control"), Some("public, max-age=300"));
    let head = server.http().send(Method::HEAD, &path, None).await;
    assert_eq!(
        (head.status, head.header("etag")),
        (200, Some(tag.as_str()))
    );
    let other = server
        .http()
        .with("if-none-match", "\"x\"")
        .get(&path)
        .await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn it_is_small() {
    let server = Server::start();
    let key = server.organization("Acme").project_key;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (path, most) in [("/api/apex-js", 6 * 1024), ("/api/v1/sdk.js", 3 * 1024)] {
        let url = format!("{}{path}?key={key}", server.url);
        let zipped = client.get(url).header("accept-encoding", "gzip");
        let answer = zipped.send().await.unwrap();
        assert_eq!(answer.headers()["content-encoding"], "gzip", "{path}");
        let body = answer.bytes().await.unwrap();
        assert!(body.len() <= most, "{path} has {} bytes", body.len());
        let mut text = String::new();
        GzDecoder::new(body.as_ref())
            .read_to_string(&mut text)
            .unwrap();
        assert!(text.contains(&key), "{path}");
    }
}

/// A page must not break because its key was taken back, or misspelt.
#[tokio::test]
async fn without_a_known_key_it_does_nothing() {
    let server = Server::start();
    let organization = server.organization("Acme");
    let owner = server.http().bearer(&organization.key);
    let path = format!("/api/projects/{}/rotate-key", organization.project);
    let long = format!("?key={}", "x".repeat(3000));
    let revoked = format!("?key={}", organization.project_key);
    owner.post(&path, &json!({})).await.expect(200);
    for query in [
        "",
        "?key=",
        "?key=pk_live_nobody",
        &long,
        &revoked,
        "?key=%22%3E",
    ] {
        let answer = ask(&server, query).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("application/javascript; charset=utf-8"));
        assert!(!answer.text.contains("fetch"), "{query}: {}", answer.text);
        assert!(!answer.text.contains("pk_live"), "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn it_calls_the_server_by_the_name_it_was_asked_by() {
    let server = Server::with(&[
        (
            "APEX_HOSTS",
            "m.customer.example=growth,Api.Example.com=metrics",
        ),
        ("APEX_TRUSTED_PROXIES", "127.0.0.1"),
    ]);
    let key = server.organization("Acme").project_key;
    let base = async |host: &str, proto: &str| {
        let http = server.http().with("host", host);
        let http = http.with("x-forwarded-proto", proto);
        let answer = http.get(&format!("/api/apex-js?key={key}")).await;
        assert_eq!(answer.status, 200, "{host}: {}", answer.text);
        let (base, _) = settings(&answer.text).split_once(',').expect("members");
        (base.to_owned(), answer.text)
    };
    for (host, proto, told) in [
        ("m.customer.example", "http", "//m.customer.example"),
        (
            "M.CUSTOMER.example:8443",
            "https",
            "https://m.customer.example:8443",
        ),
        ("api.example.com", "https", "https://api.example.com"),
        ("localhost:3000", "http", "//localhost:3000"),
        ("[::1]:3000", "http", "//[::1]:3000"),
        // By any other name it finds its server where it came from.
        ("evil.example", "https", ""),
        ("m.customer.example.evil.example", "http", ""),
        ("user@m.customer.example", "http", "//m.customer.example"),
    ] {
        let (base, _) = base(host, proto).await;
        assert_eq!(base, format!("\"base\":\"{told}\""), "{host}");
    }
    for junk in [
        "</script>",
        "a\"};alert(1);({\"",
        "evil.example/\"x",
        "m.customer.example:1x",
    ] {
        let http = server.http().with("host", junk);
        let answer = http.get(&format!("/api/apex-js?key={key}")).await;
        assert!(!answer.text.contains(junk), "{junk}: {}", answer.text);
        assert!(!answer.text.contains("alert"), "{junk}");
    }
}

#[tokio::test]
async fn a_project_says_whether_consent_is_needed() {
    let server = Server::start();
    let organization = server.organization("Acme");
    let owner = server.http().bearer(&organization.key);
    let path = format!("/api/projects/{}", organization.project);
    let required = json!({"consentMode": "required"});
    owner.patch(&path, &required).await.expect(200);
    let answer = ask(&server, &format!("?key={}", organization.project_key)).await;
    assert!(settings(&answer.text).ends_with("\"consent\":true"));
}

#[tokio::test]
async fn scripts_have_a_limit_of_their_own() {
    let server = Server::with(&[
        ("APEX_LIMITS_SCRIPTS_LIMIT", "2"),
        ("APEX_LIMITS_SCRIPTS_WINDOW", "365d"),
    ]);
    for _ in 0..2 {
        assert_eq!(ask(&server, "").await.status, 200);
    }
    let refused = ask(&server, "").await;
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    server.http().get("/readyz").await.expect(200);
}

/// Other sites' pages may read it, and what they bring along counts for nothing.
#[tokio::test]
async fn any_page_may_load_it() {
    let server = Server::start();
    let key = server.organization("Acme").project_key;
    let page = server.http().with("origin", "https://shop.example.com");
    let page = page.with("cookie", "apex_session=x");
    let answer = page.get(&format!("/api/apex-js?key={key}&v=2")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let allowed = answer.header("access-control-allow-origin");
    assert_eq!(allowed, Some("https://shop.example.com"));
}
