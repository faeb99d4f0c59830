//! `Idempotency-Key`: one effect and one answer, whatever happens in between.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tonic::{Code, Request};

use super::stored;
use crate::support::seed::Random;
use crate::support::skip::elsewhere;
use crate::support::{Answer, Http, Server, database, grpc};
use apex::api::apex::metrics::v1 as pb;

const EVENTS: &str = "/api/v1/events";
const PROJECTS: &str = "/api/projects";

fn keyed(server: &Server, api_key: &str, key: &str) -> Http {
    keyed_at(&server.url, api_key, key)
}

/// A client with connections of its own.
fn keyed_at(url: &str, api_key: &str, key: &str) -> Http {
    Http::new(url).bearer(api_key).with("idempotency-key", key)
}

/// What was asked for, and whether the answer is a replay.
fn replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

async fn projects(http: &Http) -> Vec<String> {
    let listed = http.get(PROJECTS).await.expect(200);
    let names = listed.as_array().unwrap().iter();
    names
        .map(|own| own["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_same_request_after_a_kill_is_answered_the_same() {
    let mut server = Server::start();
    let key = server.organization("Acme").key;
    let event = json!({"event_name": "signup", "metadata": {"n": 1}});
    let purchase = json!({"price": 100, "currency": "USD"});
    let batch = json!({"events": [event, purchase, {"event_name": ""}]});
    let project = json!({"name": "Shop"});
    let requests = [
        (EVENTS, event),
        ("/api/v1/events/purchase", purchase),
        ("/api/v1/events/batch", batch),
        (PROJECTS, project),
    ];
    // One key may be used once per method.
    let mut first = Vec::new();
    for (path, body) in &requests {
        let answer = keyed(&server, &key, "k-1").post(path, body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert!(!replayed(&answer), "{path}");
        first.push(answer.text);
    }
    server.kill();
    server.run();
    for ((path, body), text) in requests.iter().zip(&first) {
        // By now there are two projects, and still the request is the same.
        let answer = keyed(&server, &key, "k-1").post(path, body).await;
        assert_eq!((answer.status, &answer.text), (200, text), "{path}");
        assert!(replayed(&answer), "{path}");
    }
    let http = server.http().bearer(&key);
    assert_eq!(projects(&http).await, ["Default", "Shop"]);
}

#[tokio::test]
async fn another_request_with_the_key_is_refused() {
    let server = Server::start();
    let organization = server.organization("Acme");
    let http = keyed(&server, &organization.key, "k-1");
    http.post(EVENTS, &json!({"event_name": "a"}))
        .await
        .expect(200);
    let answer = http.post(EVENTS, &json!({"event_name": "b"})).await;
    assert_eq!(
        answer.expect(409)["error"]["code"],
        "IDEMPOTENCY_KEY_REUSED"
    );
    http.post(PROJECTS, &json!({"name": "a"})).await.expect(200);
    let answer = http.post(PROJECTS, &json!({"name": "b"})).await;
    assert_eq!(answer.expect(409)["code"], "IDEMPOTENCY_KEY_REUSED");
    // The protocol makes no difference: what was asked for counts, not its form.
    let mut client = grpc::metrics(&server.url, &organization.key).await;
    let call = |name: &str| {
        let mut request = Request::new(pb::SendEventRequest {
            event_name: name.to_owned(),
            ..Default::default()
        });
        let key = "k-1".parse().unwrap();
        request.metadata_mut().insert("idempotency-key", key);
        request
    };
    let answer = client.send_event(call("a")).await.unwrap();
    let replayed = grpc::text(answer.metadata(), "idempotent-replayed");
    assert_eq!(replayed, Some("true"));
    let status = client.send_event(call("b")).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert_eq!(grpc::reason(&status), "IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test]
async fn a_key_has_a_form() {
    let server = Server::start();
    let key = server.organization("Acme").key;
    let event = json!({"event_name": "a"});
    for (text, status) in [
        ("x".repeat(255), 200),
        ("x".repeat(256), 400),
        (String::new(), 400),
        ("two words".to_owned(), 400),
        ("schlüssel".to_owned(), 400),
    ] {
        let answer = keyed(&server, &key, &text).post(EVENTS, &event).await;
        assert_eq!(answer.status, status, "`{text}`: {}", answer.text);
        if status == 400 {
            assert_eq!(answer.json()["error"]["code"], "INVALID_REQUEST");
        }
    }
    assert_eq!(stored::events(&server.url, &key).await.len(), 1);
}

#[tokio::test]
async fn a_key_belongs_to_one_tenant_and_project() {
    let server = Server::start();
    let own = server.organization("Acme");
    let other = server.organization("Other");
    let body = json!({"event_name": "a"});
    let mut answers = HashSet::new();
    for organization in [&own, &other] {
        let http = keyed(&server, &organization.key, "k-1");
        let answer = http.post(EVENTS, &body).await;
        assert!(!replayed(&answer));
        answers.insert(answer.expect(200).to_string());
    }
    let http = server.http().bearer(&own.key);
    let second = http
        .post(PROJECTS, &json!({"name": "Second"}))
        .await
        .expect(200);
    let answer = keyed(&server, &own.key, "k-1")
        .with("x-project", second["id"].as_str().unwrap())
        .post(EVENTS, &body)
        .await;
    assert!(!replayed(&answer));
    answers.insert(answer.expect(200).to_string());
    assert_eq!(answers.len(), 3);
    let again = keyed(&server, &other.key, "k-1").post(EVENTS, &body).await;
    assert!(replayed(&again));
    assert!(answers.contains(&again.expect(200).to_string()));
}

/// Sends a request fifty times at once, in turn to each of the servers. Some are
/// answered, all the same; the others are told that it still runs.
async fn at_once(servers: &[&Server], api_key: &str, key: &str, path: &'static str, body: &Value) {
    let mut tasks = JoinSet::new();
    for turn in 0..50 {
        let http = keyed(servers[turn % servers.len()], api_key, key);
        let body = body.clone();
        tasks.spawn(async move { http.post(path, &body).await });
    }
    let mut texts = HashSet::new();
    let mut effects = 0;
    while let Some(answer) = tasks.join_next().await {
        let answer = answer.unwrap();
        if answer.status == 409 {
            assert!(
                answer.text.contains("IDEMPOTENCY_IN_PROGRESS"),
                "{}",
                answer.text
            );
            continue;
        }
        assert_eq!(answer.status, 200, "{}", answer.text);
        effects += usize::from(!replayed(&answer));
        texts.insert(answer.text);
    }
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(effects >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_have_one_effect() {
    let server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let event = server.organization("Events");
    let record = server.organization("Records");
    for key in ["k-1", "k-2", "k-3"] {
        let body = json!({"event_name": key});
        at_once(&[&server], &event.key, key, EVENTS, &body).await;
        let body = json!({"name": key});
        at_once(&[&server], &record.key, key, PROJECTS, &body).await;
    }
    assert_eq!(stored::events(&server.url, &event.key).await.len(), 3);
    let http = server.http().bearer(&record.key);
    assert_eq!(projects(&http).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_on_two_nodes_have_one_effect() {
    if !database::is_postgres() {
        return elsewhere(
            "fifty_at_once_on_two_nodes",
            "several nodes need PostgreSQL",
        );
    }
    let server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let other = server.beside();
    let event = server.organization("Events");
    let record = server.organization("Records");
    known_everywhere(&other, &[&event.key, &record.key]).await;
    for key in ["k-1", "k-2", "k-3", "k-4", "k-5"] {
        let body = json!({"event_name": key});
        at_once(&[&server, &other], &event.key, key, EVENTS, &body).await;
        let body = json!({"name": key});
        at_once(&[&server, &other], &record.key, key, PROJECTS, &body).await;
    }
    assert_eq!(stored::events(&other.url, &event.key).await.len(), 5);
    let http = other.http().bearer(&record.key);
    assert_eq!(projects(&http).await.len(), 6);
}

/// A node looks for new keys every two seconds.
async fn known_everywhere(node: &Server, keys: &[&str]) {
    for key in keys {
        let http = node.http().bearer(key);
        while http.get("/api/me").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Callers that hang up and ask again at once: the first try may be anywhere
/// between not begun and committed.
#[tokio::test(flavor = "multi_thread")]
async fn hanging_up_and_asking_again_has_one_effect() {
    let mut random = Random::new("hanging_up_and_asking_again_has_one_effect");
    let server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let organization = server.organization("Acme");
    let mut tasks = JoinSet::new();
    for client in 0..8 {
        let (url, key) = (server.url.clone(), organization.key.clone());
        let mut random = random.split();
        tasks.spawn(async move {
            for number in 0..40 {
                let name = format!("{client}-{number}");
                let http = keyed_at(&url, &key, &name).with("content-type", "application/json");
                let body = json!({"event_name": name}).to_string();
                // Patience grows, so that a slow machine comes to an end as well.
                for tries in 1.. {
                    let patience = Duration::from_micros(500 + tries * random.below(6000));
                    let sent = http.try_send(Method::POST, EVENTS, Some(body.clone().into()));
                    match tokio::time::timeout(patience, sent).await {
                        Ok(Ok(answer)) if answer.status == 200 => break,
                        Ok(Ok(answer)) => assert_eq!(answer.status, 409, "{}", answer.text),
                        Ok(Err(_)) | Err(_) => {}
                    }
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let found = stored::events(&server.url, &organization.key).await;
    let names: HashSet<_> = found.iter().map(|event| &event.event_name).collect();
    assert_eq!((names.len(), found.len()), (320, 320));
}
