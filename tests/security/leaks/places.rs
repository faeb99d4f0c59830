//! Requests with a word in every place a caller can put something.

use apex::api::METHODS;
use apex::policy::MethodSpec;
use reqwest::Method;
use serde_json::json;

use super::canaries::Canaries;
use super::{Said, breakage};
use crate::security::catalogue::find;
use crate::security::wire::{Credential, ways};
use crate::security::world::World;
use crate::support::Answer;

/// Header names callers put things into, known to the server or not.
const HEADERS: [&str; 34] = [
    "authorization",
    "x-api-key",
    "cookie",
    "user-agent",
    "referer",
    "origin",
    "accept",
    "accept-language",
    "accept-encoding",
    "content-type",
    "content-encoding",
    "idempotency-key",
    "x-organization",
    "x-project",
    "x-apex-project",
    "x-service-method",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "forwarded",
    "x-real-ip",
    "traceparent",
    "tracestate",
    "baggage",
    "sec-fetch-site",
    "if-none-match",
    "range",
    "expect",
    "grpc-timeout",
    "grpc-encoding",
    "x-http-method-override",
    "proxy-authorization",
    "x-auth-token",
    "x-made-up",
];

/// Paths that are known, and one that is not.
const PATHS: [(Method, &str); 9] = [
    (Method::GET, "/api/me"),
    (Method::POST, "/api/projects"),
    (Method::POST, "/api/auth/sign-in"),
    (Method::POST, "/api/v1/events"),
    (Method::GET, "/api/v1/analytics"),
    (Method::GET, "/metrics"),
    (Method::GET, "/nothing"),
    (Method::DELETE, "/api/me"),
    (Method::POST, "/apex.account.v1.SessionService/GetMe"),
];

pub async fn in_headers(world: &World, canaries: &mut Canaries, said: &mut Said) {
    let strange = world.server.http();
    let known = &world.owner.http;
    for (verb, path) in &PATHS {
        for name in HEADERS {
            let word = canaries.word(name);
            let forms = match name {
                "authorization" => vec![
                    word.clone(),
                    format!("Bearer {word}"),
                    format!("Bearer apex_key_{word}"),
                    format!("Bearer {word}.{word}.{word}"),
                    format!("Basic {word}"),
                ],
                "cookie" => vec![format!("apex_session={word}; other={word}"), word.clone()],
                "x-forwarded-for" => vec![format!("10.0.0.1, {word}")],
                "content-type" => vec![word.clone(), format!("application/json; charset={word}")],
                "traceparent" => vec![format!("00-{word}-{word}-01"), word.clone()],
                _ => vec![word.clone()],
            };
            for form in forms {
                for http in [&strange, known] {
                    let body = (*verb == Method::POST).then(|| b"{}".to_vec());
                    let answer = http.with(name, &form).send(verb.clone(), path, body).await;
                    said.rest(name, &answer);
                }
            }
        }
    }
    let mut caller = world.owner.key.clone();
    for name in HEADERS {
        let me = find("apex.account.v1.SessionService/GetMe");
        let reserved = ["content-type", "accept-encoding", "expect"].contains(&name);
        if reserved {
            continue;
        }
        let word = canaries.word(&format!("grpc {name}"));
        for way in ways(me) {
            let alone = world.stranger().await.with(name, &word);
            said.outcome(name, &alone.call(me, way, &json!({})).await);
        }
        if !matches!(name, "authorization" | "grpc-timeout" | "grpc-encoding") {
            caller = caller.with(name, &word);
        }
    }
    // A watch does not end, and reflection waits for what comes next.
    let ending = |spec: &&MethodSpec| !spec.client_streaming && !spec.name.starts_with("Watch");
    for spec in METHODS.iter().filter(ending) {
        for way in ways(spec) {
            let own = spare(world, spec).map(|key| caller.who(key));
            let caller = own.as_ref().unwrap_or(&caller);
            said.outcome(spec.path, &caller.call(spec, way, &json!({})).await);
        }
    }
}

/// A key of the owner's that nothing else is called with, for the method that ends the
/// key it is called with.
fn spare(world: &World, spec: &MethodSpec) -> Option<Credential> {
    let ends = spec.path == "/apex.memory.v1.MemoryService/RotateKey";
    let key = ends.then(|| world.server.key(&world.owner.organization, "memory.write"))?;
    Some(Credential::Key(key["key"].as_str()?.to_owned()))
}

/// A word for every text of every request, sent by those who may and may not.
pub async fn in_bodies(world: &World, canaries: &mut Canaries, said: &mut Said) {
    let (owner, stranger) = (&world.owner, world.stranger().await);
    for spec in METHODS
        .iter()
        .filter(|spec| spec.service.name.starts_with("apex."))
    {
        for round in 0..3 {
            let request = canaries.request(spec.input, round);
            for way in ways(spec) {
                let own = spare(world, spec).map(|key| owner.key.who(key));
                let known = owner.callers(spec).into_iter();
                let known = known.map(|(_, caller)| own.as_ref().unwrap_or(caller));
                for caller in std::iter::once(&stranger).chain(known) {
                    said.outcome(spec.path, &caller.call(spec, way, &request).await);
                }
            }
        }
    }
}

/// Bodies that cannot be read, and ones that are read and refused.
pub async fn in_broken_bodies(world: &World, canaries: &mut Canaries, said: &mut Said) {
    let http = world.owner.http.with("content-type", "application/json");
    for path in [
        "/api/projects",
        "/api/api-keys",
        "/api/v1/events",
        "/api/v1/events/batch",
    ] {
        let word = canaries.word(path);
        for body in [
            word.clone(),
            format!(r#"{{"name": "{word}"#),
            format!(r#"{{"name": "{word}" "x"}}"#),
            format!(r#"["{word}"]"#),
            format!(r#"{{"name": ["{word}"], "event_name": ["{word}"]}}"#),
            format!(r#"{{"name": "{word}", "scopes": ["{word}"], "event_name": 1}}"#),
            format!(r#"{{"name": "x", "timezone": "{word}"}}"#),
            format!(r#"{{"name": "x", "allowedOrigins": ["{word}"]}}"#),
            format!(r#"{{"name": "x", "consentMode": "{word}"}}"#),
            format!(r#"{{"name": "x", "expiresAt": "{word}"}}"#),
            format!(r#"{{"event_name": "x", "timestamp": "{word}"}}"#),
            format!(r#"{{"event_name": "x", "metadata": "{word}"}}"#),
            format!(
                r#"{{"events": [{{"price": "{word}"}}, {{"currency": "{word}", "price": 1}}]}}"#
            ),
            format!(r#"{{"name": "{word}\u0000"}}"#),
            format!(r#"{{"name": "{}"}}"#, word.repeat(20)),
        ] {
            let answer = http.send(Method::POST, path, Some(body.into())).await;
            said.rest(path, &answer);
        }
    }
    let word = canaries.word("frames");
    for kind in [
        "application/grpc-web+proto",
        "application/grpc-web-text",
        "application/grpc",
    ] {
        let garbage = world.server.http().with("content-type", kind);
        let mut frame = vec![0, 0, 0, 0, word.len() as u8];
        frame.extend(word.bytes());
        for body in [frame, word.clone().into_bytes()] {
            for (_, path) in &PATHS {
                let answer = garbage.send(Method::POST, path, Some(body.clone())).await;
                said.rest(kind, &answer);
            }
        }
    }
}

pub async fn in_urls(world: &World, canaries: &mut Canaries, said: &mut Said) {
    let word = canaries.word("url");
    for http in [&world.server.http(), &world.owner.http] {
        for path in [
            format!("/{word}"),
            format!("/api/{word}"),
            format!("/api/v1/{word}/{word}"),
            format!("/apex.account.v1.SessionService/{word}"),
            format!("/{word}.Service/Method"),
            format!("/api/organizations/{word}"),
            format!("/api/projects/{word}/rotate-key"),
            format!("/api/me?api_key={word}"),
            format!("/api/me?project={word}"),
            format!("/api/me?x=%{word}"),
            format!("/api/v1/analytics?metrics={word}"),
            format!("/api/v1/analytics?start_date={word}"),
            format!("/api/v1/analytics?timezone={word}"),
            format!("/api/v1/analytics?interval={word}"),
            format!("/api/v1/analytics?group_by={word}"),
            format!("/api/v1/analytics?limit={word}"),
            format!("/api/v1/analytics?key={word}&access_token={word}"),
            format!("/readyz?token={word}"),
            format!("/metrics?token={word}"),
            format!("/docs/{word}"),
            format!("//{word}"),
            format!("/api/{}", word.repeat(800)),
        ] {
            for verb in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
                said.rest(&path, &http.send(verb, &path, None).await);
            }
        }
    }
}

/// Names that are not known are told back to the one who made them up, and to
/// nobody else.
pub async fn in_names(world: &World, canaries: &mut Canaries) {
    let http = &world.owner.http;
    let word = canaries.word("names");
    let answer = http.get(&format!("/api/me?{word}=1")).await;
    let told = format!("{word} is no parameter of this method");
    assert_eq!(answer.expect(400)["error"], told);
    let answer = http.post("/api/projects", &json!({&word: 1})).await;
    assert_eq!(answer.expect(400)["error"], format!("{word} is not known"));
}

/// Requests that would succeed, while the database is not what it should be.
pub async fn in_failures(world: &World, canaries: &mut Canaries, said: &mut Said) {
    let owner = &world.owner;
    breakage::take_tables(&world.server).await;
    let word = canaries.word("failures");
    let mut failures = 0;
    let mut seen = |what: &str, answer: Answer| {
        failures += i32::from(answer.status >= 500);
        said.rest(what, &answer);
    };
    let email = format!("{word}@example.com");
    let project = json!({"name": word, "timezone": "UTC"});
    let keyed = owner.http.with("idempotency-key", &word);
    seen("project", keyed.post("/api/projects", &project).await);
    seen(
        "key",
        owner
            .http
            .post("/api/api-keys", &json!({"name": word}))
            .await,
    );
    let member = json!({"email": email, "name": word, "password": word});
    let path = format!("/api/organizations/{}/members", owner.organization.id);
    seen("member", owner.http.post(&path, &member).await);
    let inside = json!({"email": email, "password": word});
    seen(
        "sign-in",
        world.server.http().post("/api/auth/sign-in", &inside).await,
    );
    let event = json!({"event_name": word, "visitor_id": word, "metadata": {"x": word}});
    seen("event", owner.http.post("/api/v1/events", &event).await);
    let query = format!("/api/v1/analytics?event_name={word}&url={word}");
    seen("analytics", owner.http.get(&query).await);
    let last = world.server.http().with("x-request-id", "the-very-last");
    last.get("/healthz").await.expect(200);
    assert!(failures >= 4, "only {failures} of these failed inside");
}
