//! The members of an organization, for products that have people in them.

use sea_orm::{ColumnTrait as _, ConnectionTrait, QueryFilter as _, QueryOrder as _};

use super::entity::{member, user};
use super::{Account, normal_email};
use crate::auth::{OrganizationId, UserId};
use crate::db::tenancy;
use crate::error::Result;

/// A member of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The user.
    pub user: UserId,
    /// The user's e-mail.
    pub email: String,
}

/// Which members of an organization are meant.
#[derive(Debug, Clone)]
pub enum Who {
    /// The one with an e-mail.
    Email(String),
    /// Those among these users.
    Users(Vec<UserId>),
}

impl Account {
    /// Members of an organization, in the order of their users.
    pub async fn people(
        connection: &impl ConnectionTrait,
        organization: OrganizationId,
        who: Who,
    ) -> Result<Vec<Person>> {
        let all = tenancy::of::<member::Entity>(organization).find_also_related(user::Entity);
        let found = match who {
            Who::Email(email) => all.filter(user::Column::Email.eq(normal_email(&email))),
            Who::Users(users) => {
                let users = users.into_iter().map(|user| user.0);
                all.filter(member::Column::UserId.is_in(users))
            }
        };
        let rows = found
            .order_by_asc(member::Column::UserId)
            .all(connection)
            .await?;
        let people = rows.into_iter().filter_map(|(_, user)| {
            let user = user?;
            Some(Person {
                user: UserId(user.id),
                email: user.email,
            })
        });
        Ok(people.collect())
    }
}
