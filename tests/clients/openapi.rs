//! The OpenAPI document held against the server that shows it: schemathesis makes
//! requests of the schemas, valid ones and others, and looks whether every answer
//! is one the document names. `SEED` and `EXAMPLES` vary and lengthen the run.

mod names;
mod platform;
mod requests;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::kit;
use super::setup::{Setup, Wire, both};
use crate::support::engine::Engine;
use crate::support::seed;
use crate::support::server::PASSWORD;

const FILES: &str = "tests/clients/openapi";

/// Works once, before there is an organization.
const SET_UP: &str = "/apex.account.v1.SessionService/CompleteSetup";

/// Methods that a page calls, of an origin that schemathesis does not guess, who signs the
/// bytes it sends, or who was invited: they must have been asked. `metrics::browser`,
/// `paas::github` and `paas::teams` call them as those do.
const OF_OTHERS: [&str; 4] = [
    "/apex.metrics.v1.BrowserService/CollectBeacon",
    "/apex.metrics.v1.BrowserService/CollectEvent",
    "/apex.paas.v1.SourceService/ReceiveGithubEvent",
    "/apex.paas.v1.TeamService/AcceptInvitation",
];

/// The CRM's methods are many, and alike: each gets this part of the examples of others.
const FEWER: u64 = 5;

/// Every rate group with a limit nobody reaches.
fn limits() -> Vec<(String, String)> {
    let defaults = include_str!("../../src/config/defaults.toml");
    let groups = defaults
        .lines()
        .filter_map(|line| line.strip_prefix("[limits.")?.strip_suffix(']'));
    let setting = |group: &str| format!("APEX_LIMITS_{}_LIMIT", group.to_uppercase());
    let groups = groups.map(setting);
    let plans = ["MINUTE", "DAY"].map(|window| format!("APEX_PLANS_SCALE_PER_{window}"));
    groups
        .chain(plans)
        .map(|name| (name, "1000000000".to_owned()))
        .collect()
}

/// Signs a user in and answers the session.
async fn session(setup: &Setup, email: &str) -> String {
    let user = json!({"email": email, "password": PASSWORD});
    let answer = setup.server.http().post("/api/auth/sign-in", &user).await;
    answer.expect(200);
    let cookie = answer.header("set-cookie").expect("a cookie");
    let value = cookie.strip_prefix("apex_session=").expect("a session");
    value.split(';').next().expect("a value").to_owned()
}

/// Adds a member and answers the user's id.
async fn member(setup: &Setup, name: &str) -> i64 {
    let owner = setup.server.http().bearer(&setup.organization.key);
    let email = format!("{name}@example.com");
    let user = json!({"email": email, "role": "member", "password": PASSWORD});
    let path = format!("/api/organizations/{}/members", setup.organization.id);
    let added = owner.post(&path, &user).await.expect(200);
    added["userId"].as_i64().expect("an id")
}

/// Copies the configuration, with the names of what is on this server and of members
/// who may go.
async fn configure(folder: &Path, setup: &Setup, examples: u64) {
    let mut members = Vec::new();
    for number in 0..8 {
        let name = format!("member{number}");
        members.push(member(setup, &name).await.to_string());
    }
    let text = std::fs::read_to_string(Path::new(FILES).join("schemathesis.toml"));
    let mut text = text
        .expect("the configuration")
        .replace("«organization»", &setup.organization.id.to_string())
        .replace("«members»", &members.join(", "))
        .replace("«project»", &setup.organization.project)
        .replace("«project_key»", &setup.organization.project_key)
        .replace("«email»", &setup.organization.email)
        .replace("«password»", PASSWORD)
        .replace("«few»", &examples.div_ceil(FEWER).to_string());
    for (name, values) in names::names(setup).await {
        let values: Vec<String> = values.iter().map(Value::to_string).collect();
        text = text.replace(&format!("«{name}»"), &values.join(", "));
    }
    std::fs::write(folder.join("schemathesis.toml"), text).expect("a file");
    std::fs::copy(Path::new(FILES).join("hooks.py"), folder.join("hooks.py")).expect("a file");
}

/// Who calls, and what of it must stay: the owner, its key and the first project.
async fn credentials(setup: &Setup) -> Vec<(&'static str, String)> {
    let owner = setup.server.http().bearer(&setup.organization.key);
    let me = owner.get("/api/me").await.expect(200);
    let keys = owner.get("/api/api-keys").await.expect(200);
    let key = keys[0]["id"].as_str().expect("an id");
    let project = &setup.organization.project;
    let rotator = setup.server.key(&setup.organization, "memory.write");
    for name in ["leaver", "changer"] {
        member(setup, name).await;
    }
    vec![
        ("KEY", setup.organization.key.clone()),
        ("SESSION", session(setup, &setup.organization.email).await),
        ("LEAVER", session(setup, "leaver@example.com").await),
        ("CHANGER", session(setup, "changer@example.com").await),
        (
            "ROTATOR",
            rotator["key"].as_str().expect("a key").to_owned(),
        ),
        ("OWN", format!("{},{key},{project}", me["user"]["id"])),
    ]
}

/// The methods a document has routes for, as its descriptions name them.
fn methods(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().expect("paths");
    let routes = paths
        .values()
        .flat_map(|path| path.as_object().unwrap().values());
    let name = |route: &Value| {
        let about = route["description"].as_str().expect("a description");
        let (_, name) = about.split_once("gRPC: `").expect("a method");
        name.split('`').next().expect("its name").to_owned()
    };
    routes.map(name).collect()
}

#[tokio::test]
async fn answers_are_as_the_document_says() {
    let test = "clients::openapi::answers_are_as_the_document_says";
    let Some(mut python) = kit::python(test) else {
        return;
    };
    let engine = Engine::start();
    let mut limits = limits();
    limits.extend(engine.settings());
    let mut settings: Vec<(&str, &str)> = limits.iter().map(|(k, v)| (&**k, &**v)).collect();
    settings.push(("APEX_SIGNUP", "open"));
    let setup = Setup::new(Wire::Plain, &settings);
    let server = &setup.server;
    let credentials = credentials(&setup).await;
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (seed, examples) = (seed::setting("SEED", 1), seed::setting("EXAMPLES", 25));
    configure(folder.path(), &setup, examples).await;
    let requests = requests::requests(&setup, &credentials[1].1).await;
    std::fs::write(folder.path().join("requests.json"), requests.to_string()).expect("a file");
    println!("{test}: SEED={seed}");
    let before = server.log().len();
    python
        .current_dir(folder.path())
        .env("PYTHONPATH", folder.path())
        .envs(credentials.clone())
        .args(["-m", "schemathesis.cli", "run"])
        .arg(format!("{}/openapi.json", server.url))
        .args(["--seed", &seed.to_string()])
        .args(["--max-examples", &examples.to_string()]);
    let said = both(&python.output().expect("schemathesis runs"));
    assert!(said.starts_with("exit status: 0\n"), "{said}");

    // A run that was let in nowhere would find nothing.
    let by_key = server.http().bearer(&credentials[0].1);
    by_key.get("/api/me").await.expect(200);
    let cookie = format!("apex_session={}", credentials[1].1);
    let by_cookie = server.http().with("cookie", &cookie);
    by_cookie.get("/api/me").await.expect(200);
    let log = server.log().split_off(before);
    let document = server.http().get("/openapi.json").await.expect(200);
    let mut never = methods(&document);
    never.remove(SET_UP);
    never.retain(|method| {
        let own = format!("method=\"{method}\"");
        let mut lines = log.lines().filter(|line| line.contains(&own));
        let is_asked = OF_OTHERS.contains(&method.as_str());
        !lines.any(|line| is_asked || line.contains(" status=2"))
    });
    assert!(never.is_empty(), "never succeeded: {never:#?}: {said}");
}
