//! Which readers wait for which: short reads never queue behind long ones.

use super::*;
use crate::config::Layers;
use crate::db::migrate;
use crate::error::Kind;

async fn database(readers: &str) -> (tempfile::TempDir, Db) {
    let folder = tempfile::tempdir().unwrap();
    let layers = Layers::new().unwrap();
    let layers = layers.flag("data_dir", folder.path().to_str()).unwrap();
    let layers = layers.flag("database.readers", Some(readers)).unwrap();
    let db = Db::open(&layers.build().unwrap()).await.unwrap();
    migrate::up(&db).await.unwrap();
    (folder, db)
}

/// Whatever waits for a reader then does not get one.
fn now() -> Option<Instant> {
    Some(Instant::now())
}

#[track_caller]
fn none_free(read: Result<Read>) {
    assert_eq!(read.unwrap_err().kind(), Kind::DeadlineExceeded);
}

#[tokio::test]
async fn one_organization_blocks_nobody() {
    let (_folder, db) = database("4").await;
    let (one, other) = (OrganizationId(101), OrganizationId(102));
    // Two of four: half of what there is for questions.
    let first = db.events_of(one, None).await.unwrap();
    let second = db.events_of(one, None).await.unwrap();
    none_free(db.events_of(one, now()).await);
    let third = db.events_of(other, now()).await.unwrap();
    let fourth = db.events_of(other, now()).await.unwrap();
    none_free(db.events_of(OrganizationId(103), now()).await);
    // However much is asked, events are folded and keys are looked up.
    let fold = db.fold_view().await.unwrap();
    let short = db.read(now()).await.unwrap();
    short.execute_unprepared("SELECT 1").await.unwrap();
    drop((second, short));
    db.events_of(one, now()).await.unwrap();
    drop((first, third, fourth, fold));
    assert_eq!(db.pool().0, 0);
}

#[tokio::test]
async fn one_reader_is_enough() {
    let (_folder, db) = database("1").await;
    let question = db.events_of(OrganizationId(101), None).await.unwrap();
    let fold = db.fold_view().await.unwrap();
    db.read(now()).await.unwrap();
    db.snapshot(now()).await.unwrap();
    drop((question, fold));
}

/// What a statement is asked with does not change its plan, so it is planned once:
/// `.cargo/config.toml` has SQLite built that way.
#[tokio::test]
async fn plans_are_kept() {
    let (_folder, db) = database("1").await;
    let read = db.read(now()).await.unwrap();
    let sql = "SELECT sqlite_compileoption_used('ENABLE_QPSG')";
    let row = crate::db::sql::row(&read, sql, []).await.unwrap().unwrap();
    assert_eq!(row.try_get_by_index::<i32>(0).unwrap(), 1);
}

/// A connection goes from who reads to who views and back.
#[tokio::test]
async fn readers_and_views_take_turns() {
    let (_folder, db) = database("1").await;
    for _ in 0..3 {
        let read = db.read(None).await.unwrap();
        read.execute_unprepared("SELECT 1").await.unwrap();
        drop(read);
        let view = db.snapshot(None).await.unwrap();
        view.execute_unprepared("SELECT 1").await.unwrap();
    }
}
