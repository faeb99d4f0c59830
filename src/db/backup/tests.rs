//! A copy nobody waits for any more leaves nothing behind.

use std::time::{Duration, Instant};

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _};

use super::{copy, with_suffix};

#[tokio::test]
async fn an_abandoned_copy_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("s.db"), folder.path().join("t.db"));
    let options = SqliteConnectOptions::new().filename(&source);
    let mut connection = options.create_if_missing(true).connect().await.unwrap();
    let fill = "CREATE TABLE t AS WITH RECURSIVE n (i) AS \
                (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
                SELECT i, hex(randomblob(1000)) AS filler FROM n";
    sqlx::query(fill).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let partial = with_suffix(&target, ".partial");
    let begun = async {
        while std::fs::metadata(&partial).map_or(0, |file| file.len()) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        done = copy(&source, &target) => panic!("it was too fast: {done:?}"),
        () = begun => {}
    }
    assert!(!partial.exists() && !target.exists());
    // Nothing of it comes back when the database's own thread ends.
    let deadline = Instant::now() + Duration::from_millis(200);
    while Instant::now() < deadline {
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(copy(&source, &target).await.unwrap() > 10_000_000);
}
