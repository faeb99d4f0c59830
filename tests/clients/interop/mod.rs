//! The cases of gRPC's own interoperability tests
//! (`doc/interop-test-descriptions.md` of grpc/grpc), by Python's grpcio and Node's
//! grpc-js, against the service those tests are about. It stands behind the same
//! server as the products do.

mod messages;
mod service;

use std::process::Command;

use apex::conformance::Host;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::kit;
use super::setup::{both, content};
use super::workshop::Workshop;

const SCRIPTS: &str = "tests/clients/python";
const PROTOS: &str = "tests/proto";
const FILES: [&str; 2] = ["interop/test.proto", "interop/unimplemented.proto"];

/// The service, served until it is dropped.
struct Served {
    url: String,
    _stop: watch::Sender<bool>,
    _runtime: Runtime,
}

impl Served {
    fn start() -> Self {
        let mut compiler = protox::Compiler::new([PROTOS]).expect("the protos");
        compiler
            .include_imports(true)
            .open_file(FILES[0])
            .expect("the service");
        let descriptors = compiler.encode_file_descriptor_set();
        let runtime = Runtime::new().expect("a runtime");
        let (stop, stopping) = watch::channel(false);
        let url = runtime.block_on(async {
            let host = Host::foreign(&descriptors, service::server);
            let host = host.await.expect("a host");
            let tcp = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let url = format!("http://{}", tcp.local_addr().expect("an address"));
            tokio::spawn(async move { host.serve(tcp, stopping).await });
            url
        });
        Self {
            url,
            _stop: stop,
            _runtime: runtime,
        }
    }

    fn tell(&self, command: &mut Command) {
        command.env("SERVER_URL", &self.url);
    }
}

#[test]
fn by_python() {
    let test = "clients::interop::by_python";
    let (Some(mut generate), Some(mut python)) = (kit::python(test), kit::python(test)) else {
        return;
    };
    let stubs = tempfile::tempdir().expect("a temporary directory");
    let path = stubs.path().display();
    generate.args(["-m", "grpc_tools.protoc", "-I", PROTOS]);
    generate.arg(format!("--python_out={path}"));
    generate.arg(format!("--grpc_python_out={path}"));
    content(generate.args(FILES));

    let served = Served::start();
    served.tell(&mut python);
    let paths = std::env::join_paths([stubs.path(), SCRIPTS.as_ref()]).expect("a path");
    python.env("PYTHONPATH", paths);
    python.args(["-m", "unittest", "--verbose", "interop_test"]);
    let output = python.output().expect("Python runs");
    let said = both(&output);
    assert!(
        output.status.success() && !said.contains("Ran 0 tests"),
        "{said}"
    );
}

#[test]
fn by_node() {
    let Some(workshop) = Workshop::new("clients::interop::by_node") else {
        return;
    };
    workshop.generate(PROTOS, &["tests/proto/interop"]);
    let served = Served::start();
    workshop.run("interop.test.mjs", |node| {
        node.env("PROTOS", std::fs::canonicalize(PROTOS).expect("the protos"));
        served.tell(node);
    });
}
