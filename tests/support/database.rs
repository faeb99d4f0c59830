//! The database tests run on: SQLite, or PostgreSQL when `TEST_DATABASE` names a
//! server where databases may be made. Every test has one of its own.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A PostgreSQL database that is dropped with this.
#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    /// Makes a database, if tests run on PostgreSQL.
    pub fn new() -> Option<Self> {
        let server = std::env::var("TEST_DATABASE")
            .ok()
            .filter(|url| !url.is_empty())?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("apex_test_{}_{count}", std::process::id());
        let database = Self { server, name };
        database.psql(&format!("CREATE DATABASE {}", database.name));
        Some(database)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    /// Runs a statement on the server.
    fn psql(&self, statement: &str) {
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
