//! `apex organization`, `key`, `project` and `user`: beside a running server and
//! on a data directory nobody serves, and what their exit codes say.

mod exits;
mod keys;
mod organizations;
mod projects;
mod users;

use std::io::Write as _;
use std::process::{Output, Stdio};

use crate::support::Server;
use crate::support::database::is_postgres;

/// A server's data directory that nobody serves and nothing was ever in.
fn nobody() -> Server {
    let server = Server::stopped(&[]);
    if is_postgres() {
        server.apex(&["migrate", "up"]);
    }
    server
}

#[track_caller]
fn fails(server: &Server, arguments: &[&str], code: i32, says: &str) {
    failed(&server.try_apex(arguments), code, says);
}

#[track_caller]
fn failed(done: &Output, code: i32, says: &str) {
    let errors = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(code), "{errors}");
    assert!(errors.contains(says), "{errors}");
    assert!(done.stdout.is_empty(), "results only go to standard output");
}

/// Runs a command that reads a password.
fn with_password(server: &Server, arguments: &[&str], password: &str) -> Output {
    let mut command = server.command();
    command.args(arguments).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(password.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}
