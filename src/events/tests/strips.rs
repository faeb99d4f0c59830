//! What visitors did is the same, wherever it is read: from strips, from rows, or from
//! both.

use super::super::fold;
use super::super::moments::{Exposures, Moments, Reading, Span};
use super::super::{Bots, Traffic};
use super::{database, done, execute, position, rows};
use crate::auth::ProjectId;
use crate::db::Db;

/// Events and numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % end
    }
}

const DAY: i64 = 86_400_000_000;

/// Appends some events to two projects: most of them of today, some late.
async fn append(db: &Db, random: &mut Random, last: i64, count: i64) {
    for seq in last + 1..=last + count {
        let day = match random.below(4) {
            0 => random.below(6) as i64,
            _ => 5,
        };
        let time =
            day * DAY + random.below(DAY as u64 / 1000) as i64 * 1000 + random.below(2) as i64;
        let name = ["pageview", "page_view", "signup", "purchase"][random.below(4) as usize];
        let path = format!("'/{}'", random.below(30));
        let source = match random.below(3) {
            0 => format!("'s{}'", random.below(3)),
            _ => "NULL".to_owned(),
        };
        let (currency, amount) = match name {
            "purchase" => ("'EUR'", random.below(1 << 40).to_string()),
            _ => ("NULL", "NULL".to_owned()),
        };
        let properties = match random.below(3) {
            0 => format!(
                "'{{\"assignments\":{{\"exp_1\":\"v{}\"}}}}'",
                random.below(2)
            ),
            _ => "NULL".to_owned(),
        };
        let visitor = match random.below(10) {
            0 => (1_i64 << 31) + random.below(50) as i64,
            _ => random.below(40) as i64,
        };
        let (project, audience) = (1 + random.below(2), random.below(16));
        let sql = format!(
            "INSERT INTO event (seq, project, time, received, name, audience, visitor, path, \
             utm_source, currency, amount, units, properties) VALUES ({seq}, {project}, {time}, \
             0, '{name}', {audience}, {visitor}, {path}, {source}, {currency}, {amount}, \
             {amount}, {properties})"
        );
        execute(db.admin(), &sql, []).await.unwrap();
    }
    position(db, last + count).await;
}

/// A moment in words.
type Told = (u32, i64, String, String, String, u8, Option<(String, i64)>);

async fn reading(db: &Db) -> Reading {
    let read = db.snapshot(None).await.unwrap();
    Reading::new(read, ProjectId(1), None).await.unwrap()
}

/// What visitors did, as the log tells it.
async fn told(db: &Db, span: &Span) -> Vec<Told> {
    let own = Moments::collect(&mut reading(db).await, span)
        .await
        .unwrap();
    let order = own.rows.iter().map(|row| (row.visitor, row.time));
    assert!(order.is_sorted());
    let told = own.rows.iter().map(|row| {
        let paid = own.detail(row).filter(|detail| detail.currency != 0);
        (
            row.visitor,
            row.time,
            own.text(row.name).to_owned(),
            own.text(row.path).to_owned(),
            own.source(row.source).utm_source,
            row.audience,
            paid.map(|detail| (own.text(detail.currency).to_owned(), detail.amount)),
        )
    });
    let mut told: Vec<Told> = told.collect();
    told.sort();
    told
}

/// What visitors did, as the rows tell it.
async fn right(db: &Db, span: &Span) -> Vec<Told> {
    let sql = "SELECT visitor, time, name, path, utm_source, audience, currency, amount \
               FROM event WHERE project = 1";
    let found = rows(db.admin(), sql, []).await.unwrap();
    let told = found.iter().map(|row| {
        let currency: Option<String> = row.try_get("", "currency").unwrap();
        let source: Option<String> = row.try_get("", "utm_source").unwrap();
        (
            row.try_get::<i64>("", "visitor").unwrap() as u32,
            row.try_get::<i64>("", "time").unwrap(),
            row.try_get::<String>("", "name").unwrap(),
            row.try_get::<String>("", "path").unwrap(),
            source.unwrap_or_default(),
            row.try_get::<i16>("", "audience").unwrap() as u8,
            currency.map(|code| (code, row.try_get::<i64>("", "amount").unwrap())),
        )
    });
    let wanted = |own: &Told| {
        let bots = match span.traffic.bots {
            Bots::Exclude => own.5 & 1 == 0,
            Bots::Include => true,
            Bots::Only => own.5 & 1 == 1,
        };
        let named = span
            .names
            .as_ref()
            .is_none_or(|names| names.contains(&own.2));
        bots && named && (span.from..span.to).contains(&own.1)
    };
    let mut told: Vec<Told> = told.filter(wanted).collect();
    told.sort();
    told
}

#[tokio::test]
async fn strips_and_rows_tell_the_same() {
    let (_folder, db) = database().await;
    let mut random = Random(20_261_126);
    let mut last = 0;
    for round in 0..12 {
        let count = 1 + random.below(120) as i64;
        append(&db, &mut random, last, count).await;
        last += count;
        match round % 4 {
            // Nothing is folded, some, or all; or two nodes fold the same.
            0 => {}
            1 => drop(fold::fold(&db, 1 + random.below(150) as i64).await.unwrap()),
            2 => {
                while fold::fold(&db, 1 + random.below(60) as i64)
                    .await
                    .unwrap()
                    .events
                    > 0
                {}
            }
            _ => {
                let one = fold::prepare(&db, 90).await.unwrap().unwrap();
                let other = fold::prepare(&db, 100).await.unwrap().unwrap();
                db.write(|tx| Box::pin(fold::store(tx, one))).await.unwrap();
                db.write(|tx| Box::pin(fold::store(tx, other)))
                    .await
                    .unwrap();
            }
        }
        for (from, to) in [
            (0, 6 * DAY),
            (DAY / 3, 5 * DAY + DAY / 2),
            (2 * DAY, 3 * DAY),
            (DAY, DAY),
        ] {
            for bots in [Bots::Exclude, Bots::Include, Bots::Only] {
                for names in [
                    None,
                    Some(vec![
                        "signup".to_owned(),
                        "purchase".to_owned(),
                        "none".to_owned(),
                    ]),
                ] {
                    let traffic = Traffic {
                        bots,
                        environment: None,
                    };
                    let span = Span {
                        from,
                        to,
                        names,
                        traffic,
                    };
                    assert_eq!(
                        told(&db, &span).await,
                        right(&db, &span).await,
                        "{round} {span:?}"
                    );
                }
            }
        }
        exposed(&db).await;
    }
    let sql = "SELECT COUNT(*) AS n FROM event_strip WHERE project = 1 AND kind = 0 AND day = 5 AND name = 1";
    let strips: i64 = rows(db.admin(), sql, []).await.unwrap()[0]
        .try_get("", "n")
        .unwrap();
    assert!(strips <= 10, "{strips} strips of a day");
    done(db).await;
}

/// First sights of an experiment are those of the rows.
async fn exposed(db: &Db) {
    let span = Span {
        from: 0,
        to: 6 * DAY,
        names: None,
        traffic: Traffic::ALL,
    };
    let own = Exposures::collect(&mut reading(db).await, "exp_1", &span)
        .await
        .unwrap();
    let sql = "SELECT visitor, MIN(time) AS first, COUNT(DISTINCT properties) AS variants \
               FROM event WHERE project = 1 AND properties IS NOT NULL AND visitor <> 0 \
               GROUP BY visitor ORDER BY visitor";
    let right = rows(db.admin(), sql, []).await.unwrap();
    let right = right.iter().map(|row| {
        let visitor: i64 = row.try_get("", "visitor").unwrap();
        let first: i64 = row.try_get("", "first").unwrap();
        (
            visitor as u32,
            first,
            row.try_get::<i64>("", "variants").unwrap() > 1,
        )
    });
    let told = own
        .first
        .iter()
        .map(|own| (own.visitor, own.time, own.several));
    assert_eq!(told.collect::<Vec<_>>(), right.collect::<Vec<_>>());
}
