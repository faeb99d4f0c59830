//! What records are known by beside their numbers, so that the same one is found again
//! when somebody else sends it: each resource declares its keys, and each is a column
//! with an index.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DbBackend, Value};
use xxhash_rust::xxh3::xxh3_64;

use super::super::column::Record as _;
use super::super::query::sql::Sql;
use super::super::resource::{Beside, Context, Resource};
use crate::db::Tx;
use crate::db::sql::execute;
use crate::error::Result;

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Key<R> {
    /// What callers call it.
    pub(in super::super) name: &'static str,
    /// Its column.
    pub(in super::super) column: &'static str,
    /// What a record has in it.
    pub(in super::super) of: fn(&R) -> Option<String>,
    /// Whether two living records that have the same are one and the same. Otherwise
    /// they may be.
    pub(in super::super) identifies: bool,
}

/// The keys that are kept beside the columns of a record.
pub(super) fn beside<R: Resource>(record: &R::Record) -> Beside {
    let hidden = R::KEYS
        .iter()
        .filter(|key| R::Record::column(key.column).is_none());
    hidden
        .map(|key| (key.column, (key.of)(record).into()))
        .collect()
}

/// What identifies a record.
pub(super) fn identity<R: Resource>(record: &R::Record) -> Vec<(&'static str, String)> {
    let keys = R::KEYS.iter().filter(|key| key.identifies);
    keys.filter_map(|key| Some((key.name, (key.of)(record)?)))
        .collect()
}

/// Keeps others from writing records with these keys until the transaction ends. SQLite
/// has one who writes.
pub(super) async fn lock<R: Resource>(
    tx: &Tx,
    context: &Context,
    values: Vec<(&'static str, String)>,
) -> Result<()> {
    if tx.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let organization = context.organization.0;
    let words = values
        .into_iter()
        .map(|(name, value)| format!("crm.{}.{organization}.{name}.{value}", R::NAME));
    lock_all(tx, words.collect()).await
}

/// Keeps others who say these words from going on until the transaction ends.
pub(in super::super) async fn lock_words(tx: &Tx, words: &str) -> Result<()> {
    match tx.get_database_backend() {
        DbBackend::Postgres => lock_all(tx, vec![words.to_owned()]).await,
        _ => Ok(()),
    }
}

async fn lock_all(tx: &Tx, words: Vec<String>) -> Result<()> {
    let numbers = words
        .into_iter()
        .map(|words| xxh3_64(words.as_bytes()).cast_signed());
    // In one order, so that nobody waits for who waits for them.
    let numbers: BTreeSet<i64> = numbers.collect();
    let mut sql =
        Sql::new("SELECT pg_advisory_xact_lock(number) FROM (SELECT * FROM UNNEST(ARRAY[");
    if numbers.is_empty() {
        return Ok(());
    }
    sql.list(numbers.into_iter().map(Value::from))
        .push("]::BIGINT[]) AS number ORDER BY number) AS numbers");
    execute(tx, &sql.text, sql.values).await?;
    Ok(())
}

/// A text that is not empty.
pub(in super::super) fn given(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A text as it is compared: in small letters, without spaces around it.
pub(in super::super) fn folded(text: Option<&str>) -> Option<String> {
    let text = text?.trim().to_lowercase();
    (!text.is_empty()).then_some(text)
}

/// The digits of a phone with its country's.
pub(in super::super) fn phone(country: Option<&str>, phone: Option<&str>) -> Option<String> {
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let phone = phone?.trim();
    let whole = match phone.starts_with('+') {
        true => digits(phone),
        false => {
            let national = digits(phone);
            digits(country.unwrap_or_default()) + national.trim_start_matches('0')
        }
    };
    (!whole.is_empty()).then_some(whole)
}

/// The host of a site, without `www.`.
pub(in super::super) fn site(address: Option<&str>) -> Option<String> {
    let address = address?.trim().to_lowercase();
    let rest = address
        .split_once("://")
        .map_or(address.as_str(), |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.strip_prefix("www.").unwrap_or(host);
    (!host.is_empty()).then(|| host.to_owned())
}
