//! Records that may be of the same person or firm.

use std::collections::BTreeMap;

use sea_orm::ConnectionTrait;

use super::super::column::Record;
use super::super::resource::{Context, Resource};
use super::key;
use super::row::{fields, living, load};
use crate::db::Tx;
use crate::db::sql::rows;
use crate::error::{Error, Result};
use crate::transcode::errors::DATA;

/// Most records that are told.
const MOST: usize = 50;

/// A record that may be another one's double.
#[derive(Debug)]
pub(in super::super) struct Candidate<R> {
    /// The record.
    pub(in super::super) record: R,
    /// The keys it shares.
    pub(in super::super) matched: Vec<&'static str>,
}

/// Living records that share a key with one, those with the most of them first.
pub(in super::super) async fn duplicates<R: Resource>(
    connection: &impl ConnectionTrait,
    context: &Context,
    given: &R::Record,
    identical: bool,
) -> Result<Vec<Candidate<R::Record>>> {
    let fields = fields::<R>(connection, context).await?;
    let mut found: BTreeMap<i64, Candidate<R::Record>> = BTreeMap::new();
    for key in R::KEYS.iter().filter(|key| key.identifies || !identical) {
        let Some(value) = (key.of)(given) else {
            continue;
        };
        let mut sql = living::<R>(context);
        sql.push(&format!(" AND t.{} = ", key.column)).bind(value);
        sql.push(&format!(" ORDER BY t.id LIMIT {}", MOST + 1));
        for row in rows(connection, &sql.text, sql.values).await? {
            let record = load::<R>(&row, &fields)?.record;
            if record.id() == given.id() {
                continue;
            }
            let candidate = found.entry(record.id()).or_insert_with(|| Candidate {
                record,
                matched: Vec::new(),
            });
            candidate.matched.push(key.name);
        }
    }
    let mut all: Vec<_> = found.into_values().collect();
    all.sort_by_key(|candidate| std::cmp::Reverse(candidate.matched.len()));
    all.truncate(MOST);
    Ok(all)
}

/// Refuses new records that are there already, by what identifies them, or that are
/// among themselves the same.
pub(in super::super) async fn refuse_duplicates<R: Resource>(
    tx: &Tx,
    context: &Context,
    given: &[R::Record],
) -> Result<()> {
    let own: Vec<_> = given.iter().map(key::identity::<R>).collect();
    key::lock::<R>(tx, context, own.concat()).await?;
    for (at, record) in given.iter().enumerate() {
        let found = duplicates::<R>(tx, context, record, true).await?;
        if !found.is_empty() {
            let told = found
                .iter()
                .map(|one| serde_json::json!({"id": one.record.id(), "matched": one.matched}));
            let told = serde_json::json!({"duplicates": told.collect::<Vec<_>>()});
            let error = Error::exists("There is such a record already");
            return Err(error.reason(DUPLICATE).with(DATA, told));
        }
        let mut before = own[..at].iter().flatten();
        if before.any(|key| own[at].contains(key)) {
            let words = format!("Record {at} is the same as one before it");
            return Err(Error::exists(words).reason(DUPLICATE));
        }
    }
    Ok(())
}

const DUPLICATE: &str = "DUPLICATE_RECORD";
