//! What is written down by and by: when keys were used, as far as it is news, and
//! that sessions are over, without reading them all.

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement};
use serde_json::json;

use super::{key, session};
use crate::support::Server;
use crate::support::database::is_postgres;

async fn open(server: &Server) -> DatabaseConnection {
    Database::connect(server.database_url()).await.unwrap()
}

async fn used(database: &DatabaseConnection) -> Vec<(String, Option<i64>)> {
    let sql = "SELECT name, last_used_at FROM api_key ORDER BY number";
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(statement).await.unwrap();
    let pair = |row: &sea_orm::QueryResult| {
        (
            row.try_get("", "name").unwrap(),
            row.try_get("", "last_used_at").unwrap(),
        )
    };
    rows.iter().map(pair).collect()
}

#[tokio::test]
async fn only_news_of_keys_is_written() {
    let mut server = Server::start();
    let own = server.organization("Acme");
    let http = session(&server, &own.email).await;
    let (first, _) = key(&http, &server, json!({"name": "first"})).await;
    let (_, second) = key(&http, &server, json!({"name": "second"})).await;
    first.get("/api/me").await.expect(200);
    assert_eq!(server.terminate(), Some(0));
    let database = open(&server).await;
    let before = used(&database).await;
    let [_, (_, Some(at)), (_, None)] = before.as_slice() else {
        panic!("one was used: {before:?}");
    };
    server.run();
    // What this server did not see is what somebody else wrote.
    let marked = at - 1;
    let sql = format!("UPDATE api_key SET last_used_at = {marked} WHERE name = 'first'");
    database.execute_unprepared(&sql).await.unwrap();
    let second = server.http().bearer(second["key"].as_str().unwrap());
    second.get("/api/me").await.expect(200);
    assert_eq!(server.terminate(), Some(0));
    let after = used(&database).await;
    assert_eq!(after[1].1, Some(marked), "written again without a use");
    assert!(after[2].1 > Some(*at), "{after:?}");
    database.close().await.unwrap();
}

#[tokio::test]
async fn sessions_that_are_over_are_found() {
    let server = Server::start();
    let own = server.organization("Acme");
    session(&server, &own.email).await;
    let database = open(&server).await;
    let sql = match is_postgres() {
        true => "SELECT indexdef AS detail FROM pg_indexes WHERE tablename = 'session'",
        false => "EXPLAIN QUERY PLAN SELECT id FROM session WHERE expires_at < 1",
    };
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(statement).await.unwrap();
    let details = rows.iter().map(|row| row.try_get("", "detail").unwrap());
    let details: Vec<String> = details.collect();
    let found = details
        .iter()
        .any(|detail| detail.contains("session_expires"));
    assert!(found, "{details:?}");
    database.close().await.unwrap();
}
