//! Users as their rows say: every question and every write begins here.

use sea_orm::{ConnectionTrait, QueryResult};

use super::engine::crisis::Ring;
use crate::auth::OrganizationId;
use crate::db::Tx;
use crate::db::sql::{execute, row};
use crate::error::{Error, Result};

/// What the row of a user says.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) number: i64,
    pub(super) version: i64,
    pub(super) nodes: i64,
    pub(super) crisis: Ring,
}

impl User {
    fn of(row: &QueryResult) -> Result<Self> {
        let crisis: String = row.try_get("", "crisis")?;
        Ok(Self {
            number: row.try_get("", "number")?,
            version: row.try_get("", "version")?,
            nodes: row.try_get("", "nodes")?,
            crisis: ring(&crisis),
        })
    }
}

/// A ring as it is kept: a digit for each level.
fn ring(kept: &str) -> Ring {
    let levels: Vec<u8> = kept.bytes().map(|digit| digit.wrapping_sub(b'0')).collect();
    Ring::of(&levels)
}

/// What to keep of a ring.
pub(super) fn kept(ring: &Ring) -> String {
    ring.levels()
        .iter()
        .map(|level| char::from(b'0' + level))
        .collect()
}

/// A user of a tenant.
pub(super) async fn find(
    connection: &impl ConnectionTrait,
    organization: OrganizationId,
    user_id: &str,
) -> Result<Option<User>> {
    let sql = "SELECT number, version, nodes, crisis FROM memory_user \
               WHERE organization_id = $1 AND user_id = $2";
    let found = row(connection, sql, [organization.into(), user_id.into()]).await?;
    found.as_ref().map(User::of).transpose()
}

/// The reason of a write that rested on what is not so any more. Callers never see it.
const STALE: &str = "MEMORY_STALE";
const BUSY: &str = "Others write to this user's memories without end; try again";

/// Somebody else wrote meanwhile.
pub(super) fn stale() -> Error {
    Error::unavailable(BUSY).reason(STALE)
}

/// Whether somebody else wrote meanwhile.
pub(super) fn is_stale(error: &Error) -> bool {
    error.specific_reason() == Some(STALE)
}

/// The same failure as callers are told it, once nobody tries again.
pub(super) fn told(error: Error) -> Error {
    match is_stale(&error) {
        true => Error::unavailable(BUSY),
        false => error,
    }
}

/// Makes a user, if the plan allows one more; answers the number.
pub(super) async fn make(
    tx: &Tx,
    organization: OrganizationId,
    user_id: &str,
    most: u32,
    now: i64,
) -> Result<i64> {
    let sql = "INSERT INTO memory_user \
               (organization_id, user_id, version, nodes, crisis, created_at) \
               VALUES ($1, $2, 0, 0, '', $3) \
               ON CONFLICT (organization_id, user_id) DO NOTHING RETURNING number";
    let values = [organization.into(), user_id.into(), now.into()];
    let made = row(tx, sql, values).await?.ok_or_else(stale)?;
    tenant(tx, organization).await?;
    let sql = "UPDATE memory_tenant SET users = users + 1 \
               WHERE organization_id = $1 AND users < $2";
    let values = [organization.into(), i64::from(most).into()];
    if execute(tx, sql, values).await? == 0 {
        let words = format!("Your plan allows {most} users");
        return Err(Error::forbidden(words).reason("USER_LIMIT_EXCEEDED"));
    }
    Ok(made.try_get("", "number")?)
}

/// Makes the row of a tenant, if there is none.
pub(super) async fn tenant(tx: &Tx, organization: OrganizationId) -> Result<()> {
    let sql = "INSERT INTO memory_tenant (organization_id, users, preset, overrides) \
               VALUES ($1, 0, '', '') ON CONFLICT (organization_id) DO NOTHING";
    execute(tx, sql, [organization.into()]).await?;
    Ok(())
}

/// Counts a user's version up from one that is known, and memories with it.
pub(super) async fn advance(tx: &Tx, user: &User, nodes: i64, crisis: &Ring) -> Result<()> {
    let sql = "UPDATE memory_user SET version = version + 1, nodes = nodes + $3, crisis = $4 \
               WHERE number = $1 AND version = $2";
    let values = [
        user.number.into(),
        user.version.into(),
        nodes.into(),
        kept(crisis).into(),
    ];
    match execute(tx, sql, values).await? {
        0 => Err(stale()),
        _ => Ok(()),
    }
}
