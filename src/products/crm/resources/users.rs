//! The users of an organization, as other records show them.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, QueryResult};

use super::super::column::Source;
use super::super::resource::{Context, Resource as _};
use super::super::store::{names, related};
use super::organizations::OrganizationUsers;
use crate::api::apex::crm::v1 as pb;
use crate::error::Result;

/// Members of organizations with who they are; who is shut out counts as removed.
pub(super) const USERS: Source = Source(
    "(SELECT u.id AS id, m.organization_id AS organization_id, u.id AS user_id, \
     u.name AS name, u.email AS email, CASE m.role WHEN 4 THEN 'owner' WHEN 3 THEN 'admin' \
     WHEN 2 THEN 'member' ELSE 'viewer' END AS role, m.created_at AS created_at, \
     m.created_at AS updated_at, u.disabled_at AS deleted_at \
     FROM member m JOIN account_user u ON u.id = m.user_id)",
);

/// Users by their numbers.
pub(super) struct Users(HashMap<i64, QueryResult>);

impl Users {
    /// Reads the users that records name.
    pub(super) async fn read(
        connection: &impl ConnectionTrait,
        context: &Context,
        ids: impl IntoIterator<Item = Option<i64>>,
    ) -> Result<Self> {
        let what = match context.hides(OrganizationUsers::NAME) {
            true => "t.name, CAST(NULL AS TEXT)",
            false => "t.name, t.email",
        };
        let found = related(connection, context, (USERS, what), ids).await?;
        Ok(Self(found))
    }

    fn name(&self, id: Option<i64>) -> Result<Option<(i64, String)>> {
        let row = id.and_then(|id| Some((id, self.0.get(&id)?)));
        row.map(|(id, row)| Ok((id, row.try_get_by_index(1)?)))
            .transpose()
    }

    /// A user by first and last name.
    pub(super) fn person(&self, id: Option<i64>) -> Result<Option<pb::Person>> {
        let named = self.name(id)?.map(|(id, name)| {
            let (first_name, last_name) = names(&name);
            pb::Person {
                id,
                first_name,
                last_name,
            }
        });
        Ok(named)
    }

    /// A user by the whole name.
    pub(super) fn named(&self, id: Option<i64>) -> Result<Option<pb::NamedPerson>> {
        let named = self.name(id)?;
        Ok(named.map(|(id, full_name)| pb::NamedPerson { id, full_name }))
    }

    /// A user as deals show one.
    pub(super) fn deal_owner(&self, id: Option<i64>) -> Result<Option<pb::DealOwner>> {
        let Some(user) = self.summary(id)? else {
            return Ok(None);
        };
        Ok(Some(pb::DealOwner {
            id: user.id,
            first_name: user.first_name,
            last_name: user.last_name,
            email: user.email,
        }))
    }

    /// A user with everything that is shown of one.
    pub(super) fn summary(&self, id: Option<i64>) -> Result<Option<pb::UserSummary>> {
        let Some((id, full_name)) = self.name(id)? else {
            return Ok(None);
        };
        let (first_name, last_name) = names(&full_name);
        let row = self.0.get(&id);
        let email: Option<Option<String>> = row.map(|row| row.try_get_by_index(2)).transpose()?;
        Ok(Some(pb::UserSummary {
            id,
            first_name,
            last_name,
            full_name: Some(full_name),
            email: email.flatten(),
        }))
    }
}
