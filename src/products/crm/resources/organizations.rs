//! Organizations and their users, to read. They are managed under `/api`.

use sea_orm::ConnectionTrait;

use super::super::Crm;
use super::super::column::{Column, Source, record};
use super::super::query::Takes;
use super::super::resource::{Context, Resource, Wanted};
use super::super::serve::serve;
use super::users::{USERS, Users};
use crate::api::apex::crm::v1 as pb;
use crate::api::{OrganizationUserService, OwnOrganizationService};
use crate::error::Result;

record! {
    OwnOrganization {
        id: Column::id(),
        name: Column::text().needed(),
        subscription_status: Column::text().needed(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
    }
}

pub(super) struct OwnOrganizations;

impl Resource for OwnOrganizations {
    type Record = pb::OwnOrganization;
    const SOURCE: Source = Source(
        "(SELECT id, id AS organization_id, name, 'active' AS subscription_status, \
         created_at, created_at AS updated_at, CAST(NULL AS BIGINT) AS deleted_at \
         FROM organization)",
    );
    const NAME: &'static str = "organizations";
    const TAKES: Takes = Takes::SEARCH;
}

record! {
    OrganizationUser {
        id: Column::id(),
        organization_id: Column::organization(),
        user_id: Column::to(USERS),
        role: Column::text(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
    } + user
}

pub(super) struct OrganizationUsers;

impl Resource for OrganizationUsers {
    type Record = pb::OrganizationUser;
    const SOURCE: Source = USERS;
    const NAME: &'static str = "organization-users";
    const TAKES: Takes = Takes::SEARCH;

    async fn join(
        connection: &impl ConnectionTrait,
        context: &Context,
        records: &mut [pb::OrganizationUser],
        wanted: &Wanted,
    ) -> Result<()> {
        if !wanted.shows("user") {
            return Ok(());
        }
        let ids = records.iter().map(|record| record.user_id);
        let users = Users::read(connection, context, ids).await?;
        for record in records {
            record.user = users.summary(record.user_id)?;
        }
        Ok(())
    }
}

impl OwnOrganizationService for Crm {
    serve!(list OwnOrganizations: list_own_organizations(ListOwnOrganizationsRequest) -> ListOwnOrganizationsResponse);
    serve!(get OwnOrganizations: get_own_organization(GetOwnOrganizationRequest) -> GetOwnOrganizationResponse.own_organization);
}

impl OrganizationUserService for Crm {
    serve!(list OrganizationUsers: list_organization_users(ListOrganizationUsersRequest) -> ListOrganizationUsersResponse);
    serve!(get OrganizationUsers: get_organization_user(GetOrganizationUserRequest) -> GetOrganizationUserResponse.organization_user);
}
