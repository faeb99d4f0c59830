//! Pages of other sites, which a browser lets send the user's cookie along. They
//! must change nothing, whatever protocol they pretend to speak; who brings a
//! credential on purpose is not held up.

use apex::error::Kind;
use apex::policy::Dialect;
use reqwest::Method;
use serde_json::json;

use super::catalogue::{find, served, takes_keys, takes_sessions, writes};
use super::wire::{Caller, Way, ways};
use super::world::World;
use crate::support::Http;

/// What the browser says of a page of another site. `HOST` is the server's own.
const PAGES: [&[(&str, &str)]; 12] = [
    &[("origin", "https://evil.example")],
    &[("origin", "null")],
    &[("origin", "")],
    &[("origin", "http://HOST.evil.io")],
    &[("origin", "http://evil.io/HOST")],
    &[("origin", "http://HOST@evil.io")],
    &[("origin", "HOST")],
    &[("origin", "http://127.0.0.1:1")],
    &[("sec-fetch-site", "cross-site")],
    &[("sec-fetch-site", "same-site")],
    &[("sec-fetch-site", "made-up")],
    &[("sec-fetch-site", "cross-site"), ("origin", "http://HOST")],
];

/// What is no credential, though it stands where one could.
const NO_CREDENTIALS: [&str; 4] = ["Basic dXNlcjpwYXNz", "Bearer", "Negotiate YII=", "x"];

fn headers(world: &World, page: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let host = world.server.url.strip_prefix("http://").unwrap();
    let own = |(name, value): &(&'static str, &str)| (*name, value.replace("HOST", host));
    page.iter().map(own).collect()
}

fn from(caller: &Caller, headers: &[(&'static str, String)]) -> Caller {
    let add = |caller: Caller, (name, value): &(&'static str, String)| caller.with(name, value);
    headers.iter().fold(caller.clone(), add)
}

#[tokio::test]
async fn other_sites_change_nothing() {
    let world = World::start().await;
    let before = world.owner.snapshot().await;
    for (number, page) in PAGES.iter().enumerate() {
        let page = headers(&world, page);
        let caller = from(&world.owner.session, &page);
        let mut callers = vec![caller.clone()];
        if number == 0 {
            callers.extend(NO_CREDENTIALS.map(|text| caller.with("authorization", text)));
        }
        for spec in served().filter(|spec| takes_sessions(spec)) {
            for way in ways(spec).into_iter().filter(|way| !way.is_safe()) {
                for caller in &callers {
                    let outcome = caller.call(spec, way, &json!({})).await;
                    let what = format!("{} from {page:?}", spec.path);
                    assert!(outcome.failed(Kind::PermissionDenied), "{what}: {outcome}");
                    // One of the shapes has no place for it.
                    if !(spec.dialect == Dialect::Feathers && matches!(way, Way::Rest(_))) {
                        assert_eq!(outcome.reason, "CROSS_SITE_REQUEST", "{what}");
                    }
                }
            }
        }
    }
    assert_eq!(world.owner.snapshot().await, before);
}

/// Nor do they sign a visitor in as somebody else.
#[tokio::test]
async fn other_sites_sign_nobody_in() {
    let world = World::with(&[("APEX_SIGNUP", "open")]).await;
    let stranger = world.stranger().await;
    let requests = [
        (
            "SignIn",
            json!({"email": "owner@example.com", "password": "a good password"}),
        ),
        (
            "SignUp",
            json!({"organization": "x", "email": "x@example.com", "password": "12345678"}),
        ),
        (
            "CompleteSetup",
            json!({"token": "x", "organization": "x", "email": "x@example.com", "password": "12345678"}),
        ),
    ];
    for page in PAGES {
        let caller = from(&stranger, &headers(&world, page));
        for (method, request) in &requests {
            let spec = find(&format!("apex.account.v1.SessionService/{method}"));
            for way in ways(spec) {
                let outcome = caller.call(spec, way, request).await;
                assert!(
                    outcome.failed(Kind::PermissionDenied),
                    "{page:?}: {outcome}"
                );
                assert!(!outcome.headers.contains_key("set-cookie"), "{outcome}");
            }
        }
    }
    let users = world.server.apex_json(&["user", "list"]);
    assert_eq!(users.as_array().unwrap().len(), 2, "{users}");
}

/// What a form or a beacon can send without asking first.
#[tokio::test]
async fn forms_that_hold_json_change_nothing() {
    let world = World::start().await;
    let before = world.owner.snapshot().await;
    let body = br#"{"name": "Made by a form", "x": "="}"#.to_vec();
    let cookie = cookie_of(&world).await;
    let kinds = [
        "text/plain",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
        "",
    ];
    for kind in kinds {
        let form = cookie.with("content-type", kind);
        let crossing = form.with("origin", "https://evil.example");
        let answer = crossing
            .send(Method::POST, "/api/projects", Some(body.clone()))
            .await;
        assert_eq!(answer.expect(403)["code"], "CROSS_SITE_REQUEST", "{kind}");
        // An old browser says nothing of the page. A body that a form can make
        // is none that is read.
        let silent = form
            .send(Method::POST, "/api/projects", Some(body.clone()))
            .await;
        assert_eq!(silent.status, 415, "{kind}: {}", silent.text);
        let bodiless = crossing
            .send(Method::POST, "/api/auth/sign-out", None)
            .await;
        assert_eq!(bodiless.status, 403, "{kind}: {}", bodiless.text);
    }
    assert_eq!(world.owner.snapshot().await, before);
}

async fn cookie_of(world: &World) -> Http {
    let token = super::world::sign_in(&world.server, &world.owner.organization.email).await;
    world
        .server
        .http()
        .with("cookie", &format!("apex_session={token}"))
}

#[test]
fn nothing_changes_by_get() {
    for spec in served() {
        let reads = spec.bindings.iter().any(|binding| binding.verb == "GET");
        assert!(
            !reads || !writes(spec),
            "{} changes something by GET",
            spec.path
        );
    }
}

#[tokio::test]
async fn a_verb_is_what_it_says() {
    let world = World::start().await;
    let before = world.owner.snapshot().await;
    let cookie = cookie_of(&world).await;
    let project = format!("/api/projects/{}", world.owner.organization.project);
    for name in [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
    ] {
        let http = cookie.with(name, "DELETE");
        assert_eq!(http.get(&project).await.status, 405, "{name}");
        assert_eq!(http.post(&project, &json!({})).await.status, 405, "{name}");
        let http = cookie.with(name, "POST");
        let listed = http.get("/api/projects").await.expect(200);
        assert_eq!(listed.as_array().unwrap().len(), 1);
    }
    for query in ["_method=DELETE", "_method=POST&name=x", "method=POST"] {
        let answer = cookie.get(&format!("/api/projects?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text);
    }
    assert_eq!(world.owner.snapshot().await, before);
}

#[tokio::test]
async fn who_means_it_is_not_held_up() {
    let allowed = "https://app.example.com";
    let world = World::with(&[("APEX_CORS_ORIGINS", allowed)]).await;
    // Somebody with a key, wherever the page is from.
    for page in PAGES {
        let caller = from(&world.owner.key, &headers(&world, page));
        for spec in served().filter(|spec| takes_keys(spec) && !writes(spec)) {
            for way in ways(spec) {
                let outcome = caller.call(spec, way, &json!({})).await;
                assert!(
                    !outcome.failed(Kind::PermissionDenied),
                    "{page:?}: {outcome}"
                );
            }
        }
        let send = find("apex.metrics.v1.MetricsService/SendEvent");
        for way in ways(send) {
            caller
                .call(send, way, &json!({"event_name": "x"}))
                .await
                .json();
        }
    }
    // A page of this server, of an origin that was let in, and no page at all.
    let create = find("apex.account.v1.ProjectService/CreateProject");
    let own: [&[(&str, &str)]; 6] = [
        &[],
        &[("origin", "http://HOST")],
        &[("sec-fetch-site", "same-origin"), ("origin", "http://HOST")],
        &[("sec-fetch-site", "none")],
        &[("origin", allowed)],
        &[("sec-fetch-site", "cross-site"), ("origin", allowed)],
    ];
    for page in own {
        let caller = from(&world.owner.session, &headers(&world, page));
        for way in ways(create) {
            caller
                .call(create, way, &json!({"name": "Meant"}))
                .await
                .json();
        }
    }
}
