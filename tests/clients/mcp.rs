//! The official SDK of the Model Context Protocol, which calls the memory product's tools
//! over HTTP and has the program as a server over standard input.

use std::path::Path;

use super::kit;
use super::setup::{Setup, Wire, both};
use crate::support::server::program;

fn run(test: &str, wire: Wire) {
    let Some(mut python) = kit::python(test) else {
        return;
    };
    let setup = Setup::new(wire, &[]);
    setup.tell(&mut python);
    python
        .env("PYTHONPATH", Path::new("tests/clients/python"))
        .env("APEX", program())
        // Whose configuration does not matter: the server is named.
        .env("APEX_DATA_DIR", std::env::temp_dir().join("nothing"))
        .args(["-m", "unittest", "--verbose", "mcp_test"]);
    let output = python.output().expect("Python runs");
    let said = both(&output);
    assert!(
        output.status.success() && said.contains("Ran 3 tests"),
        "{said}"
    );
}

#[test]
fn tools_in_plain_text() {
    run("clients::mcp::tools_in_plain_text", Wire::Plain);
}

#[test]
fn tools_over_tls() {
    run("clients::mcp::tools_over_tls", Wire::Tls);
}
