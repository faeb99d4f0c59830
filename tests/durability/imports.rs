//! A file of events without ids that is imported more than once: unchanged, grown,
//! torn in a line, stopped half-way, and with lines that are refused.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::files::{column, connect};
use super::stored;
use crate::support::seed::Random;
use crate::support::{Organization, Server};

/// A server, and a file to import.
struct Import {
    server: Server,
    organization: Organization,
    file: PathBuf,
    _folder: TempDir,
}

impl Import {
    fn new() -> Self {
        let server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
        let organization = server.organization("Acme");
        let folder = tempfile::tempdir().unwrap();
        Self {
            server,
            organization,
            file: folder.path().join("events.ndjson"),
            _folder: folder,
        }
    }

    fn append(&self, text: &str) {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.file);
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn run(&self, more: &[&str]) -> Output {
        self.run_on(&self.file, more)
    }

    fn run_on(&self, file: &Path, more: &[&str]) -> Output {
        let mut command = self.server.command();
        command.args(["events", "import", "--project", &self.organization.project]);
        command.arg(file).args(more).output().unwrap()
    }

    /// Imports the file; answers how many were imported, and skipped.
    #[track_caller]
    fn takes(&self) -> (i64, i64) {
        let done = self.run(&["--json"]);
        let errors = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(0), "{errors}");
        let told: Value = serde_json::from_slice(&done.stdout).unwrap();
        for none in ["duplicates", "refused", "unreported"] {
            assert_eq!(told[none], 0, "{told}");
        }
        let number = |name: &str| told[name].as_i64().unwrap();
        (number("imported"), number("lines_before"))
    }

    /// What it says of the file.
    #[track_caller]
    fn says(&self) -> String {
        let done = self.run(&[]);
        assert_eq!(done.status.code(), Some(0));
        String::from_utf8(done.stdout).unwrap()
    }

    /// The names of the events that are stored, in order.
    async fn names(&self) -> Vec<String> {
        let found = stored::events(&self.server.url, &self.organization.key).await;
        let mut names: Vec<_> = found.into_iter().map(|event| event.event_name).collect();
        names.sort();
        names
    }
}

fn line(name: &str) -> String {
    format!("{}\n", json!({"event_name": name, "visitor_id": "v"}))
}

fn lines(names: &[&str]) -> String {
    names.iter().map(|name| line(name)).collect()
}

#[tokio::test]
async fn a_file_that_grew_goes_on_where_it_ended() {
    let import = Import::new();
    import.append(&lines(&["a", "b", "c"]));
    assert_eq!(import.takes(), (3, 0));
    assert_eq!(import.takes(), (0, 3));
    let same = "imported 0, known already 0, refused 0; \
                the file was imported before, and has not changed\n";
    assert_eq!(import.says(), same);
    let short = import.file.with_extension("short");
    fs::copy(&import.file, &short).unwrap();

    import.append(&line("d"));
    assert_eq!(import.takes(), (1, 3));
    assert_eq!(import.takes(), (0, 4));
    // Its last line has no end yet, which comes with the next.
    import.append(line("e").trim_end());
    assert_eq!(import.takes(), (1, 4));
    import.append(&format!("\r\n{}", line("f")));
    let more = "imported 1, known already 0, refused 0; its first 5 lines were imported before\n";
    assert_eq!(import.says(), more);
    // The shorter one is still known.
    let done = import.run_on(&short, &[]);
    assert_eq!(String::from_utf8_lossy(&done.stdout), same);
    // Half a line is refused, and comes whole.
    let last = line("g");
    let (half, rest) = last.split_at(12);
    import.append(half);
    let done = import.run(&[]);
    assert_eq!(done.status.code(), Some(1));
    assert_eq!(import.takes(), (0, 7));
    import.append(&(rest.to_owned() + &line("h")));
    assert_eq!(import.takes(), (2, 6));
    assert_eq!(
        import.names().await,
        ["a", "b", "c", "d", "e", "f", "g", "h"]
    );

    // Another file that begins like it, and the same file elsewhere.
    let other = import.file.with_extension("other");
    fs::write(&other, lines(&["a", "x"])).unwrap();
    let done = import.run_on(&other, &[]);
    let all = "imported 2, known already 0, refused 0\n";
    assert_eq!(String::from_utf8_lossy(&done.stdout), all);
    assert_eq!(import.takes(), (0, 8));
    let second = import.server.organization("Second");
    let import = Import {
        organization: second,
        ..import
    };
    assert_eq!(import.takes(), (8, 0));
}

#[tokio::test]
async fn lines_that_are_refused_fail_the_command() {
    let import = Import::new();
    let blank = "\n   \r\n";
    let wrong = "not json\n{\"event_name\": 5}\n[]\n{\"event_name\": \"a\"\n\u{feff}\n";
    import.append(&[blank, &line("a"), blank, wrong, &line("b"), "\n"].concat());
    let done = import.run(&["--json"]);
    assert_eq!(done.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!([&told["imported"], &told["refused"]], [2, 5]);
    let errors = String::from_utf8(done.stderr).unwrap();
    let errors: Vec<&str> = errors.lines().collect();
    let syntax = "The line is not valid JSON: ";
    for (told, wanted) in errors.iter().zip([
        format!("line 6: {syntax}"),
        "line 7: event_name must be a string".to_owned(),
        "line 8: The line must be an object".to_owned(),
        format!("line 9: {syntax}"),
        format!("line 10: {syntax}"),
        "apex: 5 lines were refused".to_owned(),
    ]) {
        assert!(told.starts_with(&wanted), "{errors:?}");
    }
    assert_eq!(errors.len(), 6, "{errors:?}");
    // They are not tried again; mended, they may follow.
    assert_eq!(import.takes(), (0, 12));
    import.append(&line("c"));
    assert_eq!(import.takes(), (1, 12));
    assert_eq!(import.names().await, ["a", "b", "c"]);

    let nothing = import.run_on(Path::new("/nothing.ndjson"), &[]);
    assert_eq!(nothing.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&nothing.stderr);
    assert!(
        errors.starts_with("apex: cannot read /nothing.ndjson: "),
        "{errors}"
    );
}

#[tokio::test]
async fn an_import_that_was_stopped_is_finished_by_that_of_the_grown_file() {
    const LINES: usize = 20_000;
    let mut random = Random::new("an_import_that_was_stopped");
    let import = Import::new();
    let number = |n: usize| line(&format!("{n:05}"));
    import.append(&(0..LINES).map(number).collect::<String>());
    let mut command = import.server.command();
    command.args([
        "events",
        "import",
        "--project",
        &import.organization.project,
    ]);
    command
        .arg(&import.file)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let connection = connect(&import.server.database_url()).await;
    let sql = "SELECT CAST(position AS TEXT) FROM event_stream WHERE name LIKE 'import:%'";
    let after = 1000 + random.below(LINES as u64 / 2);
    loop {
        let reached = column(&connection, sql).await;
        if reached
            .first()
            .is_some_and(|at| at.parse::<u64>().unwrap() > after)
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    connection.close().await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // Half a line more, then the rest of it: the versions of a log that is written.
    import.append(number(LINES).split_at(9).0);
    let done = import.run(&["--json"]);
    let told: Value = serde_json::from_slice(&done.stdout).unwrap();
    println!("stopped after {after}: {told}");
    assert_eq!(told["refused"], 1);
    assert!(told["lines_before"].as_u64().unwrap() > after, "{told}");
    import.append(number(LINES).split_at(9).1);
    assert_eq!(import.takes(), (1, LINES as i64));
    let wanted: Vec<_> = (0..=LINES).map(|n| format!("{n:05}")).collect();
    assert!(import.names().await == wanted, "each line is stored once");
}
