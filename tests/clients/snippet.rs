//! The scripts for pages in a headless Chromium, on a site of another origin, and that
//! those the server serves are made of the sources that are there.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::kit::Web;
use super::setup::{Setup, Wire, content};
use super::workshop::Workshop;
use crate::support::skip::{program, skip};

fn run(test: &str, file: &str) {
    let Some(chromium) = program("chromium") else {
        skip(test, "Chromium is not installed: scripts/clients install");
        return;
    };
    let Some(workshop) = Workshop::new(test) else {
        return;
    };
    let setup = Setup::new(Wire::Plain, &[]);
    let vectors = fs::canonicalize("tests/data/experiments/assignment.json");
    let vectors = vectors.expect("the vectors");
    workshop.test(
        &setup,
        file,
        &[
            ("CHROMIUM", chromium.to_str().expect("text")),
            ("PROJECT", &setup.organization.project),
            ("PROJECT_KEY", &setup.organization.project_key),
            ("VECTORS", vectors.to_str().expect("text")),
        ],
    );
}

#[test]
fn the_growth_snippet_in_a_page() {
    run(
        "clients::snippet::the_growth_snippet_in_a_page",
        "snippet.test.mjs",
    );
}

#[test]
fn the_metrics_script_in_a_page() {
    run(
        "clients::snippet::the_metrics_script_in_a_page",
        "infinity.test.mjs",
    );
}

#[test]
fn the_served_scripts_are_those_of_the_sources() {
    let test = "clients::snippet::the_served_scripts_are_those_of_the_sources";
    let Some(web) = Web::find(test) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut make = Command::new("scripts/browser");
    make.arg(folder.path());
    make.env("ESBUILD", web.modules.join(".bin/esbuild"));
    content(&mut make);
    for file in ["apex.js", "infinity.js"] {
        let read = |folder: &Path| fs::read_to_string(folder.join(file)).expect("a script");
        let same = read(folder.path()) == read(Path::new("src/browser/served"));
        assert!(same, "{file} is not what scripts/browser makes");
    }
}
