//! Why a copy cannot be written or put in place, in words that name the file that
//! was asked for and say it once.

use std::collections::BTreeSet;
use std::fs;

use crate::support::Server;
use crate::support::database::is_postgres;
use crate::support::skip::elsewhere;

const BACKUP: [(&str, &str); 2] = [
    ("/nope/b.db", "No such file or directory (os error 2)"),
    ("/dev/null/b.db", "Not a directory (os error 20)"),
];

#[tokio::test]
async fn a_copy_that_cannot_be_written_says_why() {
    let test = "a_copy_that_cannot_be_written_says_why";
    if is_postgres() {
        return elsewhere(test, "PostgreSQL has pg_dump");
    }
    let mut server = Server::start();
    // Over the socket, and where nobody serves.
    for _ in 0..2 {
        for (file, why) in BACKUP {
            let says = format!("apex: cannot write {file}: {why}\n");
            refuses(&server, &["backup", file], &says);
        }
        server.kill();
    }
}

#[tokio::test]
async fn what_is_no_copy_is_not_restored() {
    let test = "what_is_no_copy_is_not_restored";
    if is_postgres() {
        return elsewhere(test, "PostgreSQL has pg_restore");
    }
    let server = Server::stopped(&[]);
    server.apex(&["migrate", "up"]);
    assert!(
        !server.data.join("apex.db-wal").exists(),
        "all is in the file"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let copy = file("copy.db");
    server.apex(&["backup", copy.to_str().unwrap()]);
    let own = fs::read(server.data.join("apex.db")).unwrap();
    let names = || {
        let entries = fs::read_dir(&server.data).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names.collect::<BTreeSet<_>>()
    };
    let before = names();
    fs::write(file("garbage.db"), "this is no database").unwrap();
    fs::write(file("empty.db"), "").unwrap();
    fs::write(file("half.db"), &fs::read(&copy).unwrap()[..9000]).unwrap();
    let ours = "is no copy that `apex backup` made";
    for (name, says) in [
        ("garbage.db", "is no whole database: file is not a database"),
        (
            "half.db",
            "is no whole database: database disk image is malformed",
        ),
        (
            "none.db",
            "is no whole database: No such file or directory (os error 2)",
        ),
        (".", "is no whole database: it is no file"),
        ("empty.db", ours),
    ] {
        let path = file(name);
        let says = format!("apex: {} {says}\n", path.display());
        refuses(&server, &["restore", path.to_str().unwrap()], &says);
    }
    assert_eq!(fs::read(server.data.join("apex.db")).unwrap(), own);
    assert_eq!(names(), before);
}

#[track_caller]
fn refuses(server: &Server, arguments: &[&str], says: &str) {
    let refused = server.try_apex(arguments);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&refused.stderr), says);
    assert!(refused.stdout.is_empty());
}
