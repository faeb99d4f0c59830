//! Answers are read by position or by time, whichever the question names.

use sea_orm::DbBackend;

use super::super::question::{Answer, Group, Question, Wants, answer};
use super::super::{Traffic, export, fold, model::Dimension};
use super::{EVENTS, Watched, database, done, execute, fill, position, rows};
use crate::auth::ProjectId;
use crate::db::Db;

fn question(group: Group) -> Question {
    Question {
        project: ProjectId(1),
        boundaries: vec![0, EVENTS * 1_000_000 + 1],
        names: Vec::new(),
        filters: Vec::new(),
        traffic: Traffic::ALL,
        group,
        only: None,
        top: None,
        wants: Wants::default(),
    }
}

async fn fold_all(db: &Db) {
    while fold::fold(db, fold::BATCH).await.unwrap().events > 0 {}
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
    fold_all(&db).await;
    for group in [Group::None, Group::Name, Group::By(Dimension::Url)] {
        let (answer, plans) = asked(&db, &question(group)).await;
        assert_eq!(events(&answer), EVENTS / 2, "{group:?}");
        let tail = plans.iter().filter(|plan| by_position(&db, plan));
        assert_eq!(tail.count(), 1, "{group:?}: {plans:?}");
    }
    done(db).await;
}

#[tokio::test]
async fn edges_of_a_period_are_read_by_time() {
    let (_folder, db) = database().await;
    fill(&db).await;
    fold_all(&db).await;
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
    fold_all(&db).await;
    for group in [Group::Name, Group::By(Dimension::Path)] {
        let mut none = question(group);
        none.only = Some(Default::default());
        let (answer, plans) = asked(&db, &none).await;
        assert!(answer.is_empty());
        assert!(plans.is_empty(), "{plans:?}");
    }
    done(db).await;
}

#[tokio::test]
async fn pages_of_an_export_cost_what_they_hold() {
    let (_folder, db) = database().await;
    fill(&db).await;
    let watched = Watched::new(db.snapshot(None).await.unwrap());
    for (range, expected) in [
        ((None, None), EVENTS / 2),
        ((Some(11_000_000), Some(15_000_000)), 2),
    ] {
        let (mut place, mut seqs) = (None, Vec::new());
        loop {
            let read = export::page(&watched, ProjectId(1), range, place, 1000).await;
            let (page, next) = read.unwrap();
            if page.is_empty() {
                break;
            }
            assert!(page.iter().all(|stored| stored.event.visitor.id() == "v"));
            seqs.extend(page.iter().map(|stored| stored.seq));
            place = Some(next);
        }
        assert_eq!(seqs.len() as i64, expected);
        assert!(seqs.is_sorted());
        // PostgreSQL may as well sort when little is left.
        let pages = match db.backend() {
            DbBackend::Postgres => 2,
            _ => usize::MAX,
        };
        for plan in watched.plans().await.into_iter().take(pages) {
            let seeks = plan.contains("event_time") || plan.contains("event_log");
            // What is of one time PostgreSQL sorts as it reads, page by page.
            let mut steps = plan
                .lines()
                .map(|line| line.trim_start_matches(['-', '>', ' ']));
            let sorts = steps.any(|step| step.starts_with("Sort "))
                && !plan.contains("Incremental")
                || plan.contains("TEMP B-TREE");
            assert!(seeks && !sorts, "{plan}");
        }
    }
    // What is appended later is not of this export.
    let (_, place) = export::page(&watched, ProjectId(1), (None, None), None, 1)
        .await
        .unwrap();
    drop(watched);
    let sql = "INSERT INTO event (seq, project, time, received, name, audience, visitor) \
               VALUES ($1, 1, 5000000000000, 0, 'late', 0, 0)";
    execute(db.admin(), sql, [(EVENTS + 1).into()])
        .await
        .unwrap();
    position(&db, EVENTS + 1).await;
    let read = db.snapshot(None).await.unwrap();
    let (rest, _) = export::page(&read, ProjectId(1), (None, None), Some(place), 100_000)
        .await
        .unwrap();
    assert_eq!(rest.len() as i64, EVENTS / 2 - 1);
    drop(read);
    done(db).await;
}

#[tokio::test]
async fn events_with_values_of_their_own_are_folded_in_parts() {
    let (_folder, db) = database().await;
    fill(&db).await;
    let sql = "DELETE FROM event WHERE seq > $1";
    execute(db.admin(), sql, [6000.into()]).await.unwrap();
    position(&db, 6000).await;
    let sql = "UPDATE event SET path = '/' || CAST(seq % 3001 AS TEXT)";
    execute(db.admin(), sql, []).await.unwrap();
    let first = fold::fold(&db, fold::BATCH).await.unwrap();
    assert!(first.events < 6000 && first.next < 6000, "{first:?}");
    let written = rows(db.admin(), "SELECT COUNT(*) AS n FROM event_rollup", []).await;
    let written: i64 = written.unwrap()[0].try_get("", "n").unwrap();
    assert!(written <= 16_000, "{written}");
    // Wherever the fold stands, the largest groups are the largest: what is read
    // from events and what the database adds up come together.
    let by = Group::By(Dimension::Path);
    let mut edged = question(by);
    edged.boundaries = vec![3_000_000, 86_400_000_000 + 7_000_000];
    for mut whole in [question(by), question(Group::Name), edged] {
        for _ in 0..2 {
            whole.top = None;
            let (every, _) = asked(&db, &whole).await;
            whole.top = Some(3);
            let (top, _) = asked(&db, &whole).await;
            assert_eq!(largest(&top), largest(&every));
            fold_all(&db).await;
        }
    }
    // Once all is folded, only so many come from the database.
    let mut whole = question(by);
    whole.boundaries = vec![0, 31 * 86_400_000_000];
    whole.top = Some(3);
    let (top, _) = asked(&db, &whole).await;
    assert_eq!(top.len(), 3);
    done(db).await;
}

fn largest(answer: &Answer) -> Vec<(i64, String)> {
    let sizes = answer
        .iter()
        .map(|((_, key), figures)| (-figures.events, key.clone()));
    let mut sizes: Vec<_> = sizes.collect();
    sizes.sort();
    sizes.truncate(3);
    sizes
}
