//! Which ids a node knows after a restart, once segments have gone.

use super::super::model::{Audience, Original, Page, Visitor};
use super::super::segment::Draft;
use super::super::tests::{Watched, database, done, fill};
use super::*;
use crate::db::Db;
use crate::db::sql::execute;

const HOUR: Duration = Duration::from_secs(3600);

fn event(id: &str) -> NewEvent {
    NewEvent {
        project: ProjectId(1),
        time: 0,
        name: "a".to_owned(),
        visitor: Visitor::Known("v".to_owned()),
        client_id: Some(id.to_owned()),
        audience: Audience::default(),
        page: Page::default(),
        money: None,
        product: None,
        properties: None,
        person: None,
        device: None,
        copy_of: None,
    }
}

/// Judges one event after `position` and stores it if it is new.
async fn take(db: &Db, mut dedupe: Dedupe, position: i64, id: &str) -> (Dedupe, Verdict) {
    let event = event(id);
    let judged = db.write(move |tx| {
        Box::pin(async move {
            let verdict = dedupe.judge(tx, position, &[&event]).await?[0];
            if verdict == Verdict::New {
                let sql = "INSERT INTO event \
                           (seq, project, time, received, name, audience, visitor, client_id) \
                           VALUES ($1, 1, 0, 0, 'a', 0, 1, $2)";
                execute(tx, sql, [(position + 1).into(), event.client_id.into()]).await?;
            }
            dedupe.committed();
            Ok((dedupe, verdict))
        })
    });
    judged.await.unwrap()
}

#[tokio::test]
async fn what_is_forgotten_is_not_learned_again() {
    let (_folder, db) = database().await;

    let mut dedupe = Dedupe::new(HOUR);
    for (position, id) in ["a", "b", "c"].into_iter().enumerate() {
        let (own, verdict) = take(&db, dedupe, position as i64, id).await;
        assert_eq!(verdict, Verdict::New);
        dedupe = own;
    }
    let draft = Draft::new(dedupe.ripe(1).unwrap()).unwrap();
    let sealing = db.write(move |tx| Box::pin(async move { draft.seal(tx, 1, 0).await }));
    dedupe.sealed(sealing.await.unwrap());
    let (dedupe, verdict) = take(&db, dedupe, 3, "b").await;
    assert_eq!(verdict, Verdict::Duplicate, "sealed");
    let (mut dedupe, verdict) = take(&db, dedupe, 3, "d").await;
    assert_eq!(verdict, Verdict::New);

    // After a restart both the sealed and the recent are known, each once.
    let (again, verdict) = take(&db, Dedupe::new(HOUR), 4, "b").await;
    assert_eq!(verdict, Verdict::Duplicate);
    let (mut again, verdict) = take(&db, again, 4, "d").await;
    assert_eq!(verdict, Verdict::Duplicate);
    let learning = db.write(move |tx| {
        Box::pin(async move {
            again.catch_up(tx, 0).await?;
            again.catch_up(tx, 0).await?;
            Ok(again)
        })
    });
    let again = learning.await.unwrap();
    assert!(again.recent.more.is_empty(), "{:?}", again.recent.more);

    // When the window has passed, segments go and are not made anew.
    let expired = dedupe.expire(2 * HOUR.as_micros() as i64);
    assert_eq!(expired.len(), 1);
    let forgetting =
        db.write(move |tx| Box::pin(async move { Segment::forget(tx, &expired).await }));
    forgetting.await.unwrap();
    let (late, verdict) = take(&db, Dedupe::new(HOUR), 4, "b").await;
    assert_eq!(verdict, Verdict::New);
    let known: Vec<i64> = late
        .ripe(1)
        .unwrap()
        .iter()
        .map(|entry| entry.seq)
        .collect();
    assert_eq!(
        known.len(),
        2,
        "{known:?}: only what was not sealed, and the new one"
    );
    done(db).await;
}

#[tokio::test]
async fn a_copy_is_known_by_where_it_is_stored() {
    let (_folder, db) = database().await;
    let own = Uuid::now_v7();
    let sql = "INSERT INTO event \
               (seq, project, time, received, name, audience, visitor, id, client_id) VALUES \
               (1, 1, 0, 0, 'a', 0, 1, NULL, 'a'), (2, 1, 0, 0, 'a', 0, 1, $1, NULL), \
               (3, 2, 0, 0, 'a', 0, 1, NULL, 'a'), (4, 2, 0, 0, 'a', 0, 1, $1, NULL)";
    let own_bytes = own.as_bytes().to_vec();
    execute(db.admin(), sql, [own_bytes.into()]).await.unwrap();
    // All of it is older than the window.
    let sql = "UPDATE event_log SET value = 4";
    execute(db.admin(), sql, []).await.unwrap();
    let copy = |id: &str, seq: i64, server: Option<Uuid>| {
        let mut event = event(id);
        event.copy_of = Some(Original { seq, id: server });
        event
    };
    let shown = format!("evt_{own}");
    for (event, verdict) in [
        (event("a"), Verdict::New),
        (copy("a", 1, None), Verdict::Duplicate),
        (copy(&shown, 2, Some(own)), Verdict::Duplicate),
        // Another event is there, another project's, or none.
        (copy("a", 2, None), Verdict::New),
        (copy("b", 1, None), Verdict::New),
        (copy(&shown, 1, Some(own)), Verdict::New),
        (copy(&shown, 2, Some(Uuid::now_v7())), Verdict::New),
        (copy(&shown, 2, None), Verdict::New),
        (copy("a", 3, None), Verdict::New),
        (copy(&shown, 4, Some(own)), Verdict::New),
        (copy("a", 5, None), Verdict::New),
        (copy("a", i64::MIN, None), Verdict::New),
    ] {
        let said = format!("{:?} of {:?}", event.client_id, event.copy_of);
        let mut dedupe = Dedupe::new(HOUR);
        let judged =
            db.write(move |tx| Box::pin(async move { dedupe.judge(tx, 4, &[&event]).await }));
        assert_eq!(judged.await.unwrap(), [verdict], "{said}");
    }
    done(db).await;
}

#[tokio::test]
async fn only_ids_after_the_last_sealed_one_are_read() {
    let (_folder, db) = database().await;
    fill(&db).await;
    let sql = "UPDATE event SET client_id = 'c' || CAST(seq AS TEXT) WHERE seq > 19990";
    execute(db.admin(), sql, []).await.unwrap();
    let watched = Watched::new(db.snapshot(None).await.unwrap());
    let mut dedupe = Dedupe::new(HOUR);
    dedupe.load(&watched).await.unwrap();
    assert_eq!(dedupe.recent.len(), 10);
    let plans = watched.plans().await;
    let learned = plans.last().unwrap();
    assert!(learned.contains("event_client"), "{learned}");
    drop(watched);
    done(db).await;
}

#[tokio::test]
async fn nodes_seal_the_same_ids_once() {
    let (_folder, db) = database().await;
    let mut first = Dedupe::new(HOUR);
    for (position, id) in ["a", "b"].into_iter().enumerate() {
        (first, _) = take(&db, first, position as i64, id).await;
    }
    // Another node learns them, and one more comes to it.
    let (mut second, verdict) = take(&db, Dedupe::new(HOUR), 2, "a").await;
    assert_eq!(verdict, Verdict::Duplicate);
    (second, _) = take(&db, second, 2, "c").await;
    for dedupe in [&mut first, &mut second] {
        let (draft, known) = (
            Draft::new(dedupe.ripe(1).unwrap()).unwrap(),
            dedupe.last_segment(),
        );
        let sealing = db.write(move |tx| Box::pin(async move { draft.seal(tx, 1, known).await }));
        dedupe.sealed(sealing.await.unwrap());
    }
    let read = db.snapshot(None).await.unwrap();
    let sql = "SELECT CAST(SUM(entries) AS BIGINT) AS n FROM event_segment";
    let sealed: i64 = rows(&read, sql, []).await.unwrap()[0]
        .try_get("", "n")
        .unwrap();
    assert_eq!(sealed, 2);
    drop(read);
    assert!(first.ripe(1).is_none());
    assert_eq!(second.ripe(1).unwrap().len(), 1, "what nobody sealed");
    for id in ["a", "b", "c"] {
        let verdict;
        (second, verdict) = take(&db, second, 3, id).await;
        assert_eq!(verdict, Verdict::Duplicate, "{id}");
    }
    done(db).await;
}
