//! What the writer answers is true, whatever becomes of its connection.

use std::path::Path;
use std::sync::Arc;

use futures_util::TryFutureExt as _;
use sea_orm::sqlx::{self, Connection as _};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use tempfile::TempDir;
use tokio::sync::Notify;

use super::super::sqlite::Opener;
use super::super::writer::Writer;
use super::super::{Outcome, Script, Tx, Work};
use crate::error::{Error, Kind, Result};

struct Fixture {
    folder: TempDir,
    writer: Arc<Writer>,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let opener = Opener::of_file(&file(&folder));
        let open = opener.open().await.unwrap();
        let fixture = Self {
            writer: Arc::new(Writer::grouped(opener, open).unwrap()),
            folder,
        };
        let made = run("CREATE TABLE t (name TEXT)");
        fixture.writer.write(made).await.unwrap();
        fixture
    }

    /// What is stored, seen by somebody else.
    async fn stored(&self) -> Vec<String> {
        let url = format!("sqlite://{}?mode=ro", file(&self.folder).display());
        let mut other = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let sql = "SELECT name FROM t ORDER BY name";
        sqlx::query_scalar(sql).fetch_all(&mut other).await.unwrap()
    }

    /// Writes several pieces in one group; answers whether each was acknowledged.
    async fn together(&self, works: Vec<Work>) -> Vec<bool> {
        let all = works
            .into_iter()
            .map(|work| self.writer.write(work).map_ok(drop));
        self.grouped(futures_util::future::join_all(all)).await
    }

    /// Does all at once while the writer is held up.
    async fn grouped(&self, all: impl Future<Output = Vec<Result<()>>>) -> Vec<bool> {
        let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (own_begun, own_go) = (begun.clone(), go.clone());
        let writer = self.writer.clone();
        // While this one holds the writer up, the others queue.
        let first = tokio::spawn(async move {
            let wait: Work = Box::new(move |_| {
                Box::pin(async move {
                    own_begun.notify_one();
                    own_go.notified().await;
                    done()
                })
            });
            writer.write(wait).await
        });
        begun.notified().await;
        let (outcomes, ()) = tokio::join!(all, async { go.notify_one() });
        first.await.unwrap().unwrap();
        outcomes.iter().map(Result::is_ok).collect()
    }

    /// The next write is durable, and the writer says it is sound.
    async fn goes_on(&self, before: &[&str]) {
        assert_eq!(self.stored().await, before);
        self.writer.write(insert("z")).await.unwrap();
        assert!(!self.writer.is_faulty());
        assert_eq!(self.stored().await, [before, &["z"]].concat());
    }
}

fn file(folder: &TempDir) -> std::path::PathBuf {
    Path::join(folder.path(), "t.db")
}

fn done() -> Result<Outcome> {
    Ok(Box::new(()))
}

async fn execute(tx: &Tx, sql: &str) -> Result<()> {
    let statement = Statement::from_string(DbBackend::Sqlite, sql);
    tx.execute_raw(statement).await?;
    Ok(())
}

/// Work that runs statements, one after the other, and overlooks what fails.
fn run(statements: &'static str) -> Work {
    Box::new(move |tx| {
        Box::pin(async move {
            for sql in statements.split("; ") {
                let _ = execute(tx, sql).await;
            }
            done()
        })
    })
}

fn insert(name: &'static str) -> Work {
    Box::new(move |tx| {
        Box::pin(async move {
            execute(tx, &format!("INSERT INTO t VALUES ('{name}')")).await?;
            done()
        })
    })
}

fn script(statements: &'static str) -> Script {
    let mut script = Script::default();
    for sql in statements.split("; ") {
        script.push(sql, Vec::new());
    }
    script
}

fn refused() -> Work {
    Box::new(move |tx| {
        Box::pin(async move {
            execute(tx, "INSERT INTO t VALUES ('refused')").await?;
            Err(Error::invalid("no"))
        })
    })
}

#[tokio::test]
async fn a_piece_that_fails_costs_the_others_nothing() {
    let fixture = Fixture::new().await;
    let works = vec![insert("a"), refused(), insert("b")];
    assert_eq!(fixture.together(works).await, [true, false, true]);
    let alone = fixture.writer.write(refused()).await.unwrap_err();
    assert_eq!(alone.kind(), Kind::InvalidArgument);
    fixture.goes_on(&["a", "b"]).await;
}

#[tokio::test]
async fn a_script_is_written_whole_or_not_at_all() {
    const HALF: &str = "INSERT INTO t VALUES ('half'); INSERT INTO nowhere VALUES (1)";
    let fixture = Fixture::new().await;
    let whole = "INSERT INTO t VALUES ('a'); INSERT INTO t VALUES ('b')";
    fixture.writer.run(script(whole)).await.unwrap();
    for how in [HALF, "INSERT INTO t VALUES ('c'); ROLLBACK"] {
        assert!(fixture.writer.run(script(how)).await.is_err(), "{how}");
        assert!(fixture.writer.is_faulty(), "{how}");
        fixture
            .writer
            .run(script("DELETE FROM t WHERE name = 'z'"))
            .await
            .unwrap();
        fixture.goes_on(&["a", "b"]).await;
    }
    // In company, scripts share a transaction like all else.
    let one = fixture.writer.run(script("INSERT INTO t VALUES ('y')"));
    let two = fixture.writer.run(script(HALF));
    let three = fixture.writer.run(script("DELETE FROM t WHERE name = 'z'"));
    let four = fixture.writer.write(insert("x")).map_ok(drop);
    let all = async { <[_; 4]>::from(tokio::join!(one, two, three, four)).into() };
    assert_eq!(fixture.grouped(all).await, [true, false, true, true]);
    fixture.goes_on(&["a", "b", "x", "y"]).await;
}

#[tokio::test]
async fn a_panic_costs_the_others_nothing() {
    let panics = || -> [Work; 2] {
        let late: Work = Box::new(|tx| {
            Box::pin(async move {
                execute(tx, "INSERT INTO t VALUES ('panic')").await?;
                panic!("late")
            })
        });
        [Box::new(|_| panic!("before there is a future")), late]
    };
    let fixture = Fixture::new().await;
    let [early, late] = panics();
    let works = vec![insert("a"), early, late, insert("b")];
    assert_eq!(fixture.together(works).await, [true, false, false, true]);
    for work in panics() {
        assert!(fixture.writer.write(work).await.is_err());
    }
    fixture.goes_on(&["a", "b"]).await;
}

/// SQLite ends a transaction by itself when a disk is full or fails, and this is
/// what the connection looks like then. Work goes on as if nothing had happened.
const LOST: [&str; 5] = [
    "ROLLBACK",
    "ROLLBACK; INSERT INTO t VALUES ('stray')",
    "COMMIT",
    "COMMIT; INSERT INTO t VALUES ('stray')",
    "ROLLBACK; BEGIN; INSERT INTO t VALUES ('stray'); SAVEPOINT odd",
];

#[tokio::test]
async fn a_lost_transaction_is_never_acknowledged() {
    for how in LOST {
        let fixture = Fixture::new().await;
        let works = vec![insert("a"), run(how), insert("b")];
        assert_eq!(fixture.together(works).await, [false; 3], "{how}");
        assert!(fixture.writer.is_faulty(), "{how}");
        fixture.goes_on(&[]).await;
        assert!(fixture.writer.write(run(how)).await.is_err(), "{how}");
        fixture.writer.write(insert("zz")).await.unwrap();
        assert_eq!(fixture.stored().await, ["z", "zz"], "{how}");
    }
}

#[tokio::test]
async fn a_lost_savepoint_is_never_acknowledged() {
    for how in [
        "RELEASE SAVEPOINT even",
        "INSERT INTO t VALUES ('stray'); RELEASE SAVEPOINT even",
    ] {
        let fixture = Fixture::new().await;
        let works = vec![insert("a"), run(how), insert("b")];
        assert_eq!(fixture.together(works).await, [false; 3], "{how}");
        fixture.goes_on(&[]).await;
    }
}

#[tokio::test]
async fn a_commit_that_fails_is_never_acknowledged() {
    let fixture = Fixture::new().await;
    let schema = "CREATE TABLE parent (id INTEGER PRIMARY KEY); \
                  CREATE TABLE child (id INTEGER REFERENCES parent (id) \
                  DEFERRABLE INITIALLY DEFERRED)";
    fixture.writer.write(run(schema)).await.unwrap();
    let orphan = || run("INSERT INTO child VALUES (7)");
    assert!(fixture.writer.write(orphan()).await.is_err());
    let works = vec![insert("a"), orphan(), insert("b")];
    assert_eq!(fixture.together(works).await, [false; 3]);
    fixture.goes_on(&[]).await;
}

/// What is asked for before the commit is run once, in the transaction, and is taken back
/// with it.
#[tokio::test]
async fn last_things_are_done_once() {
    const LAST: &str = "INSERT INTO t SELECT 'last of ' || COUNT(*) FROM t";
    fn with_last(name: &'static str) -> Work {
        Box::new(move |tx| {
            Box::pin(async move {
                tx.before_commit(LAST);
                execute(tx, &format!("INSERT INTO t VALUES ('{name}')")).await?;
                done()
            })
        })
    }
    let fixture = Fixture::new().await;
    let works = vec![with_last("a"), refused(), with_last("b"), insert("c")];
    assert_eq!(fixture.together(works).await, [true, false, true, true]);
    fixture.goes_on(&["a", "b", "c", "last of 3"]).await;
    // Alone too; and what is taken back has no last things.
    fixture.writer.write(with_last("d")).await.unwrap();
    let taken_back: Work = Box::new(|tx| {
        Box::pin(async move {
            tx.before_commit(LAST);
            execute(tx, "INSERT INTO t VALUES ('refused')").await?;
            Err(Error::invalid("no"))
        })
    });
    assert!(fixture.writer.write(taken_back).await.is_err());
    let all = ["a", "b", "c", "d", "last of 3", "last of 6", "z"];
    assert_eq!(fixture.stored().await, all);
}

/// A piece that writes nothing has no savepoint, and one that is taken back leaves what
/// others wrote before and after it.
#[tokio::test]
async fn pieces_in_any_order() {
    let fixture = Fixture::new().await;
    let idle = || -> Work { Box::new(|_| Box::pin(async { done() })) };
    let works = vec![
        idle(),
        refused(),
        insert("a"),
        idle(),
        insert("b"),
        refused(),
        refused(),
        insert("c"),
        insert("d"),
        idle(),
    ];
    let expected = [
        true, false, true, true, true, false, false, true, true, true,
    ];
    assert_eq!(fixture.together(works).await, expected);
    assert_eq!(fixture.together(vec![idle(), idle()]).await, [true, true]);
    fixture.writer.write(idle()).await.unwrap();
    fixture.goes_on(&["a", "b", "c", "d"]).await;
}

/// How many rows a statement touched is said of that statement alone.
#[tokio::test]
async fn rows_are_counted_of_one_statement() {
    const NONE: &str = "DELETE FROM t WHERE name = 'nobody'";
    let none = || -> Work {
        Box::new(|tx| {
            Box::pin(async move {
                let statement = Statement::from_string(DbBackend::Sqlite, NONE);
                match tx.execute_raw(statement).await?.rows_affected() {
                    0 => done(),
                    _ => Err(Error::invalid("some")),
                }
            })
        })
    };
    let fixture = Fixture::new().await;
    let works = vec![insert("a"), none(), insert("b"), none()];
    assert_eq!(fixture.together(works).await, [true; 4]);
    fixture.writer.write(insert("c")).await.unwrap();
    fixture.writer.write(none()).await.unwrap();
    fixture.goes_on(&["a", "b", "c"]).await;
}
