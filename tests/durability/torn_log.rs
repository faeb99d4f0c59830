//! A write-ahead log that ends anywhere: whatever the cut, the server opens what is
//! left of it, and that is the beginning of what happened, without a hole.
//!
//! What the database's own file has already cannot be cut off: SQLite syncs the log
//! before it writes back. So cuts are made behind that.

use std::fs;
use std::path::Path;

use sea_orm::DatabaseConnection;
use serde_json::json;

use super::files::{column, connect};
use super::stored;
use crate::support::seed::{Random, setting};
use crate::support::skip::elsewhere;
use crate::support::{Server, database};

/// The log's header, and a page with what stands before it.
const HEADER: u64 = 32;
const FRAME: u64 = 24 + 4096;

/// The files of a server that was killed.
struct Remains {
    database: Vec<u8>,
    log: Vec<u8>,
    /// What was sent, one after the other.
    sent: Vec<String>,
}

/// How many frames of the log the database's file has already, as its index says.
fn written_back(data: &Path) -> u64 {
    let index = fs::read(data.join("apex.db-shm")).unwrap();
    u64::from(u32::from_ne_bytes(index[96..100].try_into().unwrap()))
}

/// Sends events, and now and then a project, one after the other. At the end the
/// log holds something the database's file has not.
async fn write(server: &Server, keys: [&str; 2], least: usize) -> Vec<String> {
    let [events, projects] = keys.map(|key| server.http().bearer(key));
    let mut sent = Vec::new();
    while sent.len() < least || written_back(&server.data) > 0 {
        let number = sent.len();
        if number.is_multiple_of(10) {
            let name = format!("p{number:05}");
            let body = json!({"name": name});
            projects.post("/api/projects", &body).await.expect(200);
            sent.push(name);
        } else {
            let name = format!("e{number:05}");
            let body = json!({"event_name": name, "visitor_id": format!("v{}", number % 7)});
            events.post("/api/v1/events", &body).await.expect(200);
            sent.push(name);
        }
    }
    sent
}

impl Remains {
    /// Puts the files into a folder, with the log cut off.
    fn put(&self, folder: &Path, length: u64) {
        let file = folder.join("apex.db");
        fs::write(&file, &self.database).unwrap();
        fs::write(file.with_extension("db-wal"), &self.log[..length as usize]).unwrap();
        let _ = fs::remove_file(file.with_extension("db-shm"));
    }

    /// Whether what is found is the beginning of what was sent; answers its length.
    fn is_beginning(&self, mut found: Vec<String>, cut: u64) -> usize {
        // What every organization begins with has another name.
        found.retain(|name| name[1..].parse::<u32>().is_ok());
        found.sort_by_key(|name| name[1..].to_owned());
        let count = found.len();
        assert_eq!(found, self.sent[..count], "cut at {cut}");
        count
    }
}

async fn names(connection: &DatabaseConnection) -> Vec<String> {
    let mut names = column(connection, "SELECT name FROM event").await;
    names.extend(column(connection, "SELECT name FROM project").await);
    names
}

#[tokio::test]
async fn a_log_that_ends_anywhere_holds_the_beginning_of_history() {
    let test = "a_log_that_ends_anywhere_holds_the_beginning_of_history";
    if database::is_postgres() {
        return elsewhere(test, "PostgreSQL's log is its own");
    }
    let mut random = Random::new(test);
    let mut server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let own = server.organization("Acme");
    let admin = server.http().bearer(&own.key);
    let bound = json!({"name": "events", "projectId": own.project});
    let made = admin.post("/api/api-keys", &bound).await.expect(200);
    let key = made["key"].as_str().unwrap().to_owned();
    // Everybody who asks is in the database's own file.
    assert_eq!(server.terminate(), Some(0));
    server.run();
    let least = 150 + random.below(350) as usize;
    let sent = write(&server, [&key, &own.key], least).await;
    server.kill();
    let first = match written_back(&server.data) {
        0 => 0,
        frames => HEADER + frames * FRAME,
    };
    let file = server.data.join("apex.db");
    let remains = Remains {
        database: fs::read(&file).unwrap(),
        log: fs::read(file.with_extension("db-wal")).unwrap(),
        sent,
    };
    let whole = remains.log.len() as u64;
    let folder = tempfile::tempdir().unwrap();
    let cuts = setting("CUTS", 200);
    let (mut least, mut most) = (usize::MAX, 0);
    for number in 0..cuts {
        let cut = match number {
            0 => first,
            1 => whole,
            _ => first + random.below(whole - first),
        };
        remains.put(folder.path(), cut);
        let url = format!("sqlite://{}", folder.path().join("apex.db").display());
        let connection = connect(&url).await;
        let sound = column(&connection, "PRAGMA integrity_check").await;
        assert_eq!(sound, ["ok"], "cut at {cut}");
        let kept = remains.is_beginning(names(&connection).await, cut);
        connection.close().await.unwrap();
        (least, most) = (least.min(kept), most.max(kept));
        if number % 16 == 0 {
            remains.put(&server.data, cut);
            serves(&mut server, &remains, [&key, &own.key], (cut, kept)).await;
        }
    }
    assert_eq!(most, remains.sent.len());
    println!("{cuts} cuts kept {least} to {most} of {most}");
}

/// The server starts with what is there, and goes on.
async fn serves(
    server: &mut Server,
    remains: &Remains,
    [key, admin]: [&str; 2],
    (cut, kept): (u64, usize),
) {
    server.run();
    let admin = server.http().bearer(admin);
    let listed = admin.get("/api/projects").await.expect(200);
    let projects = listed.as_array().unwrap().iter();
    let mut names: Vec<_> = projects
        .map(|project| project["name"].as_str().unwrap().to_owned())
        .collect();
    let events = stored::events(&server.url, key).await;
    names.extend(events.into_iter().map(|event| event.event_name));
    assert_eq!(remains.is_beginning(names, cut), kept);
    let body = json!({"event_name": "afterwards"});
    let http = server.http().bearer(key);
    http.post("/api/v1/events", &body).await.expect(200);
    let events = stored::events(&server.url, key).await;
    let last = events.last().map(|event| event.event_name.as_str());
    assert_eq!(last, Some("afterwards"));
    server.kill();
}
