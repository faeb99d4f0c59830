//! Python's grpcio: stubs made of the protos by grpcio-tools, reflection, health.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::kit;
use super::setup::{Setup, Wire, both, content};

const SCRIPTS: &str = "tests/clients/python";

/// Generates stubs into a folder of their own.
pub fn stubs(test: &str) -> Option<TempDir> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().display();
    let mut python = kit::python(test)?;
    python
        .args(["-m", "grpc_tools.protoc", "-Iproto"])
        .arg(format!("--python_out={path}"))
        .arg(format!("--grpc_python_out={path}"))
        // google.api comes with googleapis-common-protos.
        .args(["apex/options/v1/options.proto"])
        .args(["apex/metrics/v1/metrics.proto"]);
    content(&mut python);
    Some(folder)
}

/// Python that is told of a server, and finds scripts and stubs.
fn script(setup: &Setup, test: &str, stubs: &Path) -> Option<Command> {
    let mut python = kit::python(test)?;
    let paths = std::env::join_paths([Path::new(SCRIPTS), stubs]).expect("a path");
    python.env("PYTHONPATH", paths);
    setup.tell(&mut python);
    Some(python)
}

/// Runs test modules of Python against a server.
fn run(test: &str, wire: Wire, modules: &[&str]) {
    let Some(stubs) = stubs(test) else {
        return;
    };
    let setup = Setup::new(
        wire,
        &[
            ("APEX_LIMITS_METRICS_ANALYTICS_LIMIT", "5"),
            ("APEX_LIMITS_METRICS_ANALYTICS_WINDOW", "365d"),
        ],
    );
    for module in modules {
        let Some(mut python) = script(&setup, test, stubs.path()) else {
            return;
        };
        python.env("HASTY_KEY", setup.key("metrics.read"));
        python.args(["-m", "unittest", "--verbose", module]);
        let output = python.output().expect("Python runs");
        let said = both(&output);
        // A module without a test would be content as well.
        assert!(
            output.status.success() && !said.contains("Ran 0 tests"),
            "{said}"
        );
    }
}

const STUBS: [&str; 2] = ["metrics_test", "stream_test"];
const DISCOVERY: [&str; 1] = ["discovery_test"];

#[test]
fn stubs_over_h2c() {
    run("clients::python::stubs_over_h2c", Wire::Plain, &STUBS);
}

#[test]
fn stubs_over_tls() {
    run("clients::python::stubs_over_tls", Wire::Tls, &STUBS);
}

#[test]
fn discovery_over_h2c() {
    run(
        "clients::python::discovery_over_h2c",
        Wire::Plain,
        &DISCOVERY,
    );
}

#[test]
fn discovery_over_tls() {
    run("clients::python::discovery_over_tls", Wire::Tls, &DISCOVERY);
}

#[test]
fn health_is_watched_until_the_server_goes() {
    let test = "clients::python::health_is_watched_until_the_server_goes";
    let mut setup = Setup::new(Wire::Plain, &[("APEX_TRANSPORT_DRAIN_TIMEOUT", "1s")]);
    let Some(mut python) = script(&setup, test, Path::new("")) else {
        return;
    };
    let mut watch = python
        .arg(Path::new(SCRIPTS).join("watch.py"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let mut said = BufReader::new(watch.stdout.take().expect("its output"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    assert_eq!(line, "SERVING\n");
    assert_eq!(setup.server.terminate(), Some(0));
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("text");
    assert_eq!(rest, "NOT_SERVING\nUNAVAILABLE\n");
    assert!(watch.wait().expect("it ends").success());
}
