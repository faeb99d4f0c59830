//! An embedder beside the words: what only it knows to be alike is found, and when it is
//! away, slow or talks nonsense the answer says so.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{mcp, say, signup};
use crate::support::{Answer, Http, Server};

const ANSWERS: u8 = 0;
const REFUSES: u8 = 1;
const HANGS: u8 = 2;
const BABBLES: u8 = 3;

/// Words that its model takes for one.
const ALIKE: [[&str; 2]; 3] = [["zorp", "blick"], ["marn", "quill"], ["fenk", "odd"]];

/// Speaks OpenAI's protocol for embeddings.
#[derive(Debug, Clone, Default)]
struct Fake {
    manner: Arc<AtomicU8>,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Fake {
    async fn start() -> (Self, String) {
        let fake = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/", listener.local_addr().unwrap());
        let own = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let fake = own.clone();
                let service = service_fn(move |request| fake.clone().answer(request));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        (fake, url)
    }

    fn behave(&self, manner: u8) {
        self.manner.store(manner, Ordering::Relaxed);
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        assert_eq!(request.uri().path(), "/v1/embeddings");
        assert_eq!(request.headers()["authorization"], "Bearer sesame");
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let answer = match self.manner.load(Ordering::Relaxed) {
            HANGS => std::future::pending().await,
            BABBLES => json!({"data": [{"index": 0, "embedding": []}]}),
            _ => places(&body),
        };
        self.asked.lock().unwrap().push(body);
        let refuses = self.manner.load(Ordering::Relaxed) == REFUSES;
        let answer = Response::builder()
            .status(if refuses { 500 } else { 200 })
            .body(Full::new(Bytes::from(answer.to_string())));
        Ok(answer.unwrap())
    }
}

/// A direction for each pair of words, and one for all else.
fn places(body: &Value) -> Value {
    let texts = body["input"].as_array().unwrap().iter();
    let place = |(index, text): (usize, &Value)| {
        let text = text.as_str().unwrap().to_lowercase();
        let mut place = vec![0.0; ALIKE.len() + 1];
        let found = ALIKE
            .iter()
            .position(|words| words.iter().any(|word| text.contains(word)));
        place[found.unwrap_or(ALIKE.len())] = 3.0;
        json!({"index": index, "embedding": place})
    };
    json!({"data": texts.enumerate().map(place).collect::<Vec<_>>()})
}

async fn ask(http: &Http, input: &str) -> Answer {
    let body = json!({"user_id": "u", "current_input": input});
    http.post("/api/v1/query", &body).await
}

/// What is found first, and whether by less than was configured.
async fn found(http: &Http, input: &str) -> (String, bool) {
    let answer = ask(http, input).await;
    let degraded = answer.header("x-memory-degraded").map(str::to_owned);
    assert!(degraded.as_ref().is_none_or(|own| own == "embedder"));
    let told = answer.expect(200);
    let first = told["memories"][0]["summary"].as_str().unwrap().to_owned();
    (first, degraded.is_some())
}

/// Waits until something is found first, by all that is configured.
async fn finds(http: &Http, input: &str, wanted: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let found = found(http, input).await;
        if found == (wanted.to_owned(), false) {
            return;
        }
        assert!(Instant::now() < deadline, "{found:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

const TALK: [&str; 6] = [
    "The zorp sleeps in the kitchen.",
    "My manager is called Priya.",
    "I go climbing every Thursday.",
    "We painted the marn last spring.",
    "The bakery opens at nine.",
    "The weather was lovely at the market.",
];

fn settings(url: &str) -> [(&str, &str); 5] {
    [
        ("APEX_RATE_LIMIT_ENABLED", "false"),
        ("APEX_EMBEDDING_BASE_URL", url),
        ("APEX_EMBEDDING_API_KEY", "sesame"),
        ("APEX_EMBEDDING_MODEL", "tiny"),
        ("APEX_EMBEDDING_TIMEOUT", "300ms"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_words_do_not_say_is_found() {
    let (fake, url) = Fake::start().await;
    let mut server = Server::with(&settings(&url));
    let made = signup(&server, "Acme").await;
    let key = made["api_key"].as_str().unwrap().to_owned();
    let http = server.http().with("x-api-key", &key);
    for content in TALK {
        say(&http, "u", content).await;
    }
    finds(&http, "Where is the blick?", TALK[0]).await;
    finds(&http, "What about the quill?", TALK[3]).await;
    let asked = fake.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|body| body["model"] == "tiny"));
    let texts = |body: &Value| body["input"].as_array().unwrap().len();
    let memories = asked
        .iter()
        .filter(|body| body["input"] != json!(["Where is the blick?"]));
    assert!(memories.map(texts).sum::<usize>() >= TALK.len());
    // Vectors are kept: after a restart only the question is asked about.
    server.kill();
    server.run();
    fake.asked.lock().unwrap().clear();
    let http = server.http().with("x-api-key", &key);
    assert_eq!(
        found(&http, "Where is the blick?").await,
        (TALK[0].to_owned(), false)
    );
    assert_eq!(fake.asked.lock().unwrap().len(), 1);
    // Another model's vectors are not compared with.
    server.kill();
    server.set("APEX_EMBEDDING_MODEL", "large");
    server.run();
    let http = server.http().with("x-api-key", &key);
    finds(&http, "What about the quill?", TALK[3]).await;
    // Erased is erased.
    http.delete("/api/v1/users/u").await.expect(200);
    let told = ask(&http, "Where is the blick?").await.expect(200);
    assert_eq!(told["memories"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_by_words_alone_says_so() {
    let (fake, url) = Fake::start().await;
    let server = Server::with(&settings(&url));
    let made = signup(&server, "Acme").await;
    let http = server
        .http()
        .with("x-api-key", made["api_key"].as_str().unwrap());
    for content in TALK {
        say(&http, "u", content).await;
    }
    let input = "When does the bakery open?";
    let health = async || {
        let told = server.http().get("/api/v1/health").await.expect(200);
        told["checks"]["embedder"].clone()
    };
    finds(&http, input, TALK[4]).await;
    assert_eq!(health().await, "ok");
    for manner in [REFUSES, HANGS, BABBLES] {
        fake.behave(manner);
        let begun = Instant::now();
        assert_eq!(found(&http, input).await, (TALK[4].to_owned(), true));
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert_eq!(health().await, "failed");
        // It is left alone for a moment, and so nobody waits for it.
        let asked = fake.asked.lock().unwrap().len();
        assert_eq!(found(&http, input).await, (TALK[4].to_owned(), true));
        let arguments = json!({"user_id": "u", "current_input": input});
        let told = mcp::call(&http, "kapex_query", arguments).await;
        assert_eq!(told["structuredContent"]["degraded"], "embedder");
        assert_eq!(fake.asked.lock().unwrap().len(), asked);
        fake.behave(ANSWERS);
        finds(&http, input, TALK[4]).await;
        assert_eq!(health().await, "ok");
    }
    let metrics = server.http().get("/metrics").await.text;
    let line = metrics
        .lines()
        .find(|line| line.starts_with("apex_embedder_failures"));
    let count = line.and_then(|line| line.split(' ').nth(1)?.parse::<u32>().ok());
    assert!(count.is_some_and(|count| count >= 3), "{line:?}");
    let log = server.log();
    assert!(
        log.contains("words alone find memories") && !log.contains("bakery"),
        "{log}"
    );
}

#[tokio::test]
async fn an_address_that_is_none_is_refused() {
    let server = Server::stopped(&[]);
    server.apex(&["migrate", "up"]);
    let mut command = server.command();
    let output = command
        .arg("serve")
        .env("APEX_EMBEDDING_BASE_URL", "ftp://example.com")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("embedding.base_url"),
        "{said}"
    );
}
