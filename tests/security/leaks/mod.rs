//! Secrets in places where they do not belong. Every header, body, URL and
//! setting of these requests holds a word of its own; then the log at its most
//! talkative, the metrics and the refusals are searched for them.

mod breakage;
mod canaries;
mod escapes;
mod panics;
mod places;
mod settings;

use http::HeaderMap;
use http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use serde_json::Value;

use self::canaries::Canaries;
use super::wire::Outcome;
use super::world::World;
use crate::support::Answer;

/// What failed, and what was said of it.
#[derive(Debug, Default)]
struct Said(Vec<(String, String)>);

impl Said {
    fn rest(&mut self, what: &str, answer: &Answer) {
        if answer.status >= 400 {
            let text = without_url(&answer.text);
            let said = format!("{:?} {text}", told(&answer.headers));
            self.0.push((format!("{what}: {}", answer.status), said));
        }
    }

    fn outcome(&mut self, what: &str, outcome: &Outcome) {
        if !outcome.succeeded() {
            let text = without_url(&outcome.text);
            let said = format!("{:?} {text}", told(&outcome.headers));
            self.0.push((format!("{what}: {outcome}"), said));
        }
    }
}

/// Headers without the page's own origin, which its browser must find in an answer that
/// it may show the page.
fn told(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
    headers
}

/// An answer without the path of a page there is none of: FeathersJS' clients are told it.
fn without_url(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(mut body) if body["message"] == "Page not found" => {
            body["data"]["url"].take();
            body.to_string()
        }
        _ => text.to_owned(),
    }
}

async fn everything(settings: &[(&str, &str)]) {
    let mut canaries = Canaries::new();
    println!("seed: {}", canaries.seed());
    let world = World::with(settings).await;
    let mut said = Said::default();
    places::in_headers(&world, &mut canaries, &mut said).await;
    places::in_bodies(&world, &mut canaries, &mut said).await;
    places::in_broken_bodies(&world, &mut canaries, &mut said).await;
    places::in_urls(&world, &mut canaries, &mut said).await;
    places::in_names(&world, &mut canaries).await;
    places::in_failures(&world, &mut canaries, &mut said).await;
    let metrics = world.server.http().get("/metrics").await.text;
    let log = escapes::logged(&world.server, "the-very-last").await;
    let talkative = settings.iter().any(|(_, value)| *value == "trace");
    assert_eq!(log.contains("TRACE"), talkative);
    let word = canaries.word("the search itself").to_uppercase();
    assert_eq!(canaries.found("a text", &format!("x{word}")).len(), 1);
    assert_eq!(canaries.found("a text", &word[..17]).len(), 1);
    let mut found = canaries.found("the log", &log);
    found.extend(canaries.found("/metrics", &metrics));
    for (what, text) in &said.0 {
        found.extend(canaries.found(what, text));
    }
    assert!(
        found.is_empty(),
        "{} leaks:\n{}",
        found.len(),
        found.join("\n")
    );
    assert!(said.0.len() > 1000, "only {} refusals", said.0.len());
}

#[tokio::test]
async fn nothing_leaks_at_the_usual_level() {
    everything(&[("APEX_LOG", "info")]).await;
}

#[tokio::test]
async fn nothing_leaks_at_trace() {
    everything(&[("APEX_LOG", "trace")]).await;
}

#[tokio::test]
async fn nothing_leaks_as_json() {
    everything(&[("APEX_LOG", "trace"), ("APEX_LOG_FORMAT", "json")]).await;
}
