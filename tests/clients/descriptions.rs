//! What describes the API, held against other people's checkers: the OpenAPI
//! document and the protos.

use std::process::Command;

use serde_json::Value;

use super::kit::{self, Web};
use super::setup::content;
use crate::support::Server;

#[tokio::test]
async fn the_openapi_document_is_valid() {
    let test = "clients::descriptions::the_openapi_document_is_valid";
    let Some(mut python) = kit::python(test) else {
        return;
    };
    let mut apex = Command::new(env!("CARGO_BIN_EXE_apex"));
    let text = content(apex.arg("openapi").env_clear());
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let version = document["openapi"].as_str().expect("a version");
    assert!(version.starts_with("3.1."), "{version}");

    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, &text).expect("a file");
    python.args(["-m", "openapi_spec_validator", "--schema", "3.1"]);
    let said = content(python.args(["--errors", "all"]).arg(&file));
    assert_eq!(said, format!("{}: OK\n", file.display()));

    // The server shows the same.
    let server = Server::start();
    let shown = server.http().get("/openapi.json").await.expect(200);
    assert_eq!(shown, document);
}

#[test]
fn the_protos_pass_the_linter() {
    let Some(web) = Web::find("clients::descriptions::the_protos_pass_the_linter") else {
        return;
    };
    let mut buf = web.program("buf");
    assert_eq!(content(buf.arg("lint")), "");
}
