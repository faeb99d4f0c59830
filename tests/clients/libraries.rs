//! The clients in `clients/`: made of the protos, tested by themselves, and their
//! examples run against a server.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::kit::{self, Web};
use super::setup::{Setup, Wire, content};

/// A copy of a client, for what is generated does not belong beside its sources.
fn copy(name: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut copy = Command::new("cp");
    copy.arg("-R").arg(format!("clients/{name}/."));
    content(copy.arg(folder.path()));
    folder
}

/// Makes a client's messages of the protos.
fn generate(command: &mut Command, folder: &Path) {
    let protos = std::fs::canonicalize("proto").expect("the protos");
    content(command.arg("generate").arg(protos).current_dir(folder));
}

/// What the examples tell is stored, each of it once.
async fn stored(setup: &Setup) {
    let owner = setup.server.http().bearer(&setup.organization.key);
    let what = "metrics=page_views,unique_visitors,events,revenue&group_by=event_name";
    let answer = owner
        .get(&format!("/api/v1/analytics?{what}"))
        .await
        .expect(200);
    let revenue = json!([{"currency": "EUR", "purchases": 1, "units": 2, "amount": "59.98"}]);
    let all = json!({
        "page_views": 1, "unique_visitors": 1, "events": 2, "revenue": revenue,
    });
    assert_eq!(answer["data"], all);
    let groups = answer["groups"].as_array().expect("a list").iter();
    let mut names: Vec<_> = groups.filter_map(|group| group["key"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["identify", "pageview", "purchase"]);
    // What came before belongs to whom the e-mail names.
    let deadline = Instant::now() + Duration::from_secs(15);
    let lead = loop {
        let path = "/api/identity?visitorId=v_example";
        let identity = owner.get(path).await.expect(200);
        if identity["leadId"].is_string() {
            break identity["leadId"].clone();
        }
        assert!(Instant::now() < deadline, "{identity}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let path = "/api/leads?email=jo@example.com";
    let leads = owner.get(path).await.expect(200);
    assert_eq!(leads[0]["id"], lead);
    assert_eq!(leads[0]["traits"], json!({"plan": "team"}));
}

#[tokio::test]
async fn the_typescript_client() {
    let test = "clients::libraries::the_typescript_client";
    let Some(web) = Web::find(test) else {
        return;
    };
    let folder = copy("typescript");
    let modules = folder.path().join("node_modules");
    std::os::unix::fs::symlink(&web.modules, modules).expect("a link");
    // Its own scripts find node_modules by themselves.
    let mut bash = web.program("buf");
    let path = bash.get_envs().find(|(name, _)| *name == "PATH");
    let path = path
        .and_then(|(_, value)| value)
        .expect("a path")
        .to_owned();
    bash = Command::new("bash");
    generate(bash.env("PATH", &path), folder.path());
    for file in ["example", "test"] {
        let mut esbuild = web.program("esbuild");
        esbuild.current_dir(folder.path()).arg(format!("{file}.ts"));
        esbuild.args(["--bundle", "--platform=node", "--format=esm"]);
        esbuild.args(["--log-level=warning", &format!("--outfile={file}.mjs")]);
        content(&mut esbuild);
    }
    let said = content(
        web.node()
            .current_dir(folder.path())
            .args(["--test", "test.mjs"]),
    );
    assert!(
        said.contains("# pass 5") && said.contains("# fail 0"),
        "{said}"
    );

    let setup = Setup::new(Wire::Plain, &[]);
    let mut node = web.node();
    node.current_dir(folder.path()).arg("example.mjs");
    node.env("URL", &setup.server.url);
    node.env("PROJECT_KEY", &setup.organization.project_key);
    assert_eq!(content(&mut node), "sent\n");
    stored(&setup).await;
}

#[tokio::test]
async fn the_python_client() {
    let test = "clients::libraries::the_python_client";
    let Some(python) = kit::python(test) else {
        return;
    };
    let folder = copy("python");
    let mut bash = Command::new("bash");
    generate(bash.env("PYTHON", python.get_program()), folder.path());
    let run = |arguments: &[&str]| {
        let mut python = kit::python(test).expect("Python");
        python.current_dir(folder.path()).env("PYTHONPATH", "src");
        python.args(arguments);
        python
    };
    content(&mut run(&["-m", "unittest", "test"]));

    let setup = Setup::new(Wire::Plain, &[]);
    let mut example = run(&["example.py"]);
    example.env("URL", &setup.server.url);
    example.env("PROJECT_KEY", &setup.organization.project_key);
    assert_eq!(content(&mut example), "sent\n");
    stored(&setup).await;
}
