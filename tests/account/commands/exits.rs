//! Exit codes: 0 done, 1 failed, 2 asked for wrongly, 78 configured wrongly.

use super::{failed, fails, with_password};
use crate::support::Server;

#[test]
fn exit_codes() {
    let server = Server::start();
    server.organization("Acme");
    server.organization("Other");
    // 1: it could not be done.
    let create = |email| ["organization", "create", "--name", "x", "--email", email];
    fails(&server, &create("nobody"), 1, "email is not valid");
    let key = [
        "key",
        "create",
        "--organization",
        "101",
        "--name",
        "k",
        "--scopes",
    ];
    fails(
        &server,
        &[&key[..], &["nothing.read"]].concat(),
        1,
        "is no scope",
    );
    // What an id names needs no organization beside it; one that is named counts.
    for command in [
        &["key", "revoke", "key_x"],
        &["project", "rotate-key", "prj_x"],
        &["project", "delete", "prj_x"],
    ] {
        fails(&server, command, 1, " not found");
        let unknown = [&command[..], &["--organization", "999"]].concat();
        fails(&server, &unknown, 1, "Organization not found");
    }
    for command in [
        &["key", "list"][..],
        &["key", "create", "--name", "k"],
        &["project", "list"],
        &["project", "create", "--name", "x"],
        &["user", "add", "--email", "x@example.com"],
    ] {
        let unknown = [command, &["--organization", "999"]].concat();
        fails(&server, &unknown, 1, "Organization not found");
        // 2: it was asked for wrongly.
        fails(
            &server,
            command,
            2,
            "name one of them with --organization: 101 (Acme), 102 (Other)",
        );
    }
    let stdin = [&create("x@example.com")[..], &["--password-stdin"]].concat();
    failed(
        &with_password(&server, &stdin, "short\n"),
        1,
        "password must have 8 to 1024 bytes",
    );
    failed(
        &with_password(&server, &stdin, "\n"),
        2,
        "standard input holds no password",
    );
    let plan = [&create("x@example.com")[..], &["--plan", "free"]].concat();
    fails(&server, &plan, 2, "trial, starter, scale");
    fails(
        &server,
        &["organization", "create", "--name", "x"],
        2,
        "--email",
    );
    fails(&server, &["key", "create"], 2, "--name");
    fails(
        &server,
        &["key", "create", "--name", "k", "--expires-at", "soon"],
        2,
        "--expires-at",
    );
    fails(
        &server,
        &["user", "add", "--email", "x@example.com", "--role", "king"],
        2,
        "viewer, member, admin, owner",
    );
    // 78: the configuration is wrong.
    let mut command = server.command();
    command.args(["key", "list"]).env("APEX_SIGNUP", "ajar");
    failed(&command.output().unwrap(), 78, "signup");
    fails(
        &server,
        &["--config", "/nothing.toml", "key", "list"],
        78,
        "/nothing.toml",
    );
    // Nothing of all this made anything.
    let users = server.apex_json(&["user", "list"]);
    assert_eq!(users.as_array().unwrap().len(), 2);
}
