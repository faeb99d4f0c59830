//! The programs in docs/clients.md, run as they stand there.

use serde_json::json;

use super::kit;
use super::python::stubs;
use super::setup::{Setup, Wire, content};
use super::workshop::Workshop;
use crate::support::server::PASSWORD;

const GUIDE: &str = include_str!("../../docs/clients.md");

/// The guide's one block in a language.
fn program(language: &str) -> &'static str {
    let (_, rest) = GUIDE
        .split_once(&format!("```{language}\n"))
        .expect("a block");
    rest.split_once("```").expect("its end").0
}

/// The program, with another server in the place of the guide's.
fn of_server(language: &str, guide: &str, server: &str) -> String {
    let text = program(language);
    assert_eq!(text.matches(guide).count(), 1, "{guide} stands in it once");
    text.replace(guide, server)
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was() {
    let test = "clients::guides::a_stream_goes_on_where_it_was";
    let (Some(stubs), Some(mut python)) = (stubs(test), kit::python(test)) else {
        return;
    };
    let setup = Setup::new(Wire::Plain, &[]);
    let address = setup.server.url.trim_start_matches("http://");
    let text = of_server("python", "127.0.0.1:3000", address);
    let file = stubs.path().join("guide.py");
    std::fs::write(&file, text).expect("a file");
    setup.tell(&mut python);
    python.env("PYTHONPATH", stubs.path());
    assert_eq!(content(python.arg(file)), "1200\n1203\n");

    let owner = setup.server.http().bearer(&setup.organization.key);
    let counted = owner
        .get("/api/v1/analytics?metrics=events")
        .await
        .expect(200);
    assert_eq!(counted["data"]["events"], 1203);
}

#[tokio::test]
async fn a_page_reads_with_its_user_s_session() {
    let test = "clients::guides::a_page_reads_with_its_user_s_session";
    let Some(workshop) = Workshop::new(test) else {
        return;
    };
    let setup = Setup::new(Wire::Plain, &[]);
    let http = setup.server.http();
    let event = json!({"event_name": "page_view"});
    let owner = http.bearer(&setup.organization.key);
    owner.post("/api/v1/events", &event).await.expect(200);
    let user = json!({"email": setup.organization.email, "password": PASSWORD});
    let signed_in = http.post("/api/auth/sign-in", &user).await;
    let cookie = signed_in.header("set-cookie").expect("a cookie");
    let cookie = cookie.split(';').next().expect("its value");

    let text = of_server("js", "https://api.example.com", &setup.server.url);
    // Node.js keeps no cookies: what a browser would add is added here.
    let browser = "const plain = globalThis.fetch;
globalThis.fetch = (input, init) => {
  const headers = new Headers(init.headers);
  if (init.credentials === 'include' && process.env.COOKIE) headers.set('cookie', process.env.COOKIE);
  return plain(input, { ...init, headers });
};
await import('./guide.mjs');
";
    std::fs::write(workshop.path().join("guide.mjs"), text).expect("a file");
    std::fs::write(workshop.path().join("browser.mjs"), browser).expect("a file");
    let run = |cookie: &str| {
        let mut node = workshop.node();
        content(node.arg("browser.mjs").env("COOKIE", cookie))
    };
    let said = run(cookie);
    assert!(said.ends_with(" 1n 0n\n"), "{said}");
    assert_eq!(run(""), "sign in first\n");
}
