//! Deliveries are checked by other people's programs: those of the guide, and the
//! libraries of Standard Webhooks.

use std::process::Command;

use serde_json::json;

use super::delivery::World;
use crate::clients::kit::{self, Web};
use crate::growth::receiver::{Reaction, Received};

const GUIDE: &str = include_str!("../../../docs/webhooks.md");

/// The guide's one block in a language.
fn program(language: &str) -> &'static str {
    let (_, rest) = GUIDE
        .split_once(&format!("```{language}\n"))
        .expect("a block");
    rest.split_once("```").expect("its end").0
}

/// What a program prints that is given a body.
fn run(command: &mut Command, body: &str) -> String {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(body.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .to_lowercase()
}

#[tokio::test]
async fn the_programs_of_the_guide_verify() {
    let test = "growth::webhooks::verifying::the_programs_of_the_guide_verify";
    let world = World::start(&[]).await;
    world.stitch("v", "ada@example.com").await;
    let received = world.receiver.wait(1).await.remove(0);
    let secret = world.hook["secret"].as_str().unwrap();
    let changed = received.body.replace("ada@", "eve@");
    let folder = tempfile::tempdir().unwrap();
    for (name, language) in [("python3", "python"), ("node", "js")] {
        let Some(path) = crate::support::skip::program(name) else {
            crate::support::skip::skip(test, &format!("{name} is not installed"));
            continue;
        };
        let file = folder
            .path()
            .join(format!("verify.{}", language.replace("js", "mjs")));
        std::fs::write(&file, program(language)).unwrap();
        let second = match language {
            "python" => received.headers["x-apex-signature"].clone(),
            _ => json!(received.headers).to_string(),
        };
        let verify = |secret: &str, body: &str| {
            let mut command = Command::new(&path);
            run(command.arg(&file).args([secret, &second]), body)
        };
        assert_eq!(verify(secret, &received.body), "true", "{name}");
        assert_eq!(verify(secret, &changed), "false", "{name}");
        let other = format!("whsec_{}", "A".repeat(44));
        assert_eq!(verify(&other, &received.body), "false", "{name}");
    }
}

const PYTHON: &str = r#"
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError
secret, headers = sys.argv[1:]
try:
    Webhook(secret).verify(sys.stdin.buffer.read(), json.loads(headers))
    print(True)
except WebhookVerificationError:
    print(False)
"#;

const NODE: &str = r#"
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";
const [secret, headers] = process.argv.slice(2);
try {
  new Webhook(secret).verify(readFileSync(0, "utf8"), JSON.parse(headers));
  console.log(true);
} catch (error) {
  if (error.name !== "WebhookVerificationError" && !/signature/i.test(error.message)) throw error;
  console.log(false);
}
"#;

/// The libraries that Standard Webhooks publishes on PyPI and npm.
#[tokio::test]
async fn the_libraries_of_standard_webhooks_verify() {
    let test = "growth::webhooks::verifying::the_libraries_of_standard_webhooks_verify";
    let (python, web) = (kit::python(test), Web::find(test));
    let world = World::start(&[]).await;
    let former = world.hook["secret"].as_str().unwrap();
    let rotate = json!({"id": world.hook["id"]});
    let path = "/api/webhooks/rotate-secret";
    let rotated = world.http.post(path, &rotate).await.expect(200);
    let secret = rotated["secret"].as_str().unwrap();
    // Tried again after a failure, it is signed anew.
    world.receiver.plan([Reaction::Answer(500, "")]);
    world.stitch("v", "ada@example.com").await;
    let received = world.receiver.wait(2).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("verify.py"), PYTHON).unwrap();
    std::fs::write(folder.path().join("verify.mjs"), NODE).unwrap();
    if let Some(web) = &web {
        let modules = folder.path().join("node_modules");
        std::os::unix::fs::symlink(&web.modules, modules).unwrap();
    }
    let programs = [
        python.map(|python| (python, "verify.py")),
        web.map(|web| (web.node(), "verify.mjs")),
    ];
    for (program, file) in programs.into_iter().flatten() {
        let verify = |secret: &str, received: &Received, body: &str| {
            let mut command = Command::new(program.get_program());
            for (name, value) in program.get_envs() {
                command.env(name, value.unwrap_or_default());
            }
            command.current_dir(folder.path()).arg(file);
            run(
                command.args([secret, &json!(received.headers).to_string()]),
                body,
            )
        };
        for one in &received {
            // Both secrets sign for a day.
            for secret in [secret, former] {
                assert_eq!(verify(secret, one, &one.body), "true", "{file}");
            }
            let changed = one.body.replace("ada@", "eve@");
            assert_eq!(verify(secret, one, &changed), "false", "{file}");
        }
        let other = format!("whsec_{}=", "A".repeat(43));
        assert_eq!(
            verify(&other, &received[0], &received[0].body),
            "false",
            "{file}"
        );
        let mut late = received[0].clone();
        let time = late.headers.get_mut("webhook-timestamp").unwrap();
        *time = (time.parse::<i64>().unwrap() - 600).to_string();
        assert_eq!(verify(secret, &late, &late.body), "false", "{file}");
    }
}
