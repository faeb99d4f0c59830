//! The database tests run on: SQLite, or PostgreSQL when `TEST_DATABASE` names a
//! server where databases may be made. Every test has one of its own.

use std::fs::File;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::UNIX_EPOCH;

use super::server::program;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A PostgreSQL database that is dropped with this.
#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    /// Names a database that is to be made, if tests run on PostgreSQL.
    pub fn new() -> Option<Self> {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("apex_test_{}_{count}", std::process::id());
        let server = std::env::var("TEST_DATABASE").ok();
        let server = server.filter(|url| !url.is_empty())?;
        Some(Self { server, name })
    }

    /// Makes it, empty.
    pub fn make(&self) {
        self.psql(&format!("CREATE DATABASE {}", self.name));
    }

    /// Makes it what `migrate` makes of an empty one: a copy of one that was migrated once
    /// for every build, since a copy takes a fifth of the time.
    pub fn make_migrated(&self, migrate: impl FnOnce(&str)) {
        let built = program().metadata().and_then(|found| found.modified());
        let built = built.expect("a program").duration_since(UNIX_EPOCH);
        let template = format!("apex_{}", built.expect("a time").as_nanos());
        let lock = File::create(program().with_extension("lock")).expect("a file");
        lock.lock().expect("a lock");
        let known = format!("SELECT 1 FROM pg_database WHERE datname = '{template}'");
        if self.psql(&known).is_empty() {
            let making = format!("{template}_{}", self.name);
            self.psql(&format!("CREATE DATABASE {making}"));
            migrate(&format!("{}/{making}", self.server));
            self.psql(&format!("ALTER DATABASE {making} RENAME TO {template}"));
        }
        drop(lock);
        let copy = format!("CREATE DATABASE {} TEMPLATE {template}", self.name);
        self.psql(&copy);
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    /// Runs a statement on the server; answers what it prints.
    fn psql(&self, statement: &str) -> String {
        let url = format!("{}/postgres", self.server);
        let done = Command::new("psql")
            .args([&url, "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement])
            .output()
            .expect("psql runs");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8(done.stdout).expect("text")
    }

    /// Everything in the database, as SQL text.
    pub fn dump(&self) -> Vec<u8> {
        let dump = Command::new("pg_dump")
            .arg(self.url())
            .output()
            .expect("pg_dump runs");
        assert!(dump.status.success());
        dump.stdout
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.psql(&format!(
            "DROP DATABASE IF EXISTS {} WITH (FORCE)",
            self.name
        ));
    }
}

/// Whether tests run on PostgreSQL.
pub fn is_postgres() -> bool {
    std::env::var("TEST_DATABASE").is_ok_and(|url| !url.is_empty())
}
