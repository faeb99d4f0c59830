//! Who may see and change what. A service of a team is there for the team's members and
//! the organization's admins; to anybody else it does not exist.

use sea_orm::{ConnectionTrait, Value};

use crate::auth::OrganizationId;
use crate::db::sql::row;
use crate::error::{Error, Result};
use crate::policy::Role;
use crate::server::Call;

/// Who looks, and on behalf of which organization.
#[derive(Debug, Clone, Copy)]
pub(super) struct Viewer {
    pub(super) organization: OrganizationId,
    /// The user the caller acts as; the operator acts as nobody.
    pub(super) user: Option<i64>,
    /// Whether every team is open to the caller.
    pub(super) is_admin: bool,
}

impl Viewer {
    /// The caller.
    pub(super) fn of(call: &Call) -> Result<Self> {
        let principal = call.principal();
        Ok(Self {
            organization: call.organization()?,
            user: principal.user.map(|user| user.0),
            is_admin: principal.is_operator() || principal.role >= Some(Role::Admin),
        })
    }

    /// Who is allowed everything in an organization: the server itself.
    pub(super) fn server(organization: OrganizationId) -> Self {
        Self {
            organization,
            user: None,
            is_admin: true,
        }
    }

    /// A condition on rows with the columns `organization` and `team`: `$1`, `$2` and `$3`
    /// are [`Viewer::values`].
    pub(super) const SEES: &'static str = "organization = $1 AND ($2 = 1 OR team IS NULL OR \
         team IN (SELECT team FROM paas_team_member WHERE organization = $1 AND member = $3))";

    /// What [`Viewer::SEES`] compares with.
    pub(super) fn values(&self) -> [Value; 3] {
        [
            self.organization.into(),
            i64::from(self.is_admin).into(),
            self.user.unwrap_or_default().into(),
        ]
    }

    /// Refuses who only reads what belongs to a team.
    pub(super) async fn may_write(
        &self,
        connection: &impl ConnectionTrait,
        team: Option<i64>,
    ) -> Result<()> {
        let Some(team) = team.filter(|_| !self.is_admin) else {
            return Ok(());
        };
        match self.role_in(connection, team).await? >= Some(Role::Member) {
            true => Ok(()),
            false => Err(Error::forbidden(
                "Your role in the team does not allow this",
            )),
        }
    }

    /// What the caller may do in a team, if it is in it.
    pub(super) async fn role_in(
        &self,
        connection: &impl ConnectionTrait,
        team: i64,
    ) -> Result<Option<Role>> {
        let sql = "SELECT role FROM paas_team_member \
                   WHERE organization = $1 AND team = $2 AND member = $3";
        let user = self.user.unwrap_or_default();
        let values = [self.organization.into(), team.into(), user.into()];
        let found = row(connection, sql, values).await?;
        let role = found
            .map(|row| row.try_get::<i16>("", "role"))
            .transpose()?;
        Ok(role.and_then(|role| Role::from_number(role.into())))
    }
}
