//! Reads events themselves, page by page: the ragged edges of a period, what is
//! not folded yet, and what no rollup can answer.

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::figures::Figures;
use super::model::Money;
use super::question::{Answer, Group, Question};
use crate::db::sql::{placeholders, rows};
use crate::error::Result;

/// Events per page.
const PAGE: usize = 10_000;

/// A range of time, and of positions, to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    from: i64,
    to: i64,
    /// Last position to read.
    last: i64,
}

impl Edge {
    /// Everything in a range of time.
    pub(super) fn all(from: i64, to: i64) -> Self {
        Self::folded(from, to, i64::MAX)
    }

    /// What is folded already; the tail is read apart.
    pub(super) fn folded(from: i64, to: i64, folded: i64) -> Self {
        Self {
            from,
            to,
            last: folded,
        }
    }
}

/// Reads a range of time, in the order of its index.
pub(super) async fn period(
    connection: &impl ConnectionTrait,
    question: &Question,
    edge: Edge,
    answer: &mut Answer,
) -> Result<()> {
    let mut after = (edge.from, -1_i64);
    loop {
        let mut values: Vec<Value> = vec![
            question.project.into(),
            after.0.into(),
            after.1.into(),
            edge.to.into(),
            edge.last.into(),
        ];
        let conditions = conditions(question, &mut values);
        // The bound on time alone lets both databases seek in the index.
        let sql = format!(
            "SELECT seq, time, {} FROM event WHERE project = $1 AND time >= $2 \
             AND (time > $2 OR seq > $3) AND time < $4 AND seq <= $5{conditions} \
             ORDER BY time, seq LIMIT {PAGE}",
            columns(question),
        );
        let page = rows(connection, &sql, values).await?;
        let full = page.len() == PAGE;
        for row in &page {
            after = (row.try_get("", "time")?, row.try_get("", "seq")?);
            add(question, row, after.0, answer)?;
        }
        if !full {
            return Ok(());
        }
    }
}

/// Reads what was appended after the last fold, in the order of the log.
pub(super) async fn tail(
    connection: &impl ConnectionTrait,
    question: &Question,
    folded: i64,
    answer: &mut Answer,
) -> Result<()> {
    let mut after = folded;
    loop {
        let mut values: Vec<Value> = vec![
            question.project.into(),
            after.into(),
            question.from().into(),
            question.to().into(),
        ];
        let conditions = conditions(question, &mut values);
        // The signs keep both databases from the index of times: of the period it
        // names there may be any number of events, of the tail there are few.
        let sql = format!(
            "SELECT seq, time, {} FROM event WHERE seq > $2 AND +project = $1 \
             AND +time >= $3 AND +time < $4{conditions} ORDER BY seq LIMIT {PAGE}",
            columns(question),
        );
        let page = rows(connection, &sql, values).await?;
        let full = page.len() == PAGE;
        for row in &page {
            after = row.try_get("", "seq")?;
            add(question, row, row.try_get("", "time")?, answer)?;
        }
        if !full {
            return Ok(());
        }
    }
}

fn columns(question: &Question) -> String {
    let group = match question.group {
        Group::None => "''",
        Group::Name => "name",
        Group::By(dimension) => dimension.sql(),
    };
    format!("{group} AS grouped, visitor, currency, amount, units")
}

fn conditions(question: &Question, values: &mut Vec<Value>) -> String {
    let mut text = question.traffic.condition("audience");
    if !question.names.is_empty() {
        let list = placeholders(values.len() + 1, question.names.len());
        text.push_str(&format!(" AND name IN ({list})"));
        values.extend(question.names.iter().map(|name| name.as_str().into()));
    }
    for (dimension, value) in &question.filters {
        let number = values.len() + 1;
        text.push_str(&format!(" AND {} = ${number}", dimension.sql()));
        values.push(value.as_str().into());
    }
    text
}

fn add(question: &Question, row: &QueryResult, time: i64, answer: &mut Answer) -> Result<()> {
    let key: String = row.try_get("", "grouped")?;
    if !question.admits(&key) {
        return Ok(());
    }
    let visitor: i64 = row.try_get("", "visitor")?;
    let money = Money::of(row)?;
    let figures: &mut Figures = answer.entry((question.interval(time), key)).or_default();
    figures.add(visitor as u32, money.as_ref());
    Ok(())
}
