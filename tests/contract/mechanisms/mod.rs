//! Every mechanism of the transcoder, over real HTTP, on services of a proto that
//! only tests have. Their methods answer with the request they were given.

mod binding;
mod body;
mod feathers;
mod forms;
mod limits;
mod page;
mod streams;

use std::sync::Arc;

use apex::conformance::{Exchange, Handler, Host};
use apex::error::{Error, Kind};
use apex::transcode::wire;
use bytes::Bytes;
use futures_util::FutureExt as _;
use reqwest::Method;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::support::{Answer, Http};

/// A host of the mechanisms; it ends with the test.
struct Running {
    http: Http,
    url: String,
    host: Arc<Host>,
    _stop: watch::Sender<bool>,
}

async fn start() -> Running {
    let mut compiler = protox::Compiler::new(["proto", "tests/proto"]).unwrap();
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file("testing/v1/mechanisms.proto").unwrap();
    let descriptors = compiler.encode_file_descriptor_set();
    let handler: Handler = Arc::new(|exchange| std::future::ready(mirror(exchange)).boxed());
    let host = Arc::new(Host::open(&descriptors, handler).await.unwrap());
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", tcp.local_addr().unwrap());
    let http = Http::new(&url);
    let (stop, stopping) = watch::channel(false);
    let serving = host.clone();
    tokio::spawn(async move { serving.serve(tcp, stopping).await });
    Running {
        http,
        url,
        host,
        _stop: stop,
    }
}

fn mirror(exchange: Exchange) -> Vec<Result<Bytes, Error>> {
    match exchange.spec.name {
        "Watch" => watch_thrice(&exchange),
        "Download" => download(&exchange),
        "Forget" => vec![Ok(Bytes::new())],
        "Select" => vec![Ok(selecting(&exchange.request))],
        _ => vec![Ok(exchange.request)],
    }
}

/// Turns `fields`, number 4, into the selection, number 5.
fn selecting(request: &[u8]) -> Bytes {
    let mut answer = Vec::new();
    let mut fields = wire::Fields::new(request);
    while let Some((number, raw)) = fields.read().unwrap() {
        let wire::Raw::Bytes(bytes) = raw else {
            continue;
        };
        let number = if number == 4 { 5 } else { number };
        wire::put_tag(&mut answer, number, wire::WireType::Delimited);
        wire::put_bytes(&mut answer, bytes);
    }
    answer.into()
}

fn watch_thrice(exchange: &Exchange) -> Vec<Result<Bytes, Error>> {
    let mut answers: Vec<_> = (0..3).map(|_| Ok(exchange.request.clone())).collect();
    // Field 2 of the request, its name.
    if exchange.request.ends_with(b"fails") {
        answers.push(Err(Error::new(Kind::Aborted, "It failed late")));
    }
    if exchange.request.ends_with(b"empty") {
        answers.clear();
    }
    answers
}

/// Two pieces of a file that has a type, or what comes of them.
fn download(exchange: &Exchange) -> Vec<Result<Bytes, Error>> {
    let piece = |data: &[u8]| {
        let mut body = Vec::new();
        for (number, bytes) in [(1, b"text/csv".as_slice()), (2, data)] {
            wire::put_tag(&mut body, number, wire::WireType::Delimited);
            wire::put_bytes(&mut body, bytes);
        }
        Ok(body.into())
    };
    let failed = || Err(Error::new(Kind::Aborted, "It failed"));
    match exchange.request.as_ref() {
        request if request.ends_with(b"fails") => vec![piece(b"a,"), failed()],
        request if request.ends_with(b"never") => vec![failed()],
        request if request.ends_with(b"empty") => vec![],
        _ => vec![piece(b"a,"), piece(b"b")],
    }
}

impl Running {
    async fn get(&self, path: &str) -> Answer {
        self.http.get(path).await
    }

    /// Sends JSON text as it is.
    async fn send(&self, verb: &str, path: &str, body: &str) -> Answer {
        let verb = Method::from_bytes(verb.as_bytes()).unwrap();
        let http = self.http.with("content-type", "application/json");
        http.send(verb, path, Some(body.as_bytes().to_vec())).await
    }

    /// Expects a refusal that names the parameter or member.
    #[track_caller]
    fn refused(answer: &Answer, message: &str) {
        let body = answer.expect(400);
        assert_eq!(body["error"], message);
        assert_eq!(body["code"], "VALIDATION_ERROR");
        assert_eq!(body["status"], 400);
    }
}

/// The members of an answer that are not at their default.
fn told(answer: &Answer) -> Value {
    let mut body = answer.json();
    let idle = |value: &Value| {
        value.is_null()
            || [
                0.into(),
                0.0.into(),
                "".into(),
                false.into(),
                Value::Array(vec![]),
            ]
            .contains(value)
            || *value == serde_json::json!({})
    };
    if let Some(members) = body.as_object_mut() {
        members.retain(|_, value| !idle(value));
        if members.get("colour") == Some(&"COLOUR_UNSPECIFIED".into()) {
            members.remove("colour");
        }
    }
    body
}
