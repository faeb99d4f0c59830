//! Projects and their public keys.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, Set,
};

use super::entity::{project, project_key};
use super::provision::{self, NewProject};
use super::{Account, convert, keys};
use crate::api::ProjectService;
use crate::api::apex::account::v1 as pb;
use crate::auth::OrganizationId;
use crate::db::{Tx, tenancy};
use crate::error::{Error, Result};
use crate::server::{Call, Reply};

impl ProjectService for Account {
    async fn list_projects(
        &self,
        call: Call,
        _request: pb::ListProjectsRequest,
    ) -> Result<Reply<pb::ListProjectsResponse>> {
        let organization = call.organization()?;
        let read = self.db().read(call.deadline()).await?;
        let rows = tenancy::of::<project::Entity>(organization)
            .find_with_related(project_key::Entity)
            // Every project has one that is current; those before it may be many.
            .filter(project_key::Column::RevokedAt.is_null())
            .order_by_asc(project::Column::Number)
            .all(&read)
            .await?;
        let bound = call.principal().project;
        let own = rows
            .iter()
            .filter(|(row, _)| bound.is_none_or(|id| id.0 == row.number));
        let projects = own.map(|(row, keys)| convert::project(row, current_key(keys)));
        let projects = projects.collect();
        Ok(pb::ListProjectsResponse { projects }.into())
    }

    async fn create_project(
        &self,
        call: Call,
        request: pb::CreateProjectRequest,
    ) -> Result<Reply<pb::CreateProjectResponse>> {
        let organization = call.organization()?;
        unbound(&call)?;
        let new = NewProject {
            timezone: match request.timezone.as_str() {
                "" => "UTC".to_owned(),
                name => time_zone(name)?,
            },
            consent_mode: consent_mode(request.consent_mode)?.unwrap_or("off"),
            allowed_origins: origins(request.allowed_origins)?,
            name: request.name,
        };
        let now = self.now();
        let answer = self.change_once(&call, move |tx| {
            Box::pin(async move {
                let (row, key) = provision::project(tx, organization.0, new, now).await?;
                let project = Some(convert::project(&row, key));
                Ok(pb::CreateProjectResponse { project })
            })
        });
        Ok(answer.await?.into())
    }

    async fn update_project(
        &self,
        call: Call,
        request: pb::UpdateProjectRequest,
    ) -> Result<Reply<pb::UpdateProjectResponse>> {
        let organization = call.organization()?;
        own_project(&call, &request.id)?;
        let mask = request.update_mask.clone().unwrap_or_default().paths;
        let answer = self.change_once(&call, move |tx| {
            Box::pin(async move {
                let row = find(tx, organization, &request.id).await?;
                let number = row.number;
                let mut change: project::ActiveModel = row.into();
                apply(&mut change, request, &mask)?;
                let row = change.update(tx).await?;
                let project = Some(convert::project(&row, key_of(tx, number).await?));
                Ok(pb::UpdateProjectResponse { project })
            })
        });
        Ok(answer.await?.into())
    }

    async fn delete_project(
        &self,
        call: Call,
        request: pb::DeleteProjectRequest,
    ) -> Result<Reply<pb::DeleteProjectResponse>> {
        let organization = organization_of(&call, &request.id)?;
        own_project(&call, &request.id)?;
        let now = self.now();
        let answer = self.change_once(&call, move |tx| {
            Box::pin(async move {
                let row = find(tx, organization, &request.id).await?;
                keys::revoke_of(tx, organization, row.number, now).await?;
                let mut change: project::ActiveModel = row.into();
                change.deleted_at = Set(Some(now));
                change.update(tx).await?;
                Ok(pb::DeleteProjectResponse { success: true })
            })
        });
        Ok(answer.await?.into())
    }

    async fn rotate_project_key(
        &self,
        call: Call,
        request: pb::RotateProjectKeyRequest,
    ) -> Result<Reply<pb::RotateProjectKeyResponse>> {
        let organization = organization_of(&call, &request.id)?;
        own_project(&call, &request.id)?;
        let now = self.now();
        let answer = self.change_once(&call, move |tx| {
            Box::pin(async move {
                let row = find(tx, organization, &request.id).await?;
                project_key::Entity::update_many()
                    .col_expr(project_key::Column::RevokedAt, Expr::value(now))
                    .filter(project_key::Column::Project.eq(row.number))
                    .filter(project_key::Column::RevokedAt.is_null())
                    .exec(tx)
                    .await?;
                let key = provision::project_key(tx, row.number, now).await?;
                let project = Some(convert::project(&row, key));
                Ok(pb::RotateProjectKeyResponse { project })
            })
        });
        Ok(answer.await?.into())
    }
}

impl Account {
    /// A project of an organization, by its public id.
    pub(super) async fn project_message(
        &self,
        organization: OrganizationId,
        id: &str,
    ) -> Result<pb::Project> {
        let read = self.db().read(None).await?;
        let row = find(&read, organization, id).await?;
        let key = key_of(&read, row.number).await?;
        Ok(convert::project(&row, key))
    }
}

async fn find(
    connection: &impl ConnectionTrait,
    organization: OrganizationId,
    id: &str,
) -> Result<project::Model> {
    let row = tenancy::of::<project::Entity>(organization)
        .filter(project::Column::Id.eq(id))
        .one(connection)
        .await?;
    row.ok_or_else(|| Error::not_found("Project not found"))
}

#[allow(clippy::disallowed_methods)] // reached through the project
async fn key_of(connection: &impl ConnectionTrait, project: i64) -> Result<String> {
    let rows = project_key::Entity::find()
        .filter(project_key::Column::Project.eq(project))
        .filter(project_key::Column::RevokedAt.is_null())
        .all(connection)
        .await?;
    Ok(current_key(&rows))
}

fn current_key(keys: &[project_key::Model]) -> String {
    let current = keys.iter().find(|key| key.revoked_at.is_none());
    current.map(|key| key.key.clone()).unwrap_or_default()
}

fn apply(
    change: &mut project::ActiveModel,
    request: pb::UpdateProjectRequest,
    mask: &[String],
) -> Result<()> {
    let has = |name: &str| mask.iter().any(|path| path == name);
    if has("name") {
        if request.name.trim().is_empty() {
            return Err(Error::invalid_field("name", "name is required"));
        }
        change.name = Set(request.name.trim().to_owned());
    }
    if has("timezone") {
        change.timezone = Set(time_zone(&request.timezone)?);
    }
    if has("allowed_origins") {
        let origins = origins(request.allowed_origins)?;
        change.allowed_origins = Set(serde_json::json!(origins).to_string());
    }
    if has("consent_mode") {
        let mode = consent_mode(request.consent_mode)?.ok_or_else(no_consent_mode)?;
        change.consent_mode = Set(mode.to_owned());
    }
    Ok(())
}

/// The organization a call on a project is for. The operator need not name it: the
/// project's id belongs to no other.
fn organization_of(call: &Call, id: &str) -> Result<OrganizationId> {
    let principal = call.principal();
    if !principal.is_operator() || principal.organization.is_some() {
        return call.organization();
    }
    let project = call.directory().project_of(principal, Some(id))?;
    Ok(project.organization)
}

/// A key that is bound to a project sees no other.
fn own_project(call: &Call, id: &str) -> Result<()> {
    match call.principal().project {
        None => Ok(()),
        Some(_) if call.project()?.public_id.as_ref() == id => Ok(()),
        Some(_) => Err(Error::not_found("Project not found")),
    }
}

/// A key that is bound to a project changes nothing all projects share, or it
/// could make itself a way to the others.
pub(super) fn unbound(call: &Call) -> Result<()> {
    match call.principal().project {
        None => Ok(()),
        Some(_) => Err(Error::forbidden("The API key is for one project only")),
    }
}

fn time_zone(name: &str) -> Result<String> {
    match jiff::tz::TimeZone::get(name) {
        Ok(_) => Ok(name.to_owned()),
        Err(_) => Err(Error::invalid_field(
            "timezone",
            "timezone must be an IANA name such as Europe/Berlin",
        )),
    }
}

fn consent_mode(number: i32) -> Result<Option<&'static str>> {
    match pb::ConsentMode::try_from(number) {
        Ok(pb::ConsentMode::Unspecified) => Ok(None),
        Ok(pb::ConsentMode::Off) => Ok(Some("off")),
        Ok(pb::ConsentMode::Required) => Ok(Some("required")),
        Err(_) => Err(no_consent_mode()),
    }
}

fn no_consent_mode() -> Error {
    Error::invalid_field("consentMode", "consentMode must be one of off, required")
}

fn origins(origins: Vec<String>) -> Result<Vec<String>> {
    let is_origin = |text: &String| {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        rest.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', ' ']))
    };
    match origins.iter().position(|text| !is_origin(text)) {
        None => Ok(origins),
        Some(at) => Err(Error::invalid_field(
            "allowedOrigins",
            format!("allowedOrigins[{at}] is no origin such as https://example.com"),
        )),
    }
}

/// Whether a transaction sees a project; used by keys.
pub(super) async fn number_of(tx: &Tx, organization: OrganizationId, id: &str) -> Result<i64> {
    find(tx, organization, id).await.map(|row| row.number)
}
