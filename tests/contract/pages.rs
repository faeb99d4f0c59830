//! Paths at the edge of the API: pages about the server itself, and paths there are
//! none of, which say where to look.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Server;
use crate::support::server::PASSWORD;

fn not_found(message: &str) -> Value {
    json!({"error": message, "code": "NOT_FOUND", "status": 404})
}

#[tokio::test]
async fn unknown_paths_answer_in_the_form_of_their_owner() {
    let server = Server::with(&[("APEX_HOSTS", "metrics.example=metrics")]);
    let http = server.http();
    // People begin here.
    let here = not_found("There is no such path; the API reference is at /docs");
    assert_eq!(http.get("/").await.expect(404), here);
    // The CRM is at the root.
    for path in [
        "/nothing",
        "/contact",
        "/Contacts",
        "/apex",
        "/contacts/1/2",
    ] {
        let none = json!({"name": "NotFound", "message": "Page not found", "code": 404,
            "className": "not-found", "data": {"url": path}});
        for http in [&http, &http.with("x-api-key", "x")] {
            assert_eq!(http.get(path).await.expect(404), none);
            assert_eq!(http.post(path, &json!({})).await.expect(404), none);
        }
    }
    for path in ["/api/nothing", "/docs/nothing"] {
        let own = http.get(path).await.expect(404);
        assert_eq!(own, not_found("There is no such path"), "{path}");
    }
    let nested = json!({"error": {"code": "NOT_FOUND", "message": "There is no such path"}});
    assert_eq!(http.get("/api/v1/nothing").await.expect(404), nested);
    let host = http.with("host", "metrics.example");
    assert_eq!(host.get("/nothing").await.expect(404), nested);
}

#[tokio::test]
async fn a_slash_too_many_is_named() {
    let server = Server::start();
    let told = "There is no such path; there is one without the slash at its end";
    for path in ["/docs/", "/healthz/", "/api/projects/"] {
        let answer = server.http().get(path).await;
        assert_eq!(answer.expect(404), not_found(told), "{path}");
    }
    let events = server.http().get("/api/v1/events/").await.expect(404);
    assert_eq!(events["error"]["message"], told);
}

#[tokio::test]
async fn the_head_of_a_page_is_that_of_its_get() {
    let server = Server::start();
    let zipped = server.http().with("accept-encoding", "gzip");
    for path in ["/docs", "/openapi.json"] {
        let vary = async |method: Method| {
            let answer = zipped.send(method, path, None).await;
            assert_eq!(answer.status, 200);
            let all = answer.headers.get_all("vary").iter();
            let mut all: Vec<_> = all.map(|v| v.to_str().unwrap().to_lowercase()).collect();
            all.sort();
            all
        };
        let got = vary(Method::GET).await;
        assert!(got.contains(&"accept-encoding".to_owned()), "{got:?}");
        assert_eq!(vary(Method::HEAD).await, got, "{path}");
    }
}

/// What shows a secret once must not lie in a cache.
#[tokio::test]
async fn secrets_are_not_stored_on_the_way() {
    let server = Server::start();
    let organization = server.organization("Acme");
    let owner = server.http().bearer(&organization.key);
    let user = json!({"email": organization.email, "password": PASSWORD});
    let members = format!("/api/organizations/{}/members", organization.id);
    for answer in [
        server.http().post("/api/auth/sign-in", &user).await,
        owner.post("/api/api-keys", &json!({"name": "k"})).await,
        owner
            .post(&members, &json!({"email": "new@example.com"}))
            .await,
    ] {
        answer.expect(200);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

/// Who asks whether the server lives adds parameters against caches.
#[tokio::test]
async fn pages_pass_over_unknown_parameters() {
    let server = Server::start();
    let http = server.http();
    for path in [
        "/healthz",
        "/livez",
        "/readyz",
        "/metrics",
        "/docs",
        "/openapi.json",
    ] {
        for query in ["t=1", "a=1&a=2", "%zz", "project=prj_x", "="] {
            let answer = http.get(&format!("{path}?{query}")).await;
            assert_eq!(answer.status, 200, "{path}?{query}: {}", answer.text);
        }
    }
    // Elsewhere a parameter that is misspelt is told.
    let key = server.organization("Acme").key;
    let answer = http.bearer(&key).get("/api/api-keys?limti=1").await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}
