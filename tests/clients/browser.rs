//! A headless Chromium with a page on another origin: connect-web and grpc-web.

use super::pages;
use super::setup::{Setup, Wire, content};
use super::workshop::Workshop;
use crate::support::skip::{program, skip};

const PAGE: &str = r#"<!doctype html>
<meta charset="utf-8">
<title>Test</title>
<script type="module" src="page.js"></script>
"#;

fn run(test: &str, wire: Wire) {
    let Some(chromium) = program("chromium") else {
        skip(test, "Chromium is not installed: scripts/clients install");
        return;
    };
    let Some(workshop) = Workshop::new(test) else {
        return;
    };
    let site = workshop.path().join("site");
    std::fs::create_dir(&site).expect("a folder");
    std::fs::write(site.join("index.html"), PAGE).expect("the page");
    let mut esbuild = workshop.program("esbuild");
    esbuild.args(["page.js", "--bundle", "--format=esm", "--log-level=warning"]);
    esbuild.arg("--outfile=site/page.js");
    content(&mut esbuild);

    let (allowed, refused) = (pages::serve(&site), pages::serve(&site));
    let setup = Setup::new(wire, &[("APEX_CORS_ORIGINS", &allowed)]);
    let profile = workshop.path().join("profile");
    workshop.test(
        &setup,
        "browser.test.mjs",
        &[
            ("ALLOWED_PAGE", &allowed),
            ("REFUSED_PAGE", &refused),
            ("CHROMIUM", chromium.to_str().expect("text")),
            ("PROFILE", profile.to_str().expect("text")),
        ],
    );
}

#[test]
fn pages_over_http1() {
    run("clients::browser::pages_over_http1", Wire::Plain);
}

#[test]
fn pages_over_tls() {
    run("clients::browser::pages_over_tls", Wire::Tls);
}
