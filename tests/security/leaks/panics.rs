//! A handler that panics, with words that quote the request.

use std::io::Write;
use std::sync::{Arc, Mutex};

use apex::conformance::{Exchange, Handler, Host};
use futures_util::FutureExt as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing_subscriber::fmt::MakeWriter;

use super::canaries::Canaries;
use crate::support::Http;

/// A log that a test can read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn panicking(exchange: &Exchange) {
    let quoted = String::from_utf8_lossy(&exchange.request).into_owned();
    assert!(!quoted.contains("literal"), "a literal");
    // The standard library quotes the text itself.
    let cut = quoted.find('é').unwrap() + 1;
    println!("{}", &quoted[..cut]);
}

#[tokio::test]
async fn a_panic_quotes_no_request() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    // One thread runs the server and the test.
    let _logging = tracing::subscriber::set_default(subscriber);
    apex::panics::log();
    let mut compiler = protox::Compiler::new(["proto", "tests/proto"]).unwrap();
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file("testing/v1/mechanisms.proto").unwrap();
    let handler: Handler = Arc::new(|exchange| {
        async move {
            panicking(&exchange);
            vec![]
        }
        .boxed()
    });
    let descriptors = compiler.encode_file_descriptor_set();
    let host = Arc::new(Host::open(&descriptors, handler).await.unwrap());
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = Http::new(&format!("http://{}", tcp.local_addr().unwrap()));
    let (_stop, stopping) = watch::channel(false);
    tokio::spawn(async move { host.serve(tcp, stopping).await });

    let mut canaries = Canaries::new();
    let mut told = String::new();
    for id in [
        "literal".to_owned(),
        canaries.word("the request") + "%C3%A9",
    ] {
        let answer = http.get(&format!("/things/{id}")).await;
        let failure = json!({
            "error": "Internal server error", "code": "INTERNAL_ERROR", "status": 500,
        });
        assert_eq!(answer.expect(500), failure, "{id}");
        told += &answer.text;
    }
    told += &String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(canaries.found("the log", &told).is_empty(), "{told}");
    for words in [
        "a handler panicked: a literal",
        "panicked",
        "panics.rs",
        "left out",
    ] {
        assert!(told.contains(words), "no `{words}` in {told}");
    }
}
