//! Teams: who of an organization runs what together.

mod invitations;
mod members;

use sea_orm::{ConnectionTrait, QueryResult, Value};
use uuid::Uuid;

use super::access::Viewer;
use super::{Paas, rules, state};
use crate::api::TeamService;
use crate::api::apex::paas::v1 as pb;
use crate::db::Tx;
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Result};
use crate::policy::Role;
use crate::products::timestamp;
use crate::server::{Call, Reply};

use members::Member;

/// Teams of an organization at the most, and people in one.
const MOST: i64 = 200;
const MOST_MEMBERS: i64 = 500;

/// A team as it is kept, and what the caller may do in it.
#[derive(Debug)]
struct Team {
    number: i64,
    id: String,
    name: String,
    role: Option<Role>,
    created_at: i64,
}

/// Teams the caller sees, with the caller's role: `$1` to `$3` are the viewer's values.
const SEEN: &str = "SELECT t.number, t.id, t.name, t.created_at, m.role FROM paas_team t \
     LEFT JOIN paas_team_member m ON m.team = t.number AND m.member = $3 \
     WHERE t.organization = $1 AND ($2 = 1 OR m.role IS NOT NULL)";

impl Team {
    fn of(row: &QueryResult) -> Result<Self> {
        let role: Option<i16> = row.try_get("", "role")?;
        Ok(Self {
            number: row.try_get("", "number")?,
            id: row.try_get("", "id")?,
            name: row.try_get("", "name")?,
            role: role.and_then(|role| Role::from_number(role.into())),
            created_at: row.try_get("", "created_at")?,
        })
    }

    fn message(&self) -> pb::Team {
        pb::Team {
            id: self.id.clone(),
            name: self.name.clone(),
            role: self.role.map(|role| role as i32),
            created_at: Some(timestamp(self.created_at)),
        }
    }

    /// Refuses who may not do so much in it. Admins of the organization own all teams.
    fn needs(&self, viewer: Viewer, least: Role) -> Result<()> {
        match viewer.is_admin || self.role >= Some(least) {
            true => Ok(()),
            false => Err(Error::forbidden(
                "Your role in the team does not allow this",
            )),
        }
    }
}

/// A team the caller sees.
async fn find(connection: &impl ConnectionTrait, viewer: Viewer, id: &str) -> Result<Team> {
    let sql = format!("{SEEN} AND t.id = $4");
    let [a, b, c] = viewer.values();
    let found = row(connection, &sql, [a, b, c, id.into()]).await?;
    Team::of(&found.ok_or_else(|| Error::not_found("Team not found"))?)
}

/// The number of a team in which the caller may change something.
pub(super) async fn number_for_writing(
    connection: &impl ConnectionTrait,
    viewer: Viewer,
    id: &str,
) -> Result<i64> {
    let team = find(connection, viewer, id).await?;
    team.needs(viewer, Role::Member)?;
    Ok(team.number)
}

/// The role a request names, `member` when it names none.
fn role_of(number: i32) -> Result<Role> {
    match number {
        0 => Ok(Role::Member),
        number => Role::from_number(number).ok_or_else(|| {
            Error::invalid_field("role", "role must be one of viewer, member, admin, owner")
        }),
    }
}

impl TeamService for Paas {
    async fn list_teams(
        &self,
        call: Call,
        _: pb::ListTeamsRequest,
    ) -> Result<Reply<pb::ListTeamsResponse>> {
        let viewer = Viewer::of(&call)?;
        let read = self.db().read(call.deadline()).await?;
        let found = rows(&read, &format!("{SEEN} ORDER BY t.number"), viewer.values()).await?;
        let teams = found.iter().map(|row| Ok(Team::of(row)?.message()));
        let teams = teams.collect::<Result<_>>()?;
        Ok(pb::ListTeamsResponse { teams }.into())
    }

    async fn create_team(
        &self,
        call: Call,
        request: pb::CreateTeamRequest,
    ) -> Result<Reply<pb::CreateTeamResponse>> {
        let name = rules::name("name", &request.name)?;
        let (viewer, now) = (Viewer::of(&call)?, self.now());
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let team = Some(create(tx, viewer, &name, now).await?.message());
                Ok(pb::CreateTeamResponse { team })
            })
        });
        Ok(answer.await?.into())
    }

    async fn delete_team(
        &self,
        call: Call,
        request: pb::DeleteTeamRequest,
    ) -> Result<Reply<pb::DeleteTeamResponse>> {
        let viewer = Viewer::of(&call)?;
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let team = find(tx, viewer, &request.id).await?;
                team.needs(viewer, Role::Owner)?;
                let sql = "UPDATE paas_service SET team = NULL WHERE team = $1";
                execute(tx, sql, [team.number.into()]).await?;
                for table in ["paas_invitation", "paas_team_member"] {
                    let sql = format!("DELETE FROM {table} WHERE team = $1");
                    execute(tx, &sql, [team.number.into()]).await?;
                }
                let sql = "DELETE FROM paas_team WHERE organization = $1 AND number = $2";
                execute(tx, sql, [viewer.organization.into(), team.number.into()]).await?;
                state::changed(tx).await?;
                Ok(pb::DeleteTeamResponse { success: true })
            })
        });
        Ok(answer.await?.into())
    }

    async fn list_team_members(
        &self,
        call: Call,
        request: pb::ListTeamMembersRequest,
    ) -> Result<Reply<pb::ListTeamMembersResponse>> {
        let viewer = Viewer::of(&call)?;
        let read = self.db().read(call.deadline()).await?;
        let team = find(&read, viewer, &request.id).await?;
        let found = members::list(&read, viewer.organization, team.number).await?;
        let members = found.iter().map(Member::message).collect();
        Ok(pb::ListTeamMembersResponse { members }.into())
    }

    async fn add_team_member(
        &self,
        call: Call,
        request: pb::AddTeamMemberRequest,
    ) -> Result<Reply<pb::AddTeamMemberResponse>> {
        let role = role_of(request.role)?;
        let who = members::who(&request.email, request.user_id)?;
        let (viewer, now) = (Viewer::of(&call)?, self.now());
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let team = find(tx, viewer, &request.id).await?;
                may_grant(&team, viewer, role)?;
                let member = members::add(tx, viewer, &team, (who, role), now).await?;
                let member = Some(member.message());
                Ok(pb::AddTeamMemberResponse { member })
            })
        });
        Ok(answer.await?.into())
    }

    async fn update_team_member(
        &self,
        call: Call,
        request: pb::UpdateTeamMemberRequest,
    ) -> Result<Reply<pb::UpdateTeamMemberResponse>> {
        let role = match request.role {
            0 => return Err(Error::invalid_field("role", "role is required")),
            number => role_of(number)?,
        };
        let viewer = Viewer::of(&call)?;
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let team = find(tx, viewer, &request.id).await?;
                let member = members::find(tx, viewer, &team, request.user_id).await?;
                may_grant(&team, viewer, role.max(member.role))?;
                let member = members::change(tx, &team, member, role).await?;
                let member = Some(member.message());
                Ok(pb::UpdateTeamMemberResponse { member })
            })
        });
        Ok(answer.await?.into())
    }

    async fn remove_team_member(
        &self,
        call: Call,
        request: pb::RemoveTeamMemberRequest,
    ) -> Result<Reply<pb::RemoveTeamMemberResponse>> {
        let viewer = Viewer::of(&call)?;
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let team = find(tx, viewer, &request.id).await?;
                let member = members::find(tx, viewer, &team, request.user_id).await?;
                if viewer.user != Some(request.user_id) {
                    may_grant(&team, viewer, member.role)?;
                }
                members::remove(tx, &team, &member).await?;
                Ok(pb::RemoveTeamMemberResponse { success: true })
            })
        });
        Ok(answer.await?.into())
    }

    async fn create_invitation(
        &self,
        call: Call,
        request: pb::CreateInvitationRequest,
    ) -> Result<Reply<pb::CreateInvitationResponse>> {
        let role = role_of(request.role)?;
        let email = members::email(&request.email)?;
        let (viewer, now) = (Viewer::of(&call)?, self.now());
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let team = find(tx, viewer, &request.id).await?;
                may_grant(&team, viewer, role)?;
                let made = invitations::make(tx, viewer, &team, (email, role), now);
                let invitation = Some(made.await?);
                Ok(pb::CreateInvitationResponse { invitation })
            })
        });
        Ok(answer.await?.into())
    }

    async fn list_invitations(
        &self,
        call: Call,
        request: pb::ListInvitationsRequest,
    ) -> Result<Reply<pb::ListInvitationsResponse>> {
        let (viewer, now) = (Viewer::of(&call)?, self.now());
        let read = self.db().read(call.deadline()).await?;
        let team = find(&read, viewer, &request.id).await?;
        let invitations = invitations::list(&read, &team, now).await?;
        Ok(pb::ListInvitationsResponse { invitations }.into())
    }

    async fn delete_invitation(
        &self,
        call: Call,
        request: pb::DeleteInvitationRequest,
    ) -> Result<Reply<pb::DeleteInvitationResponse>> {
        let viewer = Viewer::of(&call)?;
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let team = find(tx, viewer, &request.id).await?;
                team.needs(viewer, Role::Admin)?;
                invitations::delete(tx, &team, &request.invitation_id).await?;
                Ok(pb::DeleteInvitationResponse { success: true })
            })
        });
        Ok(answer.await?.into())
    }

    async fn accept_invitation(
        &self,
        call: Call,
        request: pb::AcceptInvitationRequest,
    ) -> Result<Reply<pb::AcceptInvitationResponse>> {
        let user = call.principal().user;
        let user = user.ok_or_else(|| Error::unauthenticated("Sign in to accept"))?;
        let now = self.now();
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let (organization, id) =
                    invitations::accept(tx, (user, &request.token), now).await?;
                let viewer = Viewer {
                    organization,
                    user: Some(user.0),
                    is_admin: false,
                };
                let team = Some(find(tx, viewer, &id).await?.message());
                Ok(pb::AcceptInvitationResponse { team })
            })
        });
        Ok(answer.await?.into())
    }
}

/// Refuses who is no admin of the team, and who makes owners without being one.
fn may_grant(team: &Team, viewer: Viewer, role: Role) -> Result<()> {
    team.needs(viewer, Role::Admin)?;
    match role {
        Role::Owner => team.needs(viewer, Role::Owner),
        Role::Viewer | Role::Member | Role::Admin => Ok(()),
    }
}

async fn create(tx: &Tx, viewer: Viewer, name: &str, now: i64) -> Result<Team> {
    let organization = viewer.organization;
    let sql = "SELECT COUNT(*) AS n, COUNT(CASE WHEN name = $2 THEN 1 END) AS same \
               FROM paas_team WHERE organization = $1";
    if let Some(found) = row(tx, sql, [organization.into(), name.into()]).await? {
        if found.try_get::<i64>("", "same")? > 0 {
            return Err(Error::invalid_field(
                "name",
                "name is taken by another team",
            ));
        }
        if found.try_get::<i64>("", "n")? >= MOST {
            let words = format!("An organization has at most {MOST} teams");
            return Err(Error::forbidden(words));
        }
    }
    let id = Uuid::now_v7().to_string();
    let sql = "INSERT INTO paas_team (id, organization, name, created_at) \
               VALUES ($1, $2, $3, $4)";
    let values: [Value; 4] = [
        id.as_str().into(),
        organization.into(),
        name.into(),
        now.into(),
    ];
    execute(tx, sql, values).await?;
    let all = Viewer {
        is_admin: true,
        ..viewer
    };
    let team = find(tx, all, &id).await?;
    if let Some(user) = viewer.user {
        members::put(tx, organization, team.number, (user, Role::Owner), now).await?;
    }
    find(tx, all, &id).await
}
