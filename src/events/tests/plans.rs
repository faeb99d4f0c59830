//! Answers are read by position or by time, whichever the question names.

use sea_orm::DbBackend;

use super::super::question::{Answer, Group, Question, Wants, answer};
use super::super::{fold, model::Dimension};
use super::{EVENTS, Watched, database, done, execute, fill};
use crate::auth::ProjectId;
use crate::db::Db;

fn question(group: Group) -> Question {
    Question {
        project: ProjectId(1),
        boundaries: vec![0, EVENTS * 1_000_000 + 1],
        names: Vec::new(),
        filters: Vec::new(),
        group,
        only: None,
        wants: Wants::default(),
    }
}

async fn asked(db: &Db, question: &Question) -> (Answer, Vec<String>) {
    let watched = Watched::new(db.snapshot(None).await.unwrap());
    let answer = answer(&watched, question).await.unwrap();
    (answer, watched.plans().await)
}

fn events(answer: &Answer) -> i64 {
    answer.values().map(|figures| figures.events).sum()
}

/// A plan that seeks events by position; SQLite and PostgreSQL tell it apart.
fn by_position(db: &Db, plan: &str) -> bool {
    match db.backend() {
        DbBackend::Postgres => plan.contains("event_pkey") && plan.contains("Index Cond: (seq >"),
        _ => plan.contains("USING INTEGER PRIMARY KEY (rowid>?)"),
    }
}

#[tokio::test]
async fn what_is_not_folded_is_read_by_position() {
    let (_folder, db) = database().await;
    fill(&db).await;
    while fold::fold(&db).await.unwrap() > 0 {}
    for group in [Group::None, Group::Name, Group::By(Dimension::Url)] {
        let (answer, plans) = asked(&db, &question(group)).await;
        assert_eq!(events(&answer), EVENTS / 2, "{group:?}");
        // The tail is what is read last.
        let tail = plans.last().unwrap();
        assert!(by_position(&db, tail), "{group:?}: {tail}");
    }
    done(db).await;
}

#[tokio::test]
async fn edges_of_a_period_are_read_by_time() {
    let (_folder, db) = database().await;
    fill(&db).await;
    while fold::fold(&db).await.unwrap() > 0 {}
    let mut period = question(Group::None);
    period.boundaries = vec![900_000_000 - 10_000_000, 900_000_000];
    let (answer, plans) = asked(&db, &period).await;
    assert_eq!(events(&answer), 5);
    assert!(
        plans.iter().any(|plan| plan.contains("event_time")),
        "{plans:?}"
    );
    done(db).await;
}

#[tokio::test]
async fn names_without_number_are_grouped() {
    let (_folder, db) = database().await;
    // A month of them, as folds would leave it.
    let sql = "WITH RECURSIVE numbers (n) AS \
               (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 70000) \
               INSERT INTO event_rollup (project, level, dimension, name, bucket, value, \
               audience, events, visitors) \
               SELECT 1, 3, 0, 'name ' || CAST(n AS TEXT), 0, '', 0, 1, $1 FROM numbers";
    execute(db.admin(), sql, [Vec::<u8>::new().into()])
        .await
        .unwrap();
    let mut whole = question(Group::Name);
    whole.boundaries = vec![0, 31 * 86_400 * 1_000_000];
    let (answer, _) = asked(&db, &whole).await;
    assert_eq!((answer.len(), events(&answer)), (70_000, 70_000));
    whole.only = Some(["name 7".to_owned(), "none".to_owned()].into());
    let (answer, plans) = asked(&db, &whole).await;
    assert_eq!((answer.len(), events(&answer)), (1, 1));
    // Nothing but the one name is looked for.
    assert!(
        !plans.iter().any(|plan| plan.contains("named")),
        "{plans:?}"
    );
    done(db).await;
}

#[tokio::test]
async fn no_groups_are_no_answer() {
    let (_folder, db) = database().await;
    fill(&db).await;
    while fold::fold(&db).await.unwrap() > 0 {}
    for group in [Group::Name, Group::By(Dimension::Path)] {
        let mut none = question(group);
        none.only = Some(Default::default());
        let (answer, plans) = asked(&db, &none).await;
        assert!(answer.is_empty());
        assert!(plans.is_empty(), "{plans:?}");
    }
    done(db).await;
}
