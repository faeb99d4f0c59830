//! Inserts rows of events: on SQLite as statements of many rows, on
//! PostgreSQL as one statement over arrays. Both are several times faster than
//! row by row.

use std::sync::LazyLock;

use sea_orm::sea_query::ArrayType;
use sea_orm::{DbBackend, Value};
use uuid::Uuid;

use super::model::{Money, NewEvent};
use crate::db::Script;
use crate::db::sql::tuples;

const COLUMNS: &str = "seq, project, time, received, name, audience, visitor, id, client_id, \
                       origin, path, referrer, utm_source, utm_medium, utm_campaign, currency, \
                       amount, units, product, properties, utm_term, utm_content, click, person, \
                       device";

/// How many columns those are.
const WIDTH: usize = 25;

/// Rows of a statement at the most, as a power of two; more is not faster.
const LARGEST: u32 = 7;

/// SQLite's statements for up to 1, 2, 4, … rows. Every size is a statement of its
/// own, which SQLite takes long to prepare and keeps in memory: so there are few, and
/// rows that are not there have no position.
static STATEMENTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let statement = |size: u32| {
        let rows = tuples(DbBackend::Sqlite, WIDTH, 1_usize << size);
        let rows = match size {
            0 => format!("VALUES {rows}"),
            _ => format!("SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL"),
        };
        format!(
            "UPDATE event_log SET value = ? WHERE name = 'position'; \
             INSERT INTO event ({COLUMNS}) {rows}"
        )
    };
    (0..=LARGEST).map(statement).collect()
});

/// An event on its way into the table.
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) received: i64,
    pub(super) id: Option<Uuid>,
    pub(super) visitor: u32,
    pub(super) event: NewEvent,
}

/// Inserts events and moves the log's position on to the last of them, `after` being
/// where it is. On PostgreSQL nothing is written if it is elsewhere.
pub(super) fn events(backend: DbBackend, after: i64, rows: Vec<Row>, script: &mut Script) {
    let Some(last) = rows.last().map(|row| row.seq) else {
        return;
    };
    if backend == DbBackend::Postgres {
        return arrays(&rows, after, last, script);
    }
    let mut rows = rows.into_iter().peekable();
    while let Some(first) = rows.peek().map(|row| row.seq) {
        let count = rows.len().min(1 << LARGEST);
        let size = count.next_power_of_two().ilog2() as usize;
        let mut values = Vec::with_capacity(1 + count * WIDTH);
        values.push((first + count as i64 - 1).into());
        values.extend(rows.by_ref().take(count).flat_map(values_of));
        script.push(STATEMENTS[size].as_str(), values);
    }
}

fn values_of(row: Row) -> [Value; WIDTH] {
    let event = row.event;
    let page = event.page;
    let (currency, amount, units) = money(event.money);
    [
        row.seq.into(),
        event.project.into(),
        event.time.into(),
        row.received.into(),
        event.name.into(),
        event.audience.number().into(),
        i64::from(row.visitor).into(),
        row.id.map(|id| id.as_bytes().to_vec()).into(),
        event.client_id.into(),
        page.origin.into(),
        page.path.into(),
        page.referrer.into(),
        page.utm_source.into(),
        page.utm_medium.into(),
        page.utm_campaign.into(),
        currency.into(),
        amount.into(),
        units.into(),
        event.product.into(),
        event.properties.into(),
        page.utm_term.into(),
        page.utm_content.into(),
        page.click.into(),
        event.person.into(),
        event.device.into(),
    ]
}

fn money(money: Option<Money>) -> (Option<String>, Option<i64>, Option<i64>) {
    match money {
        Some(money) => (Some(money.currency), Some(money.amount), Some(money.units)),
        None => (None, None, None),
    }
}

/// What stands for NULL inside an array of numbers, which cannot hold one here.
const NO_NUMBER: i64 = i64::MIN;

fn arrays(rows: &[Row], after: i64, last: i64, script: &mut Script) {
    let numbers = |of: &dyn Fn(&Row) -> i64| {
        let values = rows.iter().map(|row| of(row).into()).collect();
        Value::Array(ArrayType::BigInt, Some(Box::new(values)))
    };
    let texts = |of: &dyn Fn(&NewEvent) -> Option<&str>| {
        let values = rows
            .iter()
            .map(|row| of(&row.event).unwrap_or_default().into());
        Value::Array(ArrayType::String, Some(Box::new(values.collect())))
    };
    let ids = rows.iter().map(|row| {
        let id = row.id.map(|id| id.as_bytes().to_vec());
        Value::from(id.unwrap_or_default())
    });
    let money =
        |of: fn(&Money) -> i64| move |row: &Row| row.event.money.as_ref().map_or(NO_NUMBER, of);
    let values = [
        numbers(&|row| row.seq),
        numbers(&|row| row.event.project.0),
        numbers(&|row| row.event.time),
        numbers(&|row| row.received),
        texts(&|event| Some(&event.name)),
        numbers(&|row| row.event.audience.number().into()),
        numbers(&|row| row.visitor.into()),
        Value::Array(ArrayType::Bytes, Some(Box::new(ids.collect()))),
        texts(&|event| event.client_id.as_deref()),
        texts(&|event| event.page.origin.as_deref()),
        texts(&|event| event.page.path.as_deref()),
        texts(&|event| event.page.referrer.as_deref()),
        texts(&|event| event.page.utm_source.as_deref()),
        texts(&|event| event.page.utm_medium.as_deref()),
        texts(&|event| event.page.utm_campaign.as_deref()),
        texts(&|event| event.money.as_ref().map(|money| money.currency.as_str())),
        numbers(&money(|money| money.amount)),
        numbers(&money(|money| money.units)),
        texts(&|event| event.product.as_deref()),
        texts(&|event| event.properties.as_deref()),
        texts(&|event| event.page.utm_term.as_deref()),
        texts(&|event| event.page.utm_content.as_deref()),
        texts(&|event| event.page.click.as_deref()),
        texts(&|event| event.person.as_deref()),
        texts(&|event| event.device.as_deref()),
        last.into(),
        after.into(),
    ];
    let text = |name: &str| format!("NULLIF({name}, '')");
    let number = |name: &str| format!("NULLIF({name}, {NO_NUMBER})");
    let selected = [
        "seq, project, time, received, name, audience::smallint, visitor".to_owned(),
        "NULLIF(id, ''::bytea)".to_owned(),
        [
            "client_id",
            "origin",
            "path",
            "referrer",
            "utm_source",
            "utm_medium",
            "utm_campaign",
        ]
        .map(text)
        .join(", "),
        text("currency"),
        number("amount"),
        number("units"),
        text("product"),
        text("properties"),
        ["utm_term", "utm_content", "click", "person", "device"]
            .map(text)
            .join(", "),
    ];
    let sql = format!(
        "WITH moved AS (UPDATE event_log SET value = $26 \
         WHERE name = 'position' AND value = $27 RETURNING 1) \
         INSERT INTO event ({COLUMNS}) SELECT {} FROM moved, UNNEST(\
         $1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], \
         $7::bigint[], $8::bytea[], $9::text[], $10::text[], $11::text[], $12::text[], \
         $13::text[], $14::text[], $15::text[], $16::text[], $17::bigint[], $18::bigint[], \
         $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], \
         $25::text[]) AS row ({COLUMNS})",
        selected.join(", "),
    );
    script.push(sql, values.into());
}
