//! The outbox: what is to be handed to somebody else because of an effect, written in
//! the effect's own transaction. What is committed is handed on at least once, by any
//! node: a row is claimed for a while, and is due again if it is not settled by then.
//! So one that was handed on just before a crash is handed on twice; its receiver
//! tells by its id.

use sea_orm::{ConnectionTrait as _, DbBackend, QueryResult, Value};
use uuid::Uuid;

use super::sql::{execute, ladder, placeholders, rows, tuples};
use super::{Db, Tx};
use crate::error::Result;

/// Something to be handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// Who hands on such things, such as `growth.webhook`.
    pub topic: &'static str,
    /// To whom, so that one who does not answer does not keep the others waiting.
    pub target: String,
    /// What, as the topic understands it.
    pub body: String,
    /// From when on.
    pub due_at: i64,
}

/// A parcel that one node has taken for a while.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// To whom it goes.
    pub target: String,
    /// What it is.
    pub body: String,
    /// How often it was taken, this time included.
    pub attempts: i64,
    number: i64,
    claim: Vec<u8>,
}

/// Puts parcels out, in the transaction of their effect.
pub async fn put(tx: &Tx, parcels: Vec<Parcel>) -> Result<()> {
    for parcels in ladder(&parcels) {
        let sql = format!(
            "INSERT INTO outbox (topic, target, body, attempts, due_at) VALUES {}",
            tuples(tx.get_database_backend(), 5, parcels.len())
        );
        let values = parcels.iter().flat_map(|parcel| -> [Value; 5] {
            [
                parcel.topic.into(),
                parcel.target.as_str().into(),
                parcel.body.as_str().into(),
                0_i64.into(),
                parcel.due_at.into(),
            ]
        });
        execute(tx, &sql, values).await?;
    }
    Ok(())
}

/// Takes back everything that is out for a target.
pub async fn withdraw(tx: &Tx, topic: &'static str, target: &str) -> Result<()> {
    let sql = "DELETE FROM outbox WHERE topic = $1 AND target = $2";
    execute(tx, sql, [topic.into(), target.into()]).await?;
    Ok(())
}

/// Whether anything of a topic is due. Costs no write.
pub async fn is_due(db: &Db, topic: &'static str, now: i64) -> Result<bool> {
    let read = db.read(None).await?;
    let sql = "SELECT 1 AS one FROM outbox WHERE topic = $1 AND due_at <= $2 LIMIT 1";
    Ok(!rows(&read, sql, [topic.into(), now.into()])
        .await?
        .is_empty())
}

/// Takes up to `most` parcels that are due, but none for the targets `except`, until
/// `until`. No other node takes them before that.
pub async fn claim(
    tx: &Tx,
    topic: &'static str,
    (now, until): (i64, i64),
    except: &[String],
    most: i64,
) -> Result<Vec<Claimed>> {
    let claim = Uuid::now_v7().as_bytes().to_vec();
    let others = match except.len() {
        0 => String::new(),
        count => format!("AND target NOT IN ({})", placeholders(6, count)),
    };
    // Nodes that ask at the same time pass over what the others take.
    let lock = match tx.get_database_backend() {
        DbBackend::Postgres => "FOR UPDATE SKIP LOCKED",
        _ => "",
    };
    let sql = format!(
        "UPDATE outbox SET claim = $1, due_at = $2, attempts = attempts + 1 \
         WHERE number IN (SELECT number FROM outbox WHERE topic = $3 AND due_at <= $4 {others} \
         ORDER BY due_at LIMIT $5 {lock}) RETURNING number, target, body, attempts"
    );
    let first: [Value; 5] = [
        claim.clone().into(),
        until.into(),
        topic.into(),
        now.into(),
        most.into(),
    ];
    let values = first
        .into_iter()
        .chain(except.iter().map(|target| target.as_str().into()));
    let found = rows(tx, &sql, values).await?;
    found.iter().map(|row| claimed(row, &claim)).collect()
}

fn claimed(row: &QueryResult, claim: &[u8]) -> Result<Claimed> {
    Ok(Claimed {
        target: row.try_get("", "target")?,
        body: row.try_get("", "body")?,
        attempts: row.try_get("", "attempts")?,
        number: row.try_get("", "number")?,
        claim: claim.to_vec(),
    })
}

impl Claimed {
    /// It is handed on, or given up. Answers whether it still was this node's.
    pub async fn settle(&self, tx: &Tx) -> Result<bool> {
        let sql = "DELETE FROM outbox WHERE number = $1 AND claim = $2";
        let settled = execute(tx, sql, [self.number.into(), self.claim.clone().into()]);
        Ok(settled.await? > 0)
    }

    /// It is due again at another time. Answers whether it still was this node's.
    pub async fn postpone(&self, tx: &Tx, due_at: i64) -> Result<bool> {
        let sql = "UPDATE outbox SET due_at = $1, claim = NULL WHERE number = $2 AND claim = $3";
        let values: [Value; 3] = [due_at.into(), self.number.into(), self.claim.clone().into()];
        Ok(execute(tx, sql, values).await? > 0)
    }
}
