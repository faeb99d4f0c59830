//! Grants: what roles may do instead of what they may by default. They are read by the
//! directory, which every call is let in by.

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::query::Takes;
use super::super::resource::{Context, Resource};
use super::super::serve::serve;
use super::super::store::Chosen;
use super::told;
use crate::api::RoleGrantService;
use crate::api::apex::crm::v1 as pb;
use crate::auth::Directory;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::server::{Call, Reply};

record! {
    RoleGrant {
        id: Column::id(),
        organization_id: Column::organization(),
        role: Column::of(Kind::Word(&["viewer", "member"])).needed().once(),
        resource: Column::text().needed().once(),
        can_view: Column::of(Kind::Flag),
        can_create: Column::of(Kind::Flag),
        can_update: Column::of(Kind::Flag),
        can_delete: Column::of(Kind::Flag),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    }
}

pub(super) struct RoleGrants;

impl Resource for RoleGrants {
    type Record = pb::RoleGrant;
    const SOURCE: Source = Source("role_grant");
    const NAME: &'static str = "role-grants";
    const TAKES: Takes = Takes::NOTHING;

    async fn prepare(
        tx: &Tx,
        _: &Context,
        new: &mut pb::RoleGrant,
        _: Option<&pb::RoleGrant>,
    ) -> Result<()> {
        if let Some(resource) = new.resource.as_deref()
            && !told::is_granted(resource)
        {
            let words = format!("resource must be {}", told::granted());
            return Err(Error::invalid_field("resource", words));
        }
        let writes = new.role.as_deref() == Some("member");
        new.can_view.get_or_insert(true);
        new.can_create.get_or_insert(writes);
        new.can_update.get_or_insert(writes);
        new.can_delete.get_or_insert(writes);
        Directory::changed(tx).await
    }

    async fn removed(tx: &Tx, _: &Context, _: &pb::RoleGrant) -> Result<()> {
        Directory::changed(tx).await
    }
}

impl RoleGrantService for Crm {
    serve!(list RoleGrants: list_role_grants(ListRoleGrantsRequest) -> ListRoleGrantsResponse);
    serve!(get RoleGrants: get_role_grant(GetRoleGrantRequest) -> GetRoleGrantResponse.role_grant);

    async fn create_role_grants(
        &self,
        call: Call,
        request: pb::CreateRoleGrantsRequest,
    ) -> Result<Reply<pb::CreateRoleGrantsResponse>> {
        let wrap = |role_grants| pb::CreateRoleGrantsResponse { role_grants };
        let made = self.create::<RoleGrants, _>(&call, request.role_grants, wrap);
        known(&call, made.await?).await
    }

    async fn update_role_grant(
        &self,
        call: Call,
        mut request: pb::UpdateRoleGrantRequest,
    ) -> Result<Reply<pb::UpdateRoleGrantResponse>> {
        let names = request.update_mask.take().unwrap_or_default().paths;
        let given = (request.role_grant.take(), Chosen::Members(names));
        let target = serve!(target request, UpdateRoleGrantResponse.role_grant);
        let changed = self.update::<RoleGrants, _>(&call, given, target);
        known(&call, changed.await?).await
    }

    async fn delete_role_grant(
        &self,
        call: Call,
        request: pb::DeleteRoleGrantRequest,
    ) -> Result<Reply<pb::DeleteRoleGrantResponse>> {
        let target = serve!(target request, DeleteRoleGrantResponse.role_grant);
        let removed = self.remove::<RoleGrants, _>(&call, target);
        known(&call, removed.await?).await
    }
}

/// Answers once this node goes by what was granted.
async fn known<T>(call: &Call, reply: T) -> Result<T> {
    call.directory().reload().await?;
    Ok(reply)
}
