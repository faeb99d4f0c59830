//! Backups made while others write, and what becomes of them elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::files::{integrity, texts};
use super::stored;
use super::traced::{self, Traced, spread};
use crate::support::seed::setting;
use crate::support::skip::elsewhere;
use crate::support::{Http, Server, database};

const WRITERS: usize = 8;
const UNLIMITED: [(&str, &str); 1] = [("APEX_RATE_LIMIT_ENABLED", "false")];

/// Writers that number what they send, one after the other.
#[derive(Debug, Default)]
struct Writers {
    tasks: JoinSet<()>,
    /// The last number of each that was acknowledged; zero is none.
    acknowledged: Arc<[AtomicU64; WRITERS]>,
    stop: Arc<AtomicBool>,
}

impl Writers {
    fn start(url: &str, key: &str) -> Self {
        let mut writers = Self::default();
        for writer in 0..WRITERS {
            let http = Http::new(url).bearer(key);
            let (acknowledged, stop) = (writers.acknowledged.clone(), writers.stop.clone());
            writers.tasks.spawn(async move {
                for number in 1.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let body = json!({
                        "event_name": "page_view",
                        "visitor_id": format!("writer {writer}"),
                        "event_id": format!("{writer}-{number}"),
                        "metadata": {"writer": writer, "number": number},
                    });
                    http.post("/api/v1/events", &body).await.expect(200);
                    acknowledged[writer].store(number, Ordering::SeqCst);
                }
            });
        }
        writers
    }

    fn acknowledged(&self) -> Vec<u64> {
        let own = self.acknowledged.iter();
        own.map(|last| last.load(Ordering::SeqCst)).collect()
    }

    /// Waits until every writer wrote so many more.
    async fn progress(&self, more: u64) {
        let before = self.acknowledged();
        loop {
            let now = self.acknowledged();
            if now
                .iter()
                .zip(&before)
                .all(|(now, before)| *now >= before + more)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn finish(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(done) = self.tasks.join_next().await {
            done.unwrap();
        }
    }
}

/// How far each writer got, and that there are no holes before.
#[track_caller]
fn prefixes<'t>(metadata: impl IntoIterator<Item = &'t str>) -> Vec<u64> {
    let mut numbers: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for text in metadata {
        let own: Value = serde_json::from_str(text).unwrap();
        let writer = own["writer"].as_u64().unwrap();
        let number = own["number"].as_u64().unwrap();
        numbers.entry(writer).or_default().push(number);
    }
    let whole = |(writer, own): (u64, Vec<u64>)| {
        let expected: Vec<u64> = (1..=own.len() as u64).collect();
        assert_eq!(own, expected, "of writer {writer}");
        own.len() as u64
    };
    numbers.into_iter().map(whole).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_during_writes_is_whole_and_can_be_restored() {
    if database::is_postgres() {
        let server = Server::start();
        let refused = server.try_apex(&["backup", "copy.db"]);
        assert_eq!(refused.status.code(), Some(1));
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        return assert!(text.contains("use pg_dump"), "{text}");
    }
    let server = Server::with(&UNLIMITED);
    let key = server.organization("Acme").key;
    let keyed = server.http().bearer(&key).with("idempotency-key", "k-1");
    let body = json!({"name": "Second"});
    let answer = keyed.post("/api/projects", &body).await;
    let project = answer.expect(200)["id"].as_str().unwrap().to_owned();
    let bound = json!({"name": "writers", "projectId": project});
    let made = server
        .http()
        .bearer(&key)
        .post("/api/api-keys", &bound)
        .await
        .expect(200);
    let writer_key = made["key"].as_str().unwrap();
    let writers = Writers::start(&server.url, writer_key);
    let folder = tempfile::tempdir().unwrap();
    let mut sizes = Vec::new();
    for number in 0..3 {
        writers.progress(15).await;
        let file = folder.path().join(format!("copy {number}.db"));
        let before = writers.acknowledged();
        let done = server.apex_json(&["backup", file.to_str().unwrap()]);
        assert_eq!(done["bytes"], fs::metadata(&file).unwrap().len());
        integrity(&file).await;
        let metadata = texts(&file, "SELECT properties FROM event ORDER BY seq").await;
        let held = prefixes(metadata.iter().map(String::as_str));
        // What was acknowledged before the backup began is in it.
        assert!(
            held.iter()
                .zip(&before)
                .all(|(held, before)| held >= before)
        );
        sizes.push(held);
    }
    writers.finish().await;
    assert!(sizes.windows(2).all(|pair| pair[0] < pair[1]), "{sizes:?}");

    let mut elsewhere = Server::stopped(&UNLIMITED);
    let file = folder.path().join("copy 1.db");
    elsewhere.apex(&["restore", file.to_str().unwrap()]);
    // It opens what is sealed in the copy.
    fs::copy(
        server.data.join("secret.key"),
        elsewhere.data.join("secret.key"),
    )
    .unwrap();
    elsewhere.run();
    let found = stored::events(&elsewhere.url, writer_key).await;
    let held = prefixes(found.iter().map(|event| event.metadata.as_str()));
    assert_eq!(held, sizes[1]);
    let http = elsewhere.http().bearer(writer_key);
    let data = http.get("/api/v1/analytics").await.expect(200)["data"].clone();
    let total: u64 = held.iter().sum();
    assert_eq!(
        data,
        json!({"page_views": total, "unique_visitors": WRITERS, "events": 0})
    );
    // It goes on from there: ids are known, new events are numbered on.
    let event = |id: &str| json!({"event_name": "page_view", "visitor_id": "w", "event_id": id});
    for id in ["0-1", "new"] {
        http.post("/api/v1/events", &event(id)).await.expect(200);
    }
    let found = stored::events(&elsewhere.url, writer_key).await;
    assert_eq!(found.len() as u64, total + 1);
    let keyed = elsewhere.http().bearer(&key).with("idempotency-key", "k-1");
    assert_eq!(keyed.post("/api/projects", &body).await.text, answer.text);
}

#[tokio::test]
async fn a_restore_never_costs_what_was_there() {
    if database::is_postgres() {
        return elsewhere(
            "a_restore_never_costs_what_was_there",
            "PostgreSQL has pg_restore",
        );
    }
    let mut server = Server::start();
    let key = server.organization("Acme").key;
    let http = server.http().bearer(&key);
    http.post("/api/v1/events", &json!({"event_name": "early"}))
        .await
        .expect(200);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let copy = copy.to_str().unwrap();
    server.apex(&["backup", copy]);
    refuses(&server, &["backup", copy], "exists already");
    refuses(&server, &["restore", copy], "stop the server first");
    http.post("/api/v1/events", &json!({"event_name": "late"}))
        .await
        .expect(200);
    // Killed, so that what was acknowledged last is in the WAL alone.
    server.kill();
    let broken = folder.path().join("broken.db");
    fs::write(&broken, &fs::read(copy).unwrap()[..9000]).unwrap();
    let newer = folder.path().join("newer.db");
    fs::copy(copy, &newer).unwrap();
    super::migrations::add_later_migration(&format!("sqlite://{}", newer.display()), "events")
        .await;
    for (file, says) in [
        (&broken, "is no whole database"),
        (&newer, "newer than this version"),
        (&folder.path().join("none.db"), "is no whole database"),
    ] {
        refuses(&server, &["restore", file.to_str().unwrap()], says);
        let left: BTreeSet<_> = listing(&server.data);
        assert!(
            !left.iter().any(|name| name.contains("restoring")),
            "{left:?}"
        );
        server.run();
        assert_eq!(names(&server, &key).await, ["early", "late"], "{says}");
        server.kill();
    }
    let done = server.apex_json(&["restore", copy]);
    server.run();
    assert_eq!(names(&server, &key).await, ["early"]);
    server.kill();
    // What was there before is kept, whole, and can be had again.
    let kept = done["kept"].as_str().unwrap();
    server.apex(&["restore", kept]);
    server.run();
    assert_eq!(names(&server, &key).await, ["early", "late"]);
}

#[tokio::test]
async fn a_restore_killed_at_any_step_leaves_a_whole_database() {
    let test = "a_restore_killed_at_any_step_leaves_a_whole_database";
    if database::is_postgres() {
        return elsewhere(test, "PostgreSQL has pg_restore");
    }
    if !traced::is_possible(test) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start();
    let key = server.organization("Acme").key;
    let event = async |server: &Server, name: &str| {
        let http = server.http().bearer(&key);
        http.post("/api/v1/events", &json!({"event_name": name}))
            .await
            .expect(200);
    };
    event(&server, "early").await;
    let copy = folder.path().join("copy.db");
    server.apex(&["backup", copy.to_str().unwrap()]);
    server.kill();
    let command = &["restore", copy.to_str().unwrap()];
    let names_of_calls = [
        "pwrite64",
        "fsync",
        "fdatasync",
        "rename",
        "link",
        "linkat",
        "unlink",
    ];
    let calls = Traced(&server, command).calls(&names_of_calls);
    let (mut before, mut after) = (0, 0);
    for (name, last) in calls {
        for point in spread(last, setting("POINTS", 10).min(4)) {
            server.run();
            event(&server, "late").await;
            server.kill();
            let killed = Traced(&server, command).kill_at(name, point);
            server.run();
            let left = names(&server, &key).await;
            match left.len() {
                1 => after += 1,
                _ => before += 1,
            }
            assert_eq!(left[0], "early");
            assert!(killed || left.len() == 1, "{name} {point}: {left:?}");
            server.kill();
            assert!(server.try_apex(command).status.success(), "{name} {point}");
        }
    }
    println!("killed {before} times before the step that counts, {after} after");
    assert!(before > 0);
}

#[tokio::test]
async fn a_restore_goes_where_the_server_looks() {
    if database::is_postgres() {
        return elsewhere(
            "a_restore_goes_where_the_server_looks",
            "PostgreSQL has pg_restore",
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("own.db").display());
    let mut server = Server::with(&[("APEX_DATABASE_URL", &url)]);
    let key = server.organization("Acme").key;
    let http = server.http().bearer(&key);
    http.post("/api/v1/events", &json!({"event_name": "early"}))
        .await
        .expect(200);
    let copy = folder.path().join("copy.db");
    server.apex(&["backup", copy.to_str().unwrap()]);
    http.post("/api/v1/events", &json!({"event_name": "late"}))
        .await
        .expect(200);
    assert_eq!(server.terminate(), Some(0));
    server.apex(&["restore", copy.to_str().unwrap()]);
    server.run();
    assert_eq!(names(&server, &key).await, ["early"]);
}

#[track_caller]
fn refuses(server: &Server, arguments: &[&str], says: &str) {
    let refused = server.try_apex(arguments);
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains(says), "{text}");
    assert!(refused.stdout.is_empty());
}

fn listing(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

async fn names(server: &Server, key: &str) -> Vec<String> {
    let found = stored::events(&server.url, key).await;
    found.into_iter().map(|event| event.event_name).collect()
}
