//! The traffic, and the answers about it, from the scripts in `tests/data/events`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use apex::api::apex::metrics::v1 as pb;
use prost_types::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::clients::kit;
use crate::durability::stored;
use crate::support::skip::{program, skip};
use crate::support::{Organization, Server};

const SCRIPTS: &str = "tests/data/events";
/// Deliveries that follow each other go the same way.
const BLOCK: usize = 250;

/// Generated traffic.
#[derive(Debug)]
pub struct Data {
    /// All deliveries, as JSON.
    pub lines: Vec<String>,
    /// The right answers.
    pub expected: Value,
    folder: TempDir,
}

impl Data {
    /// Generates so many events; `None` where Python or a package is missing.
    pub fn generate(test: &str, events: u64, seed: u64) -> Option<Self> {
        let folder = generated(test, events, seed, "infinity")?;
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let mut lines: Vec<String> = Vec::new();
        for name in ["infinity_events.ndjson", "infinity_purchases.ndjson"] {
            lines.extend(read(name).lines().map(str::to_owned));
        }
        Some(Self {
            lines,
            expected: serde_json::from_str(&read("expected.json")).unwrap(),
            folder,
        })
    }

    /// A third of the deliveries.
    pub fn part(&self, third: usize) -> Vec<&str> {
        let blocks = self.lines.chunks(BLOCK).enumerate();
        let own = blocks.filter(|(at, _)| at % 3 == third);
        own.flat_map(|(_, block)| block)
            .map(String::as_str)
            .collect()
    }

    /// The third that is a file.
    pub fn file(&self) -> PathBuf {
        let path = self.folder.path().join("third.ndjson");
        if !path.exists() {
            fs::write(&path, self.part(0).join("\n") + "\n").unwrap();
        }
        path
    }

    /// Every logical event is exported, once.
    pub async fn is_stored_once(&self, server: &Server, organization: &Organization) {
        let found = stored::events(&server.url, &organization.key).await;
        let ids: BTreeSet<_> = found.iter().map(|event| event.event_id.clone()).collect();
        assert_eq!(ids.len(), found.len());
        let sent = self.lines.iter().map(|line| {
            let item: Value = serde_json::from_str(line).unwrap();
            format!("evt_{}", item["metadata"]["event_id"].as_str().unwrap())
        });
        assert!(
            sent.collect::<BTreeSet<_>>() == ids,
            "other events are stored"
        );
    }
}

/// Generates so many events, and the answers about them in one of the two shapes;
/// `None` where Python or a package is missing.
pub fn generated(test: &str, events: u64, seed: u64, shape: &str) -> Option<TempDir> {
    let Some(python) = python() else {
        skip(
            test,
            "no python3 with numpy, duckdb, pandas: scripts/clients install",
        );
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let (n, seed) = (events.to_string(), seed.to_string());
    // Six weeks with the night in which Berlin's clocks go forward.
    let start = [
        "--n",
        &n,
        "--seed",
        &seed,
        "--start",
        "2025-02-17",
        "--out",
        ".",
    ];
    run(&python, "make_events.py", &start, folder.path());
    let questions = [".", "--shape", shape, "--tz", "Europe/Berlin", "--verify"];
    run(&python, "expected.py", &questions, folder.path());
    Some(folder)
}

/// A Python with what the scripts need: the one `scripts/clients` made, or the
/// machine's own.
pub fn python() -> Option<PathBuf> {
    let made = kit::folder().map(|folder| folder.join("venv/bin/python"));
    let imports = "import numpy, duckdb, pandas, zoneinfo; zoneinfo.ZoneInfo('Europe/Berlin')";
    let serves = |python: &PathBuf| {
        let tried = Command::new(python).args(["-c", imports]).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    made.into_iter().chain(program("python3")).find(serves)
}

/// Runs one of the scripts in a folder.
pub fn run(python: &Path, script: &str, arguments: &[&str], folder: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(SCRIPTS)
        .join(script);
    let mut command = Command::new(python);
    let done = command
        .arg(script)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&done.stdout).into_owned();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{output}{errors}");
}

/// A delivery as a message.
pub fn item(line: &str) -> pb::EventItem {
    let own: Value = serde_json::from_str(line).unwrap();
    let text = |name: &str| own[name].as_str().unwrap_or_default().to_owned();
    let time: jiff::Timestamp = text("timestamp").parse().unwrap();
    pb::EventItem {
        event_name: text("event_name"),
        metadata: own["metadata"].to_string(),
        visitor_id: text("visitor_id"),
        timestamp: Some(Timestamp {
            seconds: time.as_second(),
            nanos: time.subsec_nanosecond(),
        }),
        price: own["price"].as_i64(),
        currency: text("currency"),
        product_name: text("product_name"),
        quantity: own["quantity"].as_i64(),
        ..Default::default()
    }
}
