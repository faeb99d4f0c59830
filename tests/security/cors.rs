//! Which pages of other origins may read answers: those of the configuration,
//! with credentials, and everybody what is public and ignores cookies.

use std::collections::{BTreeMap, BTreeSet};

use apex::policy::template::Template;
use apex::policy::{Auth, Binding, MethodSpec};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::json;

use super::catalogue::{find, served, takes_sessions};
use super::wire::{Caller, Way, ways};
use super::world::World;
use crate::support::{Answer, Http, Server};

const ALLOWED: [&str; 2] = ["https://app.example.com", "https://second.example.com:8443"];

/// Origins that only look like the allowed ones.
const HOSTILE: [&str; 14] = [
    "https://evil.example",
    "null",
    "*",
    "https://app.example.com.evil.io",
    "https://evilapp.example.com",
    "https://app.example.com@evil.io",
    "https://evil.io/https://app.example.com",
    "http://app.example.com",
    "https://app.example.com:444",
    "https://app.example.com/",
    "https://APP.example.com",
    "https://example.com",
    "https://second.example.com",
    "https://app.example.com, https://second.example.com:8443",
];

async fn start() -> World {
    World::with(&[("APEX_CORS_ORIGINS", &ALLOWED.join(","))]).await
}

fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

fn allowed_origin(headers: &HeaderMap) -> Option<&str> {
    value(headers, "access-control-allow-origin")
}

/// The preflight a browser makes before it calls in this way.
async fn preflight(http: &Http, origin: &str, spec: &MethodSpec, way: Way) -> Answer {
    let (verb, path, header) = match way {
        Way::Rest(binding) => (binding.verb, binding.template, "content-type"),
        Way::Grpc | Way::GrpcWeb => ("POST", spec.path, "content-type,x-grpc-web"),
    };
    let path = path.replace(['{', '}', '=', '*'], "x");
    let asking = http.with("origin", origin);
    let asking = asking.with("access-control-request-method", verb);
    let asking = asking.with("access-control-request-headers", header);
    asking.send(Method::OPTIONS, &path, None).await
}

/// Whether any page may call in this way. Methods that share a route with one for pages
/// are told apart by the body, which a preflight has not.
fn is_open(spec: &MethodSpec, way: Way) -> bool {
    let shares = |other: &&MethodSpec| {
        let Way::Rest(binding) = way else {
            return false;
        };
        let same = |own: &Binding| (own.verb, own.template) == (binding.verb, binding.template);
        other.bindings.iter().any(same)
    };
    spec.any_origin || served().filter(shares).any(|other| other.any_origin)
}

async fn call(caller: &Caller, origin: &str, spec: &'static MethodSpec, way: Way) -> HeaderMap {
    let page = caller.with("origin", origin);
    page.call(spec, way, &json!({})).await.headers
}

#[tokio::test]
async fn no_other_origin_is_reflected() {
    let world = start().await;
    let before = world.owner.snapshot().await;
    let http = world.server.http();
    let mut met = BTreeSet::new();
    for spec in served() {
        // What looks at origins knows no method: the subtle ones are tried once for every
        // kind of method there is.
        let kind = format!("{:?} {} {}", spec.auth, spec.service.name, spec.any_origin);
        let origins = if met.insert(kind) { HOSTILE.len() } else { 2 };
        for way in ways(spec) {
            for &origin in &HOSTILE[..origins] {
                let open = is_open(spec, way).then_some(origin);
                let what = format!("{} for {origin}", spec.path);
                let asked = preflight(&http, origin, spec, way).await;
                assert_eq!(allowed_origin(&asked.headers), open, "{what}");
                let answered = call(&world.owner.session, origin, spec, way).await;
                assert_eq!(allowed_origin(&answered), open, "{what}");
                for headers in [&asked.headers, &answered] {
                    let told = headers.keys().map(http::HeaderName::as_str);
                    let mut told = told.filter(|name| name.starts_with("access-control-"));
                    // Not even that others may come with credentials.
                    assert!(
                        open.is_some() || told.next().is_none(),
                        "{what}: {headers:?}"
                    );
                }
            }
        }
    }
    assert_eq!(world.owner.snapshot().await, before);
}

#[tokio::test]
async fn the_configured_origins_call_with_credentials() {
    let world = start().await;
    let http = world.server.http();
    let me = find("apex.account.v1.SessionService/GetMe");
    let stranger = world.stranger().await;
    for origin in ALLOWED {
        for way in ways(me) {
            let asked = preflight(&http, origin, me, way).await;
            assert_eq!(asked.status, 200);
            let allows = |name: &str, wanted: &str| {
                let list = value(&asked.headers, name).unwrap_or_default();
                list.split(',').any(|own| own.trim() == wanted)
            };
            assert!(allows("access-control-allow-credentials", "true"));
            assert!(allows("access-control-allow-headers", "content-type"));
            for verb in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                assert!(allows("access-control-allow-methods", verb), "{verb}");
            }
            // Answers and refusals alike, or a page could not tell them apart.
            for caller in [&world.owner.session, &stranger] {
                let answered = call(caller, origin, me, way).await;
                for headers in [&asked.headers, &answered] {
                    assert_eq!(allowed_origin(headers), Some(origin));
                    let vary = headers.get_all("vary").iter();
                    let vary: Vec<_> = vary.map(|v| v.to_str().unwrap().to_lowercase()).collect();
                    assert!(vary.iter().any(|v| v.contains("origin")), "{vary:?}");
                    let credentials = value(headers, "access-control-allow-credentials");
                    assert_eq!(credentials, Some("true"));
                }
                let exposed = value(&answered, "access-control-expose-headers").unwrap();
                for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
                    assert!(
                        exposed.split(',').any(|own| own.trim() == name),
                        "{exposed}"
                    );
                }
            }
        }
    }
}

/// A browser's gRPC-Web call from an allowed origin, cookie and all.
#[tokio::test]
async fn grpc_web_works_from_a_configured_origin() {
    let world = start().await;
    let create = find("apex.account.v1.ProjectService/CreateProject");
    let page = world.owner.session.with("origin", ALLOWED[0]);
    let page = page.with("sec-fetch-site", "cross-site");
    let made = page
        .call(create, Way::GrpcWeb, &json!({"name": "From a page"}))
        .await;
    assert_eq!(made.json()["project"]["name"], "From a page");
    assert_eq!(allowed_origin(&made.headers), Some(ALLOWED[0]));
    let refused = page.call(create, Way::GrpcWeb, &json!({})).await;
    assert_eq!(refused.reason, "VALIDATION_ERROR", "{refused}");
    assert_eq!(allowed_origin(&refused.headers), Some(ALLOWED[0]));
}

/// What any page may read must not depend on who is signed in.
#[test]
fn what_is_open_to_all_pages_ignores_cookies() {
    let mut routes: BTreeMap<(&str, String), Vec<&MethodSpec>> = BTreeMap::new();
    for spec in served() {
        if spec.any_origin {
            let public = matches!(spec.auth, Auth::Public | Auth::ProjectKey);
            assert!(public, "{} reads the cookie for any page", spec.path);
        }
        for binding in spec.bindings {
            let shape = Template::parse(binding.template).unwrap().shape();
            routes.entry((binding.verb, shape)).or_default().push(spec);
        }
    }
    for ((verb, path), methods) in routes {
        let open = methods.iter().any(|spec| spec.any_origin);
        let private = methods.iter().any(|spec| takes_sessions(spec));
        assert!(
            !(open && private),
            "{verb} {path} is open and reads the cookie"
        );
    }
}

#[tokio::test]
async fn the_description_is_for_every_page() {
    let world = start().await;
    let page = world.server.http().with("origin", "https://evil.example");
    let answer = page.get("/openapi.json").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        allowed_origin(&answer.headers),
        Some("https://evil.example")
    );
}

/// `null` is the origin of every sandboxed frame, and none of the others could
/// ever be equal to what a browser says.
#[test]
fn what_is_no_origin_cannot_be_configured() {
    let server = Server::start();
    for wrong in [
        "*",
        "null",
        "app.example.com",
        "https://app.example.com/",
        "https://app.example.com/x",
        "https://*.example.com",
        "https://APP.example.com",
        "https://user@app.example.com",
        "ftp://app.example.com",
        "https://",
    ] {
        let done = server
            .command()
            .arg("check-config")
            .env(
                "APEX_CORS_ORIGINS",
                format!("https://ok.example.com,{wrong}"),
            )
            .output()
            .unwrap();
        let told = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(78), "{wrong}: {told}");
        assert!(told.contains(&format!("cors_origins: `{wrong}`")), "{told}");
    }
}
