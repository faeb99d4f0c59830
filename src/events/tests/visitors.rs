//! What each visitor did, read back in order.

use super::super::moments::{Moments, Reading, Span};
use super::super::{Bots, Traffic};
use super::{EVENTS, database, done, execute, fill};
use crate::auth::ProjectId;
use crate::db::Db;

async fn moments(db: &Db, span: &Span) -> Moments {
    let read = db.snapshot(None).await.unwrap();
    let reading = Reading::new(read, ProjectId(1), None).await;
    Moments::collect(&mut reading.unwrap(), span).await.unwrap()
}

#[tokio::test]
async fn what_visitors_did_is_read_in_order() {
    let (_folder, db) = database().await;
    fill(&db).await;
    let sql = "UPDATE event SET visitor = seq % 7, audience = seq % 3, path = '/p', \
               utm_source = 's', currency = 'EUR', amount = seq, units = 1";
    execute(db.admin(), sql, []).await.unwrap();
    let mut span = Span {
        from: 0,
        to: i64::MAX,
        names: None,
        traffic: Traffic::ALL,
    };
    let all = moments(&db, &span).await;
    assert_eq!(all.rows.len() as i64, EVENTS / 2);
    let placed = all.rows.iter().map(|row| (row.visitor, row.time));
    assert!(placed.is_sorted());
    for row in &all.rows {
        assert_eq!(all.text(row.path), "/p");
        assert_eq!(all.source(row.source).utm_source, "s");
        let detail = all.detail(row).unwrap();
        assert_eq!(detail.amount * 1_000_000, row.time);
        assert_eq!(all.text(detail.currency), "EUR");
    }
    assert_eq!(all.by_visitor().count(), 7);
    span.traffic.bots = Bots::Only;
    let bots = moments(&db, &span).await;
    assert!(bots.rows.iter().all(|row| row.audience == 1));
    assert!((EVENTS / 6 - 1..=EVENTS / 6 + 1).contains(&(bots.rows.len() as i64)));
    span.names = Some(vec!["b".to_owned()]);
    assert!(moments(&db, &span).await.rows.is_empty());
    done(db).await;
}
