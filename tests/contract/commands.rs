//! The command line: exit codes, what goes where, and configuration.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::Server;

/// Runs the program in an empty folder.
fn apex(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_apex"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(folder.path())
        .output()
        .unwrap()
}

#[track_caller]
fn fails(arguments: &[&str], environment: &[(&str, &str)], code: i32, says: &str) {
    let output = apex(arguments, environment);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(errors.contains(says), "{errors}");
    assert!(
        output.stdout.is_empty(),
        "results only go to standard output"
    );
}

#[test]
fn exit_codes() {
    fails(&["serve", "--lisen", "x"], &[], 2, "--listen");
    fails(&["organization", "create"], &[], 2, "--name");
    let create = ["key", "create", "--name", "k"];
    fails(&create, &[], 1, "there is no organization yet");
    // An id needs no organization to be told that it is nobody's.
    fails(&["key", "revoke", "nothing"], &[], 1, "API key not found");
    assert_eq!(apex(&["--help"], &[]).status.code(), Some(0));
    assert_eq!(apex(&["routes"], &[]).status.code(), Some(0));
}

#[test]
fn a_wrong_setting_names_the_nearest_right_one() {
    let near = [("APEX_LISTN", "x")];
    fails(&["check-config"], &near, 78, "did you mean APEX_LISTEN?");
    for (name, value, says) in [
        ("APEX_LISTEN", "nowhere", "listen"),
        ("APEX_RUNTIME", "podman", "runtime"),
        ("APEX_SIGNUP", "ajar", "signup"),
        ("APEX_TRUSTED_PROXIES", "10.0.0.0/33", "trusted_proxies"),
        ("APEX_TRANSPORT_BODY_TIMEOUT", "soon", "body_timeout"),
        ("APEX_DATABASE_URL", "mysql://x", "database_url"),
        (
            "APEX_DATABASE_URL",
            "postgres://x/y",
            "secret_key must be set",
        ),
        ("APEX_SECRET_KEY", "short", "at least 32 bytes"),
        (
            "APEX_SECRET_KEY",
            "one key of at least 32 bytes, and another of at least 32 bytes",
            "without a comma",
        ),
        ("APEX_TLS_CERT", "cert.pem", "set together"),
        (
            "APEX_HOSTS",
            "a.example=nothing",
            "hosts: `a.example=nothing` names no product; there are account, crm, growth, memory, metrics, operations, paas",
        ),
        ("APEX_HOSTS", "a.example", "is no host=product pair"),
        ("APEX_HOSTS", "a.example=", "names no product"),
        ("APEX_LOG", "foo=bar=baz", "log: `foo=bar=baz` is no filter"),
        (
            "APEX_REDIS_URL",
            "localhost",
            "redis_url is no redis:// address",
        ),
        ("APEX_LISTEN", "3000", "such as 127.0.0.1:3000"),
    ] {
        // What the one approves of, the other starts with.
        for command in ["check-config", "serve"] {
            fails(&[command], &[(name, value)], 78, says);
        }
    }
}

#[test]
fn the_first_start_says_once_what_was_migrated() {
    let server = Server::start();
    let log = server.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("migrat")).collect();
    let ours = lines.iter().all(|line| line.contains("apex::db::migrate"));
    assert!(ours && lines.len() <= 7, "{log}");
    let told = server.database_url().starts_with("postgres") || lines.len() == 7;
    assert!(told, "a line for each set of migrations: {log}");
}

#[test]
fn a_file_is_laid_under_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    let path = file.to_str().unwrap();
    fs::write(
        &file,
        "listen = \"127.0.0.1:1\"\nlog = \"warn\"\n[limits.metrics_events]\nlimit = 5\n",
    )
    .unwrap();
    let output = apex(
        &["check-config", "--json", "--config", path],
        &[("APEX_LOG", "debug"), ("APEX_METRICS_TOKEN", "canary")],
    );
    let config: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(config["listen"], "127.0.0.1:1");
    assert_eq!(config["log"], "debug");
    assert_eq!(config["limits"]["metrics_events"]["limit"], 5);
    assert_eq!(config["limits"]["metrics_events"]["window"], "1m");
    assert_eq!(config["metrics_token"], "********");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("canary"));

    fs::write(&file, "lissten = \"x\"\n").unwrap();
    fails(
        &["check-config", "--config", path],
        &[],
        78,
        "did you mean `listen`?",
    );
    fs::write(&file, "[limits.metrics_event]\nlimit = 5\n").unwrap();
    fails(
        &["check-config", "--config", path],
        &[],
        78,
        "did you mean `limits.metrics_events`?",
    );
    fs::write(&file, "listen = 5\n").unwrap();
    fails(
        &["check-config", "--config", path],
        &[],
        78,
        "`listen` must be a string, not a integer",
    );
    fails(
        &["check-config", "--config", "/nothing.toml"],
        &[],
        78,
        "/nothing.toml",
    );
}

/// A data directory that is mistyped is not made.
#[test]
fn what_reads_data_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let reading: [&[&str]; 9] = [
        &["organization", "list"],
        &["key", "list"],
        &["project", "list"],
        &["user", "list"],
        &["events", "export", "--project", "p"],
        &["events", "import", "/dev/null", "--project", "p"],
        &["backup", "copy.db"],
        &["migrate", "status"],
        &["migrate", "down", "--product", "core", "--yes"],
    ];
    let mistyped = folder.path().join("dta");
    let claimed = folder.path().join("claimed");
    fs::create_dir(&claimed).unwrap();
    fs::write(claimed.join("apex.lock"), "").unwrap();
    for directory in [&mistyped, &claimed] {
        let named = directory.to_str().unwrap();
        let says = format!(
            "apex: there is no database at {}; --data-dir says where it is\n",
            directory.join("apex.db").display()
        );
        for arguments in reading {
            let done = apex(&[&["--data-dir", named], arguments].concat(), &[]);
            assert_eq!(String::from_utf8_lossy(&done.stderr), says, "{arguments:?}");
            assert_eq!(done.status.code(), Some(1), "{arguments:?}");
            assert!(done.stdout.is_empty(), "{arguments:?}");
        }
    }
    assert!(!mistyped.exists());
    let left: Vec<_> = fs::read_dir(&claimed).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    // What makes data does.
    let named = mistyped.to_str().unwrap();
    for arguments in [&["migrate", "up"][..], &["organization", "list"]] {
        let done = apex(&[&["--data-dir", named], arguments].concat(), &[]);
        assert_eq!(done.status.code(), Some(0), "{arguments:?}");
    }
}

/// Its password is published: it must never reach data that somebody keeps.
#[test]
fn the_demo_keeps_to_its_own_data() {
    let folder = tempfile::tempdir().unwrap();
    let kept = format!("sqlite://{}", folder.path().join("kept.db").display());
    let demo = ["demo", "--listen", "127.0.0.1:0"];
    let own = "leave database_url out";
    fails(&demo, &[("APEX_DATABASE_URL", &kept)], 2, own);
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
    let data = folder.path().join("data").display().to_string();
    let made = apex(
        &["organization", "create", "--name", "A", "--email", "a@b.co"],
        &[("APEX_DATA_DIR", &data)],
    );
    assert!(made.status.success());
    fails(&demo, &[("APEX_DATA_DIR", &data)], 1, "holds data already");
}

#[test]
fn routes_are_printed_from_the_policy() {
    let text = String::from_utf8(apex(&["routes"], &[]).stdout).unwrap();
    let send = text
        .lines()
        .find(|line| line.contains("SendEvent "))
        .unwrap();
    for word in [
        "POST",
        "/api/v1/events",
        "api key: metrics.write",
        "metrics_events",
        "nested",
    ] {
        assert!(send.contains(word), "{word}: {send}");
    }
    let rows: Value = serde_json::from_slice(&apex(&["routes", "--json"], &[]).stdout).unwrap();
    let row = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["grpc_method"] == "apex.metrics.v1.MetricsService/SendEvent");
    assert!(row.is_some(), "{rows}");
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = apex(&["completions", shell], &[]);
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("check-config"),
            "{shell}"
        );
    }
}
