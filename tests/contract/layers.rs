//! Who may import whom: `docs/architecture.md` draws the layers, this test keeps
//! them apart.

use std::fs;
use std::path::{Path, PathBuf};

/// Every source file below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// Files below `src` and what they hold, comments left out.
fn code() -> Vec<(String, String)> {
    let mut files = Vec::new();
    sources(Path::new("src"), &mut files);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        (
            path.display().to_string(),
            lines.collect::<Vec<_>>().join("\n"),
        )
    };
    files.into_iter().map(read).collect()
}

/// Names of all products.
fn products() -> Vec<String> {
    let folders = fs::read_dir("src/products").unwrap();
    folders
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

#[test]
fn products_do_not_know_each_other() {
    for (file, text) in code() {
        let Some(own) = file
            .strip_prefix("src/products/")
            .and_then(|rest| rest.split('/').next())
        else {
            continue;
        };
        for other in products().iter().filter(|other| *other != own) {
            // The public face of accounts is for everyone.
            let import = format!("products::{other}");
            let generated = format!("apex::{other}::v1");
            if other != "account" {
                assert!(!text.contains(&import), "{file} imports {import}");
                assert!(!text.contains(&generated), "{file} uses {generated}");
            }
        }
    }
}

#[test]
fn what_products_stand_on_knows_no_product() {
    const BELOW: [&str; 12] = [
        "browser",
        "webhooks",
        "server",
        "transcode",
        "auth",
        "limit",
        "events",
        "db",
        "policy",
        "config",
        "error.rs",
        "clock.rs",
    ];
    for (file, text) in code() {
        let part = file
            .strip_prefix("src/")
            .unwrap()
            .split('/')
            .next()
            .unwrap();
        if BELOW.contains(&part) {
            assert!(!text.contains("products::"), "{file} imports a product");
        }
    }
}

#[test]
fn only_the_configuration_reads_the_environment() {
    for (file, text) in code() {
        let reads = ["env::var", "env::vars", "env::var_os"];
        let found = reads.iter().any(|read| text.contains(read));
        // Unit tests ask it which database they run on.
        let may = file.starts_with("src/config/") || file.contains("/tests/");
        assert!(!found || may, "{file} reads the environment");
    }
}

#[test]
fn only_respond_renders_errors() {
    for (file, text) in code() {
        let allowed = [
            "src/server/respond.rs",
            "src/server/stream.rs",
            "src/transcode/errors.rs",
        ];
        if !allowed.contains(&file.as_str()) {
            assert!(!text.contains("Problem::of"), "{file} renders an error");
        }
    }
}

#[test]
fn modules_say_what_they_are_for() {
    let mut files = Vec::new();
    for folder in ["src", "build", "migration/src", "tests"] {
        sources(Path::new(folder), &mut files);
    }
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//!"), "{} does not", file.display());
    }
}
