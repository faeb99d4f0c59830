//! A handler that panics fails its own call and no other: the caller is told nothing
//! but that it failed, the log says which request it was and where it happened.

use std::io::Write;
use std::sync::{Arc, Mutex};

use apex::conformance::{Exchange, Handler, Host};
use futures_util::FutureExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::Code;
use tracing::subscriber::DefaultGuard;

use crate::support::{Http, web};

/// What was logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// The lines that tell of a request.
    fn of(&self, request: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().filter(|line| line.contains(request));
        lines.map(str::to_owned).collect()
    }
}

/// A host whose handler panics when it is asked to.
struct Running {
    http: Http,
    log: Log,
    _stop: watch::Sender<bool>,
    _logging: DefaultGuard,
}

async fn start() -> Running {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // Tests run on one thread, and so does what they start.
    let logging = tracing::subscriber::set_default(subscriber);
    let mut compiler = protox::Compiler::new(["proto", "tests/proto"]).unwrap();
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file("testing/v1/mechanisms.proto").unwrap();
    let handler: Handler = Arc::new(|exchange| async move { handle(exchange) }.boxed());
    let host = Host::open(&compiler.encode_file_descriptor_set(), handler).await;
    let host = host.unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = Http::new(&format!("http://{}", tcp.local_addr().unwrap()));
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(async move { host.serve(tcp, stopping).await });
    Running {
        http,
        log,
        _stop: stop,
        _logging: logging,
    }
}

fn handle(exchange: Exchange) -> Vec<Result<bytes::Bytes, apex::error::Error>> {
    if exchange.request.ends_with(b"literal") {
        panic!("it broke");
    }
    if exchange.request.ends_with(b"words") {
        // Words that were put together may quote the request.
        let secret = String::from_utf8_lossy(&exchange.request).into_owned();
        panic!("it broke over {secret}");
    }
    vec![Ok(exchange.request)]
}

#[tokio::test]
async fn over_rest() {
    let host = start().await;
    for (id, name, cause) in [
        ("r-1", "literal", "a handler panicked: it broke"),
        (
            "r-2",
            "hunter2-words",
            "a handler panicked: its words are left out",
        ),
    ] {
        let http = host.http.with("x-request-id", id);
        let answer = http.get(&format!("/things/{name}")).await;
        let body = r#"{"error":"Internal server error","code":"INTERNAL_ERROR","status":500}"#;
        assert_eq!((answer.status, answer.text.as_str()), (500, body));
        assert_eq!(answer.header("x-request-id"), Some(id));
        let lines = host.log.of(id);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("ERROR"), "{lines:?}");
        assert!(lines[0].contains(cause), "{lines:?}");
        assert!(!lines[0].contains("hunter2"), "{lines:?}");
        // The connection is not hurt.
        host.http.get("/things/whole").await.expect(200);
    }
    // A stream that could not begin.
    let answer = host.http.get("/watch?name=literal").await;
    assert_eq!(answer.status, 500);
}

#[tokio::test]
async fn over_grpc() {
    let host = start().await;
    let many = host.http.clone();
    let others = tokio::spawn(async move {
        for _ in 0..50 {
            many.get("/things/whole").await.expect(200);
        }
    });
    for (id, method) in [("g-1", "Get"), ("g-2", "Watch")] {
        let http = host.http.with("x-request-id", id);
        let method = format!("testing.v1.Mechanisms/{method}");
        let request = "literal".to_owned();
        let status = web::call::<String>(&http, &method, &request)
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{status:?}");
        let lines = host.log.of(id);
        let cause = "a handler panicked: it broke";
        assert!(lines.iter().any(|line| line.contains(cause)), "{lines:?}");
        let honest = "whole".to_owned();
        let whole = web::call::<String>(&host.http, &method, &honest);
        assert_eq!(whole.await.unwrap(), "whole");
    }
    others.await.unwrap();
}
