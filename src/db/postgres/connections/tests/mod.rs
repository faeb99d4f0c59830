//! Connections of PostgreSQL that were left in the middle of something.

use std::time::Duration;

use futures_util::future::pending;
use sea_orm::{DbBackend, Statement};

use crate::config::Layers;
use crate::db::Db;
use crate::db::sql::{execute, rows};
use crate::error::Result;

/// A database of PostgreSQL's with one connection, where the tests run on it.
async fn one() -> Option<Db> {
    let server = std::env::var_os("TEST_DATABASE")?.into_string().ok()?;
    let url = format!("{server}/postgres");
    let mut layers = Layers::new().unwrap();
    layers = layers.flag("database_url", Some(&url)).unwrap();
    let secret = "test ".repeat(8);
    layers = layers.flag("secret_key", Some(&secret)).unwrap();
    layers = layers.flag("database.pool", Some("1")).unwrap();
    Some(Db::open(&layers.build().unwrap()).await.unwrap())
}

async fn process(db: &Db) -> i32 {
    let read = db.read(None).await.unwrap();
    let found = rows(&read, "SELECT pg_backend_pid() AS own", []).await;
    found.unwrap()[0].try_get("", "own").unwrap()
}

#[tokio::test]
async fn what_was_left_open_is_taken_back() {
    let Some(db) = one().await else { return };
    let own = process(&db).await;
    let left = db.write(|tx| {
        Box::pin(async move {
            execute(tx, "CREATE TEMPORARY TABLE left_open (n INT)", []).await?;
            pending::<Result<()>>().await
        })
    });
    let left = tokio::time::timeout(Duration::from_millis(100), left).await;
    assert!(left.is_err(), "it ended");
    assert_eq!(process(&db).await, own, "the connection was not kept");
    let read = db.read(None).await.unwrap();
    let found = rows(&read, "SELECT to_regclass('left_open')::TEXT AS own", []).await;
    let found: Option<String> = found.unwrap()[0].try_get("", "own").unwrap();
    assert_eq!(found, None);
}

#[tokio::test]
async fn a_connection_that_failed_is_replaced() {
    let Some(db) = one().await else { return };
    let own = process(&db).await;
    let sql = "SELECT pg_terminate_backend($1)";
    rows(db.admin(), sql, [own.into()]).await.unwrap();
    let read = db.read(None).await.unwrap();
    // It was used a moment ago, so that it is believed to be sound; once.
    let _ = rows(&read, "SELECT 1", []).await;
    assert_ne!(process(&db).await, own);
}

#[tokio::test]
async fn one_statement_may_be_all() {
    let Some(db) = one().await else { return };
    let statement = || Statement::from_string(DbBackend::Postgres, "SELECT 1 AS own");
    let written = db.write(move |tx| {
        Box::pin(async move {
            assert!(tx.is_new().await);
            // Nothing was written yet, so that others may follow.
            let none = Statement::from_string(DbBackend::Postgres, "SELECT 1 AS own WHERE FALSE");
            assert_eq!(tx.alone(none).await?.map(|rows| rows.len()), Some(0));
            execute(tx, "SELECT 1", []).await?;
            assert!(!tx.is_new().await);
            assert!(tx.alone(statement()).await?.is_none());
            Ok(())
        })
    });
    written.await.unwrap();
    let went_on = db.write(move |tx| {
        Box::pin(async move {
            assert_eq!(tx.alone(statement()).await?.map(|rows| rows.len()), Some(1));
            execute(tx, "SELECT 1", []).await.map(drop)
        })
    });
    assert!(went_on.await.is_err(), "it went on after its end");
}
