//! Looks into database files, beside the program that owns them.

use std::path::Path;

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement};

/// Connects to a database by URL.
pub async fn connect(url: &str) -> DatabaseConnection {
    Database::connect(url).await.unwrap()
}

/// The first column of a query's rows, as text.
pub async fn column(connection: &DatabaseConnection, sql: &str) -> Vec<String> {
    let backend = connection.get_database_backend();
    let statement = Statement::from_string(backend, sql);
    let rows = connection.query_all_raw(statement).await.unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

/// The first column of a query's rows in a SQLite file, which is only read.
pub async fn texts(file: &Path, sql: &str) -> Vec<String> {
    let connection = connect(&format!("sqlite://{}?mode=ro", file.display())).await;
    let found = column(&connection, sql).await;
    connection.close().await.unwrap();
    found
}

/// SQLite's own opinion of a file.
pub async fn integrity(file: &Path) {
    assert_eq!(texts(file, "PRAGMA integrity_check").await, ["ok"]);
}
