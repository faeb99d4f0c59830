//! Host names of services besides their own. A name leads to one service of all there are.

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::super::proxy::Front;
use super::super::{rules, state};
use super::record::Row;
use crate::api::apex::paas::v1 as pb;
use crate::db::Tx;
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Result};
use crate::products::timestamp;

/// Names of a service at the most.
const MOST: i64 = 100;

/// A name somebody wants.
pub(super) fn checked(text: &str, front: &Front) -> Result<String> {
    let host = text.trim().trim_end_matches('.').to_ascii_lowercase();
    if !rules::is_host(&host) {
        let words = "host must be a name such as www.example.com";
        return Err(Error::invalid_field("host", words));
    }
    match front.is_own(&host) {
        true => Err(Error::invalid_field(
            "host",
            "host must not be below the domain of this installation",
        )),
        false => Ok(host),
    }
}

/// The names of a service, oldest first.
pub(super) async fn list(
    connection: &impl ConnectionTrait,
    service: i64,
) -> Result<Vec<pb::Domain>> {
    let sql = "SELECT host, created_at FROM paas_domain WHERE service = $1 ORDER BY number";
    let found = rows(connection, sql, [service.into()]).await?;
    let shown = |row: &QueryResult| {
        Ok(pb::Domain {
            host: row.try_get("", "host")?,
            created_at: Some(timestamp(row.try_get("", "created_at")?)),
        })
    };
    found.iter().map(shown).collect()
}

/// Gives a service a name.
pub(super) async fn add(tx: &Tx, service: &Row, host: &str, now: i64) -> Result<pb::Domain> {
    let sql = "SELECT 1 AS one FROM paas_domain WHERE host = $1";
    if row(tx, sql, [host.into()]).await?.is_some() {
        return Err(Error::invalid_field("host", "host is taken"));
    }
    let sql = "SELECT COUNT(*) AS n FROM paas_domain WHERE service = $1";
    if let Some(found) = row(tx, sql, [service.number.into()]).await?
        && found.try_get::<i64>("", "n")? >= MOST
    {
        let words = format!("A service has at most {MOST} host names");
        return Err(Error::forbidden(words));
    }
    let sql = "INSERT INTO paas_domain (organization, service, host, created_at) \
               VALUES ($1, $2, $3, $4)";
    let values: [Value; 4] = [
        service.organization.into(),
        service.number.into(),
        host.into(),
        now.into(),
    ];
    execute(tx, sql, values).await?;
    state::changed(tx).await?;
    Ok(pb::Domain {
        host: host.to_owned(),
        created_at: Some(timestamp(now)),
    })
}

/// Takes a name from a service.
pub(super) async fn remove(tx: &Tx, service: &Row, host: &str) -> Result<()> {
    let sql = "DELETE FROM paas_domain WHERE service = $1 AND host = $2";
    match execute(tx, sql, [service.number.into(), host.into()]).await? {
        0 => Err(Error::not_found("The service has no such host name")),
        _ => state::changed(tx).await,
    }
}

/// All names there are, with the service each leads to.
pub(in super::super) async fn all(connection: &impl ConnectionTrait) -> Result<Vec<(String, i64)>> {
    let sql = "SELECT host, service FROM paas_domain";
    let found = rows(connection, sql, []).await?;
    let pair = |row: &QueryResult| Ok((row.try_get("", "host")?, row.try_get("", "service")?));
    found.iter().map(pair).collect()
}
