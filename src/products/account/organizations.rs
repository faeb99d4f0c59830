//! Organizations and their members.

use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, ModelTrait as _,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, Set,
};

use super::entity::{member, organization, user};
use super::provision::{self, NewUser};
use super::{Account, convert, keys, normal_email, projects};
use crate::api::OrganizationService;
use crate::api::apex::account::v1 as pb;
use crate::auth::{self, Actor, OrganizationId, Plan, UserId};
use crate::db::{Tx, is_duplicate, tenancy};
use crate::error::{Error, Kind, Result};
use crate::policy::Role;
use crate::server::{Call, Reply};

impl OrganizationService for Account {
    async fn list_organizations(
        &self,
        call: Call,
        _request: pb::ListOrganizationsRequest,
    ) -> Result<Reply<pb::ListOrganizationsResponse>> {
        let principal = call.principal();
        let organizations = match principal.user {
            Some(user) => {
                let mut own = self.memberships(user);
                if !principal.is_session() {
                    own.retain(|own| Some(own.id) == principal.organization.map(|id| id.0));
                }
                own
            }
            None => self.all_organizations(),
        };
        Ok(pb::ListOrganizationsResponse { organizations }.into())
    }

    async fn create_organization(
        &self,
        call: Call,
        request: pb::CreateOrganizationRequest,
    ) -> Result<Reply<pb::CreateOrganizationResponse>> {
        let user = call.principal().user;
        let user = user.ok_or_else(|| Error::invalid("An organization needs an owner"))?;
        let plan = convert::plan_of(request.plan)?.unwrap_or(Plan::Scale);
        let now = self.now();
        let answer = self.change_once(&call, move |tx| {
            Box::pin(async move {
                let row =
                    provision::organization(tx, &request.name, (plan, None), user.0, now).await?;
                let first = provision::NewProject::first();
                provision::project(tx, row.id, first, now).await?;
                Ok(pb::CreateOrganizationResponse {
                    organization: Some(convert::organization(&row)?),
                })
            })
        });
        Ok(answer.await?.into())
    }

    async fn get_organization(
        &self,
        call: Call,
        request: pb::GetOrganizationRequest,
    ) -> Result<Reply<pb::GetOrganizationResponse>> {
        let id = self.organization_for(&call, request.id, Role::Viewer)?;
        let read = self.db().read(call.deadline()).await?;
        let row = find(&read, id).await?;
        let organization = Some(convert::organization(&row)?);
        Ok(pb::GetOrganizationResponse { organization }.into())
    }

    async fn update_organization(
        &self,
        call: Call,
        request: pb::UpdateOrganizationRequest,
    ) -> Result<Reply<pb::UpdateOrganizationResponse>> {
        let id = self.organization_for(&call, request.id, Role::Owner)?;
        projects::unbound(&call)?;
        let plan = convert::plan_of(request.plan)?;
        let mask = request.update_mask.unwrap_or_default().paths;
        let answer = self.change_once(&call, move |tx| {
            Box::pin(async move {
                let mut change: organization::ActiveModel = find(tx, id).await?.into();
                if mask.iter().any(|path| path == "name") {
                    if request.name.trim().is_empty() {
                        return Err(Error::invalid_field("name", "name is required"));
                    }
                    change.name = Set(request.name.trim().to_owned());
                }
                if mask.iter().any(|path| path == "plan") {
                    let plan = plan.ok_or_else(convert::no_plan)?;
                    change.plan = Set(plan.word().to_owned());
                }
                let row = change.update(tx).await?;
                Ok(pb::UpdateOrganizationResponse {
                    organization: Some(convert::organization(&row)?),
                })
            })
        });
        Ok(answer.await?.into())
    }

    async fn list_members(
        &self,
        call: Call,
        request: pb::ListMembersRequest,
    ) -> Result<Reply<pb::ListMembersResponse>> {
        let id = self.organization_for(&call, request.organization_id, Role::Viewer)?;
        let read = self.db().read(call.deadline()).await?;
        let rows = tenancy::of::<member::Entity>(id)
            .find_also_related(user::Entity)
            .order_by_asc(member::Column::CreatedAt)
            .order_by_asc(member::Column::UserId)
            .all(&read)
            .await?;
        let members = rows
            .iter()
            .filter_map(|(row, user)| Some(convert::member(row, user.as_ref()?)));
        let members = members.collect();
        Ok(pb::ListMembersResponse { members }.into())
    }

    async fn add_member(
        &self,
        call: Call,
        request: pb::AddMemberRequest,
    ) -> Result<Reply<pb::AddMemberResponse>> {
        let (id, own) = self.role_in(&call, request.organization_id)?;
        projects::unbound(&call)?;
        may_manage(&call)?;
        let role = convert::role_of(request.role)?.unwrap_or(Role::Member);
        may_grant(own, Role::Viewer, role)?;
        let email = normal_email(&request.email);
        let generated = request.password.is_empty().then(auth::password);
        let password = generated
            .as_ref()
            .map_or(request.password.as_str(), |own| own.reveal());
        // Hashed before it is known whether it is needed: the time tells nothing.
        let password_hash = self.0.passwords.hash(password).await?;
        // The operator may be believed; an admin who chose a password may know it.
        let chosen_by = (!call.principal().is_operator()).then_some(id.0);
        let now = self.now();
        let added = self.change_once(&call, move |tx| {
            Box::pin(async move {
                let known = provision::find_user(tx, &email).await?;
                let fresh = known.is_none();
                let user = match known {
                    Some(user) => {
                        provision::require_own_password(&user, Some(id.0))?;
                        user
                    }
                    None => {
                        let new = NewUser {
                            email,
                            name: request.name,
                            password_hash,
                            password_by: chosen_by,
                        };
                        provision::user(tx, new, now).await?
                    }
                };
                let row = member::ActiveModel {
                    organization_id: Set(id.0),
                    user_id: Set(user.id),
                    role: Set(role as i16),
                    created_at: Set(now),
                };
                let row = row
                    .insert(tx)
                    .await
                    .map_err(|error| match is_duplicate(&error) {
                        true => Error::exists("The user is a member already"),
                        false => error.into(),
                    })?;
                let mut member = convert::member(&row, &user);
                let shown = generated.filter(|_| fresh);
                member.password = shown.map(|own| own.reveal().to_owned());
                let member = Some(member);
                Ok(pb::AddMemberResponse { member })
            })
        });
        Ok(added.await?.into())
    }

    async fn update_member(
        &self,
        call: Call,
        request: pb::UpdateMemberRequest,
    ) -> Result<Reply<pb::UpdateMemberResponse>> {
        let (id, own) = self.role_in(&call, request.organization_id)?;
        projects::unbound(&call)?;
        may_manage(&call)?;
        let role = convert::role_of(request.role)?
            .ok_or_else(|| Error::invalid_field("role", "role is required"))?;
        let answer = self.change_once(&call, move |tx| {
            Box::pin(async move {
                let (row, user) = find_member(tx, id, request.user_id).await?;
                may_grant(own, role_of(&row)?, role)?;
                let mut change: member::ActiveModel = row.into();
                change.role = Set(role as i16);
                let row = change.update(tx).await?;
                require_owner(tx, id).await?;
                let member = Some(convert::member(&row, &user));
                Ok(pb::UpdateMemberResponse { member })
            })
        });
        Ok(answer.await?.into())
    }

    async fn remove_member(
        &self,
        call: Call,
        request: pb::RemoveMemberRequest,
    ) -> Result<Reply<pb::RemoveMemberResponse>> {
        let (id, own) = self.role_in(&call, request.organization_id)?;
        projects::unbound(&call)?;
        let leaves = call.principal().user == Some(UserId(request.user_id));
        let now = self.now();
        let answer = self.change_once(&call, move |tx| {
            Box::pin(async move {
                let (row, _) = find_member(tx, id, request.user_id).await?;
                if !leaves {
                    may_grant(own, role_of(&row)?, Role::Viewer)?;
                }
                // Or they would work again if the user came back.
                keys::revoke_by(tx, id, row.user_id, now).await?;
                row.delete(tx).await?;
                require_owner(tx, id).await?;
                Ok(pb::RemoveMemberResponse { success: true })
            })
        });
        Ok(answer.await?.into())
    }

    async fn get_usage(
        &self,
        call: Call,
        _request: pb::GetUsageRequest,
    ) -> Result<Reply<pb::GetUsageResponse>> {
        self.usage(&call).await.map(Reply::from)
    }
}

impl Account {
    fn all_organizations(&self) -> Vec<pb::Membership> {
        let snapshot = self.0.shared.directory.snapshot();
        let mut all: Vec<_> = snapshot.organizations.values().collect();
        all.sort_by_key(|own| own.id);
        let all = all.into_iter().map(|own| pb::Membership {
            id: own.id.0,
            name: own.name.clone(),
            plan: convert::plan(own.plan).into(),
            role: Role::Owner as i32,
        });
        all.collect()
    }
}

/// Admins grant and take what is below owner, owners everything.
fn may_grant(own: Role, before: Role, after: Role) -> Result<()> {
    let enough = match before.max(after) {
        Role::Owner => own == Role::Owner,
        Role::Viewer | Role::Member | Role::Admin => own >= Role::Admin,
    };
    match enough {
        true => Ok(()),
        false => Err(Error::forbidden("Your role does not allow this")),
    }
}

/// Members may do what their role allows, in every product. A key that may do less
/// could grant itself the rest by way of a member it makes.
fn may_manage(call: &Call) -> Result<()> {
    match &call.principal().actor {
        Actor::Key { scopes, .. } if !scopes.is_everything() => Err(Error::forbidden(
            "Only a key with the scope * adds members and changes roles",
        )),
        Actor::Key { .. }
        | Actor::Session { .. }
        | Actor::Operator
        | Actor::Page
        | Actor::Anonymous => Ok(()),
    }
}

fn role_of(row: &member::Model) -> Result<Role> {
    Role::from_number(row.role.into()).ok_or_else(|| Error::internal("a member has no known role"))
}

#[allow(clippy::disallowed_methods)] // the organization itself
async fn find(
    connection: &impl sea_orm::ConnectionTrait,
    id: OrganizationId,
) -> Result<organization::Model> {
    let row = organization::Entity::find_by_id(id.0)
        .one(connection)
        .await?;
    row.ok_or_else(|| Error::not_found("Organization not found"))
}

async fn find_member(
    tx: &Tx,
    organization: OrganizationId,
    user: i64,
) -> Result<(member::Model, user::Model)> {
    let found = tenancy::of::<member::Entity>(organization)
        .filter(member::Column::UserId.eq(user))
        .find_also_related(user::Entity)
        .one(tx)
        .await?;
    match found {
        Some((row, Some(user))) => Ok((row, user)),
        Some((_, None)) | None => Err(Error::not_found("Member not found")),
    }
}

/// Undoes a change that would leave an organization without an owner.
async fn require_owner(tx: &Tx, organization: OrganizationId) -> Result<()> {
    let owners = tenancy::of::<member::Entity>(organization)
        .filter(member::Column::Role.eq(Role::Owner as i16))
        .count(tx)
        .await?;
    match owners {
        0 => Err(Error::new(
            Kind::FailedPrecondition,
            "The last owner cannot leave: make somebody else an owner first",
        )
        .reason("LAST_OWNER")),
        _ => Ok(()),
    }
}

/// The owner an operator acts as.
pub(super) async fn first_owner(account: &Account, id: OrganizationId) -> Result<UserId> {
    let read = account.db().read(None).await?;
    let owner = tenancy::of::<member::Entity>(id)
        .filter(member::Column::Role.eq(Role::Owner as i16))
        .order_by_asc(member::Column::UserId)
        .one(&read)
        .await?;
    let owner = owner.ok_or_else(|| Error::not_found("Organization not found"))?;
    Ok(UserId(owner.user_id))
}
