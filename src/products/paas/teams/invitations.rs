//! Invitations to teams: a token that the one it was sent to accepts after signing in.

use sea_orm::{ConnectionTrait, QueryResult, Value};
use uuid::Uuid;

use super::super::access::Viewer;
use super::{Team, members};
use crate::api::apex::paas::v1 as pb;
use crate::auth::{self, OrganizationId, UserId};
use crate::clock::DAY;
use crate::db::Tx;
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Result};
use crate::policy::Role;
use crate::products::account::{Account, Who};
use crate::products::timestamp;

/// How long an invitation is open, in microseconds.
const OPEN: i64 = 7 * DAY;
/// Open invitations of a team at the most.
const MOST: i64 = 200;
/// How the token of an invitation begins.
const PREFIX: &str = "inv_";

/// Makes an invitation.
pub(super) async fn make(
    tx: &Tx,
    viewer: Viewer,
    team: &Team,
    (email, role): (String, Role),
    now: i64,
) -> Result<pb::Invitation> {
    let sql = "DELETE FROM paas_invitation WHERE team = $1 AND (expires_at <= $2 OR email = $3)";
    let values = [team.number.into(), now.into(), email.as_str().into()];
    execute(tx, sql, values).await?;
    let sql = "SELECT COUNT(*) AS n FROM paas_invitation WHERE team = $1";
    if let Some(found) = row(tx, sql, [team.number.into()]).await?
        && found.try_get::<i64>("", "n")? >= MOST
    {
        let words = format!("A team has at most {MOST} open invitations");
        return Err(Error::forbidden(words));
    }
    let (id, token) = (Uuid::now_v7().to_string(), auth::token(PREFIX));
    let sql = "INSERT INTO paas_invitation (id, organization, team, email, role, hash, \
               created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values: [Value; 8] = [
        id.as_str().into(),
        viewer.organization.into(),
        team.number.into(),
        email.as_str().into(),
        (role as i16).into(),
        auth::hash(token.reveal()).to_vec().into(),
        now.into(),
        (now + OPEN).into(),
    ];
    execute(tx, sql, values).await?;
    Ok(pb::Invitation {
        id,
        email,
        role: role as i32,
        token: Some(token.reveal().to_owned()),
        created_at: Some(timestamp(now)),
        expires_at: Some(timestamp(now + OPEN)),
    })
}

/// The open invitations of a team, oldest first.
pub(super) async fn list(
    connection: &impl ConnectionTrait,
    team: &Team,
    now: i64,
) -> Result<Vec<pb::Invitation>> {
    let sql = "SELECT id, email, role, created_at, expires_at FROM paas_invitation \
               WHERE team = $1 AND expires_at > $2 ORDER BY number";
    let found = rows(connection, sql, [team.number.into(), now.into()]).await?;
    let shown = |row: &QueryResult| {
        Ok(pb::Invitation {
            id: row.try_get("", "id")?,
            email: row.try_get("", "email")?,
            role: row.try_get::<i16>("", "role")?.into(),
            token: None,
            created_at: Some(timestamp(row.try_get("", "created_at")?)),
            expires_at: Some(timestamp(row.try_get("", "expires_at")?)),
        })
    };
    found.iter().map(shown).collect()
}

/// Takes an invitation back.
pub(super) async fn delete(tx: &Tx, team: &Team, id: &str) -> Result<()> {
    let sql = "DELETE FROM paas_invitation WHERE team = $1 AND id = $2";
    match execute(tx, sql, [team.number.into(), id.into()]).await? {
        0 => Err(not_found()),
        _ => Ok(()),
    }
}

/// Accepts an invitation; answers the team's organization and id.
pub(super) async fn accept(
    tx: &Tx,
    (user, token): (UserId, &str),
    now: i64,
) -> Result<(OrganizationId, String)> {
    let sql = "SELECT i.number, i.organization, i.team, i.email, i.role, t.id \
               FROM paas_invitation i JOIN paas_team t ON t.number = i.team \
               WHERE i.hash = $1 AND i.expires_at > $2";
    let hash = auth::hash(token).to_vec();
    let found = row(tx, sql, [hash.into(), now.into()]).await?;
    let found = found.ok_or_else(not_found)?;
    let organization = OrganizationId(found.try_get("", "organization")?);
    let (email, team): (String, String) = (found.try_get("", "email")?, found.try_get("", "id")?);
    let people = Account::people(tx, organization, Who::Users(vec![user])).await?;
    let person = people.into_iter().next().ok_or_else(|| {
        Error::invalid("You are no member of the organization: have its admins add you first")
    })?;
    if person.email != email {
        return Err(not_found());
    }
    let role: i16 = found.try_get("", "role")?;
    let role = Role::from_number(role.into()).ok_or_else(not_found)?;
    let number: i64 = found.try_get("", "team")?;
    members::put(tx, organization, number, (user.0, role), now).await?;
    let own: i64 = found.try_get("", "number")?;
    let sql = "DELETE FROM paas_invitation WHERE number = $1";
    execute(tx, sql, [own.into()]).await?;
    Ok((organization, team))
}

fn not_found() -> Error {
    Error::not_found("Invitation not found")
}
