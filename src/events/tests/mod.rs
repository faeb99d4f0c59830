//! What the log costs: the statements it sends are watched, and the database is
//! asked how it would answer them. Nothing is timed.

mod plans;
mod strips;
mod upkeep;
mod visitors;

use std::sync::Mutex;

use sea_orm::{
    ConnectionTrait, Database, DbBackend, DbErr, ExecResult, QueryResult, Statement, Value,
};
use tempfile::TempDir;

use crate::config::Layers;
use crate::db::sql::{execute, rows};
use crate::db::{Db, Read, migrate};

/// Events of a filled log.
pub(super) const EVENTS: i64 = 20_000;

/// An empty database: SQLite's, or PostgreSQL's when `TEST_DATABASE` names a
/// server.
pub(super) async fn database() -> (TempDir, Db) {
    let folder = tempfile::tempdir().unwrap();
    let mut layers = Layers::new().unwrap();
    layers = layers.flag("data_dir", folder.path().to_str()).unwrap();
    let server = std::env::var_os("TEST_DATABASE").and_then(|url| url.into_string().ok());
    if let Some(server) = server.filter(|server| !server.is_empty()) {
        let name = format!("apex_test_{}", uuid::Uuid::now_v7().simple());
        let admin = Database::connect(format!("{server}/postgres"))
            .await
            .unwrap();
        let make = format!("CREATE DATABASE {name}");
        admin.execute_unprepared(&make).await.unwrap();
        let url = format!("{server}/{name}");
        let secret = "test ".repeat(8);
        layers = layers.flag("database_url", Some(&url)).unwrap();
        layers = layers.flag("secret_key", Some(&secret)).unwrap();
    }
    let db = Db::open(&layers.build().unwrap()).await.unwrap();
    migrate::up(&db).await.unwrap();
    (folder, db)
}

/// Removes PostgreSQL's database again.
pub(super) async fn done(db: Db) {
    if db.backend() != DbBackend::Postgres {
        return;
    }
    let own = rows(db.admin(), "SELECT current_database() AS own", []).await;
    let own: String = own.unwrap()[0].try_get("", "own").unwrap();
    db.close().await.unwrap();
    let server = std::env::var_os("TEST_DATABASE").unwrap();
    let server = server.into_string().unwrap();
    let admin = Database::connect(format!("{server}/postgres"))
        .await
        .unwrap();
    let drop = format!("DROP DATABASE {own} WITH (FORCE)");
    admin.execute_unprepared(&drop).await.unwrap();
}

/// Fills the log with events of two projects, a second apart, and one visitor in
/// each.
pub(super) async fn fill(db: &Db) {
    let numbers = "WITH RECURSIVE numbers (n) AS \
                   (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)";
    let admin = db.admin();
    let sql = format!(
        "INSERT INTO event (seq, project, time, received, name, audience, visitor) \
         {numbers} SELECT n, 1 + n % 2, CAST(n AS BIGINT) * 1000000, n, 'a', 0, 0 FROM numbers"
    );
    execute(admin, &sql, [EVENTS.into()]).await.unwrap();
    for project in [1_i64, 2] {
        let sql = "INSERT INTO event_visitor (project, id, ordinal) VALUES ($1, 'v', 0)";
        execute(admin, sql, [project.into()]).await.unwrap();
    }
    position(db, EVENTS).await;
    if db.backend() == DbBackend::Postgres {
        admin.execute_unprepared("ANALYZE event").await.unwrap();
    }
}

/// Moves the position of the log.
pub(super) async fn position(db: &Db, position: i64) {
    let sql = "UPDATE event_log SET value = $1 WHERE name = 'position'";
    execute(db.admin(), sql, [position.into()]).await.unwrap();
}

/// A connection that remembers its queries.
#[derive(Debug)]
pub(super) struct Watched {
    read: Read,
    seen: Mutex<Vec<Statement>>,
}

impl Watched {
    pub(super) fn new(read: Read) -> Self {
        Self {
            read,
            seen: Mutex::default(),
        }
    }

    /// How the database answers the queries that were sent: a plan each.
    pub(super) async fn plans(&self) -> Vec<String> {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        let mut plans = Vec::new();
        for statement in seen {
            let explain = match statement.db_backend {
                DbBackend::Postgres => "EXPLAIN",
                _ => "EXPLAIN QUERY PLAN",
            };
            let sql = format!("{explain} {}", statement.sql);
            let values: Vec<Value> = statement.values.map_or_else(Vec::new, |values| values.0);
            let column = match statement.db_backend {
                DbBackend::Postgres => "QUERY PLAN",
                _ => "detail",
            };
            let lines = rows(&self.read, &sql, values).await.unwrap();
            let lines = lines.iter().map(|row| row.try_get("", column).unwrap());
            plans.push(lines.collect::<Vec<String>>().join("\n"));
        }
        plans
    }
}

#[tonic::async_trait]
impl ConnectionTrait for Watched {
    fn get_database_backend(&self) -> DbBackend {
        self.read.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.read.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.read.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.seen.lock().unwrap().push(statement.clone());
        self.read.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.seen.lock().unwrap().push(statement.clone());
        self.read.query_all_raw(statement).await
    }
}
