//! Lists of leads.

use sea_orm::Value;

use super::lead::{self, COLUMNS, Lead};
use super::names::Name;
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::db::Read;
use crate::db::sql::{row, rows};
use crate::error::{Error, Result};

/// Leads of a page when nobody says how many.
pub(super) const PAGE: i32 = 100;

/// Leads of a project, newest first, after the one with an id.
pub(super) async fn list(
    read: &Read,
    project: ProjectId,
    request: &pb::ListLeadsRequest,
) -> Result<Vec<pb::Lead>> {
    if !request.email.is_empty() {
        return named(read, project, &request.email).await;
    }
    let last = match request.cursor.as_str() {
        "" => i64::MAX,
        id => {
            let sql = "SELECT number FROM growth_lead WHERE project = $1 AND id = $2";
            let found = row(read, sql, [project.into(), id.into()]).await?;
            let unknown = || Error::invalid_field("cursor", "cursor is no lead's id");
            found.ok_or_else(unknown)?.try_get("", "number")?
        }
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM growth_lead WHERE project = $1 AND number < $2 \
         AND merged_into IS NULL ORDER BY number DESC LIMIT $3"
    );
    let limit = i64::from(request.limit.unwrap_or(PAGE));
    let values: [Value; 3] = [project.into(), last.into(), limit.into()];
    let found = rows(read, &sql, values).await?;
    found
        .iter()
        .map(|row| Lead::of(row).map(|lead| lead.message()))
        .collect()
}

/// The lead with a name, if there is one.
async fn named(read: &Read, project: ProjectId, text: &str) -> Result<Vec<pb::Lead>> {
    let Ok(name) = Name::read(text) else {
        return Ok(Vec::new());
    };
    Ok(match lead::named(read, project, &name.text).await? {
        Some(found) => vec![lead::root(read, project, found).await?.message()],
        None => Vec::new(),
    })
}
