//! Inserts rows of events: on SQLite as statements of many rows, on
//! PostgreSQL as one statement over arrays. Both are several times faster than
//! row by row.

use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait as _, DbBackend, Value};
use uuid::Uuid;

use super::model::NewEvent;
use crate::db::Tx;
use crate::db::sql::{execute, ladder, tuples};
use crate::error::Result;

const COLUMNS: &str = "seq, project, time, received, name, audience, visitor, id, client_id, \
                       origin, path, referrer, utm_source, utm_medium, utm_campaign, currency, \
                       amount, units, product, properties, utm_term, utm_content, click, person, \
                       device";

/// An event on its way into the table.
pub(super) struct Row<'a> {
    pub(super) seq: i64,
    pub(super) received: i64,
    pub(super) id: Option<Uuid>,
    pub(super) visitor: u32,
    pub(super) event: &'a NewEvent,
}

/// Inserts events and moves the log's position on to the last of them, in as few
/// round trips as it takes.
pub(super) async fn events(tx: &Tx, rows: &[Row<'_>]) -> Result<()> {
    let Some(last) = rows.last() else {
        return Ok(());
    };
    if tx.get_database_backend() == DbBackend::Postgres {
        return arrays(tx, rows, last.seq).await;
    }
    let mut left = rows.len();
    for chunk in ladder(rows) {
        left -= chunk.len();
        let mut sql = format!(
            "INSERT INTO event ({COLUMNS}) VALUES {}",
            tuples(DbBackend::Sqlite, 25, chunk.len())
        );
        let mut position = None;
        if left == 0 {
            sql.push_str("; UPDATE event_log SET value = ? WHERE name = 'position'");
            position = Some(Value::from(last.seq));
        }
        let values = chunk.iter().flat_map(values).chain(position);
        execute(tx, &sql, values).await?;
    }
    Ok(())
}

fn values(row: &Row<'_>) -> [Value; 25] {
    let event = row.event;
    let page = &event.page;
    let money = event.money.as_ref();
    [
        row.seq.into(),
        event.project.into(),
        event.time.into(),
        row.received.into(),
        event.name.as_str().into(),
        event.audience.number().into(),
        i64::from(row.visitor).into(),
        row.id.map(|id| id.as_bytes().to_vec()).into(),
        event.client_id.clone().into(),
        page.origin.clone().into(),
        page.path.clone().into(),
        page.referrer.clone().into(),
        page.utm_source.clone().into(),
        page.utm_medium.clone().into(),
        page.utm_campaign.clone().into(),
        money.map(|money| money.currency.clone()).into(),
        money.map(|money| money.amount).into(),
        money.map(|money| money.units).into(),
        event.product.clone().into(),
        event.properties.clone().into(),
        page.utm_term.clone().into(),
        page.utm_content.clone().into(),
        page.click.clone().into(),
        event.person.clone().into(),
        event.device.clone().into(),
    ]
}

/// What stands for NULL inside an array of numbers, which cannot hold one here.
const NO_NUMBER: i64 = i64::MIN;

async fn arrays(tx: &Tx, rows: &[Row<'_>], position: i64) -> Result<()> {
    let numbers = |of: &dyn Fn(&Row<'_>) -> i64| {
        let values = rows.iter().map(|row| of(row).into()).collect();
        Value::Array(ArrayType::BigInt, Some(Box::new(values)))
    };
    let texts = |of: &dyn Fn(&NewEvent) -> Option<&str>| {
        let values = rows
            .iter()
            .map(|row| of(row.event).unwrap_or_default().into());
        Value::Array(ArrayType::String, Some(Box::new(values.collect())))
    };
    let ids = rows.iter().map(|row| {
        let id = row.id.map(|id| id.as_bytes().to_vec());
        Value::from(id.unwrap_or_default())
    });
    let money = |of: fn(&super::model::Money) -> i64| {
        move |row: &Row<'_>| row.event.money.as_ref().map_or(NO_NUMBER, of)
    };
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
        position.into(),
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
        "WITH moved AS (UPDATE event_log SET value = $26 WHERE name = 'position') \
         INSERT INTO event ({COLUMNS}) SELECT {} FROM UNNEST(\
         $1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], \
         $7::bigint[], $8::bytea[], $9::text[], $10::text[], $11::text[], $12::text[], \
         $13::text[], $14::text[], $15::text[], $16::text[], $17::bigint[], $18::bigint[], \
         $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], \
         $25::text[]) AS row ({COLUMNS})",
        selected.join(", "),
    );
    execute(tx, &sql, values).await?;
    Ok(())
}
