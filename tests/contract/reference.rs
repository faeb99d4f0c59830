//! The reference page: whole, safe to show, and true. Every example on it is run as a
//! reader would paste it.

mod platform;
mod reader;

use std::collections::BTreeSet;

use apex::api::METHODS;
use apex::policy::Auth;
use serde_json::json;

use crate::support::engine::Engine;
use crate::support::server::PASSWORD;
use crate::support::{Server, skip};
use reader::Reader;

/// What stands between two words, wherever they are.
fn between<'t>(text: &'t str, begin: &str, end: &str) -> Vec<&'t str> {
    let parts = text.split(begin).skip(1);
    parts
        .filter_map(|part| Some(part.split_once(end)?.0))
        .collect()
}

#[tokio::test]
async fn every_link_leads_somewhere() {
    let server = Server::start();
    let answer = server.http().get("/docs").await;
    assert_eq!(answer.status, 200);
    let page = answer.text;
    let ids = between(&page, " id=\"", "\"");
    let unique: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len(), "an id stands twice: {ids:?}");
    for link in between(&page, " href=\"#", "\"") {
        assert!(unique.contains(link), "{link}");
    }
    let ours = METHODS
        .iter()
        .filter(|spec| spec.service.name.starts_with("apex."));
    for spec in ours {
        assert!(unique.contains(spec.name), "{} has no article", spec.path);
    }
    for subject in [
        "authentication",
        "organizations",
        "repeats",
        "limits",
        "errors",
        "apex.metrics.v1.EventItem",
        "apex.account.v1.Membership",
        "apex.account.v1.Role",
    ] {
        assert!(unique.contains(subject), "{subject}");
    }
    for header in [
        "x-api-key",
        "X-Organization",
        "X-Project",
        "Idempotency-Key",
        "Idempotent-Replayed",
        "X-RateLimit-Remaining",
        "Retry-After",
        "X-Request-Id",
    ] {
        assert!(page.contains(header), "{header}");
    }
    assert!(!page.contains('`'), "backticks are for comments");
}

#[tokio::test]
async fn nothing_on_it_comes_from_elsewhere() {
    let server = Server::start();
    let answer = server.http().get("/docs").await;
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(!policy.contains("script"), "{policy}");
    let page = answer.text.to_lowercase();
    for never in [
        "<script",
        "<link",
        "<img",
        "<iframe",
        " src=",
        "javascript:",
        "@import",
        "url(",
    ] {
        assert!(!page.contains(never), "{never}");
    }
    for link in between(&page, " href=\"", "\"") {
        assert!(link.starts_with('#') || link == "/openapi.json", "{link}");
    }
}

/// A body of an error on the page is one the server answers.
#[tokio::test]
async fn its_error_bodies_are_the_server_s() {
    let server = Server::start();
    let key = server.organization("Acme").key;
    let http = server.http().bearer(&key);
    let page = unescaped(&http.get("/docs").await.text);
    for path in ["/api/api-keys?limit=0", "/api/v1/analytics?limit=0"] {
        let answer = http.get(path).await;
        assert_eq!(answer.status, 400);
        assert!(page.contains(&answer.text), "{}", answer.text);
    }
}

fn unescaped(html: &str) -> String {
    html.replace("&#39;", "'")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// Examples by the method they call.
fn examples(page: &str) -> Vec<(&'static str, String)> {
    let articles = between(page, "<article id=\"", "</article>");
    let example = |article: &&str| {
        let (name, rest) = article.split_once('"')?;
        let (_, code) = rest.split_once("<pre><code>")?;
        let spec = METHODS.iter().find(|spec| spec.name == name)?;
        Some((spec.path, unescaped(code.split_once("</code>")?.0)))
    };
    articles.iter().filter_map(example).collect()
}

#[tokio::test]
async fn every_example_works() {
    let test = "contract::reference::every_example_works";
    let engine = Engine::start();
    let runs = engine.settings();
    let runs = runs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let settings = [
        ("APEX_SIGNUP", "open"),
        ("APEX_LIMITS_SIGN_IN_LIMIT", "1000"),
        ("APEX_LIMITS_SIGN_IN_ACCOUNT_LIMIT", "1000"),
        ("APEX_LIMITS_CRM_LIMIT", "100000"),
        ("APEX_LIMITS_PAAS_LIMIT", "100000"),
    ];
    let server = Server::with(&settings.into_iter().chain(runs).collect::<Vec<_>>());
    let own = server.organization("You");
    let mut reader = Reader {
        server,
        own,
        password: PASSWORD,
        folder: tempfile::tempdir().unwrap(),
    };
    let page = reader.http().get("/docs").await.text;
    let mut examples = examples(&page);
    // While there is one project, no call need name it.
    examples.sort_by_key(|(method, _)| method.starts_with("/apex.account."));
    let callable = METHODS
        .iter()
        .filter(|spec| spec.service.name.starts_with("apex.") && spec.auth != Auth::Operator);
    assert_eq!(examples.len(), callable.count());
    for (number, (method, example)) in examples.into_iter().enumerate() {
        let program = example.split(' ').next().unwrap();
        let (there, _) = reader.run(&format!("command -v {program}"), Vec::new());
        if !there {
            skip::skip(test, &format!("{program} is not installed"));
            continue;
        }
        if example.contains("-b jar") {
            reader.sign_in();
        }
        let example = reader.own(&example).await;
        let example = reader.growth(&example).await;
        let example = reader.files(&example).await;
        let example = reader.platform(&example, number).await;
        let variables = reader.variables(&example, number).await;
        if program == "buf" {
            let (done, said) = reader.run(&example, variables);
            assert!(done, "{example}\n{said}");
            continue;
        }
        let spec = METHODS.iter().find(|spec| spec.path == method);
        // What goes on until somebody ends it is ended.
        let most = match spec.is_some_and(|spec| spec.server_streaming) {
            true => "-m 2",
            false => "",
        };
        let command = format!("{example} -s {most} -w '\\n%{{http_code}}'");
        let (_, said) = reader.run(&command, variables);
        let status = said.rsplit('\n').next().unwrap_or_default();
        let expected = match method {
            // There is an organization already, and the owner.
            "/apex.account.v1.SessionService/CompleteSetup" => 404,
            "/apex.account.v1.SessionService/SignUp" => 409,
            // The reader is not GitHub, and has no secret of a service.
            "/apex.paas.v1.SourceService/ReceiveGithubEvent" => 401,
            _ => spec.unwrap().success_status,
        };
        assert_eq!(status, expected.to_string(), "{example}\n{said}");
        if method.ends_with("/ChangePassword") {
            reader.password = "a better password";
        }
    }
}

#[tokio::test]
async fn the_document_names_the_headers_there_are() {
    let server = Server::start();
    let own = server.organization("Acme");
    let document = server.http().get("/openapi.json").await.expect(200);
    let headers = |path: &str, verb: &str, status: &str| {
        let answer = &document["paths"][path][verb]["responses"][status]["headers"];
        let names = answer.as_object().expect("headers").keys();
        names.cloned().collect::<BTreeSet<String>>()
    };
    let events = headers("/api/v1/events", "post", "200");
    let keyed = server.http().bearer(&own.key).with("idempotency-key", "k");
    keyed
        .post("/api/v1/events", &json!({"event_name": "x"}))
        .await
        .expect(200);
    let again = keyed
        .post("/api/v1/events", &json!({"event_name": "x"}))
        .await;
    for name in [
        "X-Request-Id",
        "X-RateLimit-Limit",
        "X-RateLimit-Remaining",
        "X-RateLimit-Reset",
        "Idempotent-Replayed",
    ] {
        assert!(events.contains(name), "{name}: {events:?}");
        assert!(again.headers.contains_key(name), "{name}");
    }
    assert!(headers("/api/v1/events", "post", "429").contains("Retry-After"));
    assert!(headers("/api/projects", "post", "200").contains("Idempotent-Replayed"));
    let projects = headers("/api/projects", "get", "200");
    assert_eq!(projects, BTreeSet::from(["X-Request-Id".to_owned()]));
    let told = document["info"]["description"].as_str().expect("text");
    for subject in ["## Authentication", "`X-Project: prj_…`", "## Errors"] {
        assert!(told.contains(subject), "{subject}: {told}");
    }
}
