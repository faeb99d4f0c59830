//! Who is in a team. One owner at least stays in it.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::super::access::Viewer;
use super::{MOST_MEMBERS, Team};
use crate::api::apex::paas::v1 as pb;
use crate::auth::{OrganizationId, UserId};
use crate::db::Tx;
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Result};
use crate::policy::Role;
use crate::products::account::{Account, Who};
use crate::products::timestamp;

/// Somebody in a team.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) user: i64,
    email: String,
    pub(super) role: Role,
    created_at: i64,
}

impl Member {
    pub(super) fn message(&self) -> pb::TeamMember {
        pb::TeamMember {
            user_id: self.user,
            email: self.email.clone(),
            role: self.role as i32,
            created_at: Some(timestamp(self.created_at)),
        }
    }
}

/// Who a request means.
pub(super) fn who(email: &str, user: Option<i64>) -> Result<Who> {
    match (email.is_empty(), user) {
        (false, None) => Ok(Who::Email(self::email(email)?)),
        (true, Some(user)) => Ok(Who::Users(vec![UserId(user)])),
        (true, None) => Err(Error::invalid_field("email", "email or userId is required")),
        (false, Some(_)) => Err(Error::invalid_field(
            "email",
            "email and userId are not given together",
        )),
    }
}

/// An e-mail address, as far as that can be told.
pub(super) fn email(text: &str) -> Result<String> {
    let text = text.trim().to_lowercase();
    let plain = |c: char| !c.is_control() && !c.is_whitespace();
    let sound = text
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'));
    match sound && text.chars().all(plain) {
        true => Ok(text),
        false => Err(Error::invalid_field(
            "email",
            "email must be an e-mail address",
        )),
    }
}

/// The members of a team, in the order in which they came.
pub(super) async fn list(
    connection: &impl ConnectionTrait,
    organization: OrganizationId,
    team: i64,
) -> Result<Vec<Member>> {
    let sql = "SELECT member, role, created_at FROM paas_team_member \
               WHERE organization = $1 AND team = $2 ORDER BY number";
    let found = rows(connection, sql, [organization.into(), team.into()]).await?;
    let user = |row: &QueryResult| Ok(UserId(row.try_get("", "member")?));
    let users: Vec<UserId> = found.iter().map(user).collect::<Result<_>>()?;
    let people = Account::people(connection, organization, Who::Users(users)).await?;
    let emails: HashMap<i64, String> = people
        .into_iter()
        .map(|own| (own.user.0, own.email))
        .collect();
    let mut members = Vec::with_capacity(found.len());
    for row in &found {
        let user: i64 = row.try_get("", "member")?;
        let role: i16 = row.try_get("", "role")?;
        // Who left the organization is in none of its teams.
        let (Some(email), Some(role)) = (emails.get(&user), Role::from_number(role.into())) else {
            continue;
        };
        members.push(Member {
            user,
            email: email.clone(),
            role,
            created_at: row.try_get("", "created_at")?,
        });
    }
    Ok(members)
}

/// A member of a team.
pub(super) async fn find(
    connection: &impl ConnectionTrait,
    viewer: Viewer,
    team: &Team,
    user: i64,
) -> Result<Member> {
    let all = list(connection, viewer.organization, team.number).await?;
    let found = all.into_iter().find(|own| own.user == user);
    found.ok_or_else(|| Error::not_found("Member not found"))
}

/// Adds somebody of the organization to a team.
pub(super) async fn add(
    tx: &Tx,
    viewer: Viewer,
    team: &Team,
    (who, role): (Who, Role),
    now: i64,
) -> Result<Member> {
    let organization = viewer.organization;
    let (by_id, field) = match who {
        Who::Email(_) => (false, "email"),
        Who::Users(_) => (true, "userId"),
    };
    let people = Account::people(tx, organization, who).await?;
    let Some(person) = people.into_iter().next() else {
        return Err(match by_id {
            true => Error::not_found("User not found"),
            false => Error::invalid_field(
                field,
                "email is of nobody in the organization: invite them instead",
            ),
        });
    };
    let user = person.user.0;
    put(tx, organization, team.number, (user, role), now).await?;
    Ok(Member {
        user,
        email: person.email,
        role,
        created_at: now,
    })
}

/// Puts a user into a team.
pub(super) async fn put(
    tx: &Tx,
    organization: OrganizationId,
    team: i64,
    (user, role): (i64, Role),
    now: i64,
) -> Result<()> {
    let sql = "SELECT COUNT(*) AS n, COUNT(CASE WHEN member = $2 THEN 1 END) AS same \
               FROM paas_team_member WHERE team = $1";
    if let Some(found) = row(tx, sql, [team.into(), user.into()]).await? {
        if found.try_get::<i64>("", "same")? > 0 {
            return Err(Error::invalid("This user is in the team already"));
        }
        if found.try_get::<i64>("", "n")? >= MOST_MEMBERS {
            let words = format!("A team has at most {MOST_MEMBERS} members");
            return Err(Error::forbidden(words));
        }
    }
    let sql = "INSERT INTO paas_team_member (organization, team, member, role, created_at) \
               VALUES ($1, $2, $3, $4, $5)";
    let values: [Value; 5] = [
        organization.into(),
        team.into(),
        user.into(),
        (role as i16).into(),
        now.into(),
    ];
    execute(tx, sql, values).await?;
    Ok(())
}

/// Changes the role of a member.
pub(super) async fn change(tx: &Tx, team: &Team, member: Member, role: Role) -> Result<Member> {
    if role != Role::Owner {
        keeps_an_owner(tx, team, &member).await?;
    }
    let sql = "UPDATE paas_team_member SET role = $1 WHERE team = $2 AND member = $3";
    let values = [(role as i16).into(), team.number.into(), member.user.into()];
    execute(tx, sql, values).await?;
    Ok(Member { role, ..member })
}

/// Removes a member.
pub(super) async fn remove(tx: &Tx, team: &Team, member: &Member) -> Result<()> {
    keeps_an_owner(tx, team, member).await?;
    let sql = "DELETE FROM paas_team_member WHERE team = $1 AND member = $2";
    execute(tx, sql, [team.number.into(), member.user.into()]).await?;
    Ok(())
}

/// Refuses to lose the last owner of a team.
async fn keeps_an_owner(tx: &Tx, team: &Team, member: &Member) -> Result<()> {
    if member.role != Role::Owner {
        return Ok(());
    }
    let sql = "SELECT COUNT(*) AS n FROM paas_team_member WHERE team = $1 AND role = $2";
    let owner = Role::Owner as i16;
    match row(tx, sql, [team.number.into(), owner.into()]).await? {
        Some(found) if found.try_get::<i64>("", "n")? < 2 => {
            Err(Error::invalid("The last owner of a team stays its owner"))
        }
        Some(_) | None => Ok(()),
    }
}
