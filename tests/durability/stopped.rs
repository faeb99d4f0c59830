//! What a clean stop leaves behind, and copies that take longer than a call may.

use std::fs;

use serde_json::json;

use super::files::{integrity, texts};
use crate::support::skip::elsewhere;
use crate::support::{Server, database};

#[tokio::test]
async fn after_a_clean_stop_the_file_is_all_there_is() {
    let test = "after_a_clean_stop_the_file_is_all_there_is";
    if database::is_postgres() {
        return elsewhere(test, "PostgreSQL's files are its own");
    }
    let mut server = Server::start();
    let http = server.http().bearer(&server.organization("Acme").key);
    for number in 0..20 {
        let event = json!({"event_name": format!("e{number}")});
        http.post("/api/v1/events", &event).await.expect(200);
    }
    http.get("/api/v1/analytics").await.expect(200);
    assert_eq!(server.terminate(), Some(0));
    let log = fs::metadata(server.data.join("apex.db-wal"));
    assert_eq!(log.map_or(0, |log| log.len()), 0);
    // Somebody copies this file and nothing else.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    fs::copy(server.data.join("apex.db"), &copy).unwrap();
    integrity(&copy).await;
    let names = texts(&copy, "SELECT name FROM event ORDER BY seq").await;
    assert_eq!(names.len(), 20);
    assert_eq!(names[19], "e19");
}

#[tokio::test]
async fn a_copy_may_take_longer_than_a_call() {
    if database::is_postgres() {
        return elsewhere(
            "a_copy_may_take_longer_than_a_call",
            "PostgreSQL has pg_dump",
        );
    }
    let server = Server::with(&[("APEX_TRANSPORT_CALL_TIMEOUT", "1ms")]);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    server.apex(&["backup", copy.to_str().unwrap()]);
    integrity(&copy).await;
}
