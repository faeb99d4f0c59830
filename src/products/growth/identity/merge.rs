//! Makes two leads one, and two again. A merged lead keeps its names and visitors and
//! points to the lead it is part of; taking that back takes the pointer away. Every
//! merge is written down, also once it is undone.

use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use super::lead::{self, DEEPEST, Lead};
use super::link;
use super::refusal::{Reason, Refusal};
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::db::sql::{execute, row, rows};
use crate::db::{Read, Tx};
use crate::error::{Error, Result};
use crate::products::growth::webhooks::{Kind, publish};
use crate::products::timestamp;

/// Why two leads are not merged.
pub(super) enum Refused {
    /// It is told, and recorded.
    Cycle(Refusal),
    /// It is told.
    Failed(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Makes one lead part of another.
pub(super) async fn merge(
    tx: &Tx,
    project: ProjectId,
    (into, from): (&str, &str),
    now: i64,
) -> Result<pb::LeadMerge, Refused> {
    link::lock(tx, project).await?;
    let stays = find(tx, project, into).await?;
    let goes = find(tx, project, from).await?;
    if stays.number == goes.number {
        return Err(Refused::Cycle(Refusal::new(Reason::Cycle, "", from)));
    }
    if depth(tx, project, &goes).await? >= DEEPEST {
        let error = Error::invalid_field("from", "from is made of too many leads");
        return Err(Refused::Failed(error));
    }
    let sql = "UPDATE growth_lead SET merged_into = $1, updated_at = $2 \
               WHERE project = $3 AND number = $4";
    let values: [Value; 4] = [
        stays.number.into(),
        now.into(),
        project.into(),
        goes.number.into(),
    ];
    execute(tx, sql, values).await?;
    let id = format!("merge_{}", Uuid::now_v7().simple());
    let sql = "INSERT INTO growth_merge (id, project, lead, merged, created_at) \
               VALUES ($1, $2, $3, $4, $5)";
    let values: [Value; 5] = [
        id.as_str().into(),
        project.into(),
        stays.number.into(),
        goes.number.into(),
        now.into(),
    ];
    execute(tx, sql, values).await?;
    let data = serde_json::json!({
        "leadId": stays.id, "email": stays.email, "externalId": stays.external,
        "mergedLeadId": goes.id, "traits": stays.traits,
    });
    publish(tx, project, Kind::LeadUpdated, &data, now).await?;
    Ok(pb::LeadMerge {
        id,
        lead_id: stays.id,
        from_lead_id: goes.id,
        created_at: Some(timestamp(now)),
        undone_at: None,
    })
}

async fn find(tx: &Tx, project: ProjectId, name: &str) -> Result<Lead> {
    let found = lead::named(tx, project, name).await?;
    let found = found.ok_or_else(|| Error::not_found("Lead not found"))?;
    lead::root(tx, project, found).await
}

/// How many merges lie below a lead, one into the other.
async fn depth(tx: &Tx, project: ProjectId, lead: &Lead) -> Result<usize> {
    let sql = "WITH RECURSIVE below (number, depth) AS (\
               SELECT number, 0 FROM growth_lead WHERE project = $1 AND number = $2 UNION ALL \
               SELECT growth_lead.number, below.depth + 1 FROM growth_lead, below \
               WHERE growth_lead.project = $1 AND growth_lead.merged_into = below.number \
               AND below.depth < 100) SELECT CAST(MAX(depth) AS BIGINT) AS depth FROM below";
    let found = row(tx, sql, [project.into(), lead.number.into()]).await?;
    let depth: i64 = match found {
        Some(found) => found.try_get("", "depth")?,
        None => 0,
    };
    Ok(depth as usize + 1)
}

/// Takes a merge back.
pub(super) async fn undo(tx: &Tx, project: ProjectId, id: &str, now: i64) -> Result<pb::LeadMerge> {
    link::lock(tx, project).await?;
    let sql = format!("{SELECT} AND growth_merge.id = $2");
    let found = row(tx, &sql, [project.into(), id.into()]).await?;
    let found = found.ok_or_else(|| Error::not_found("Merge not found"))?;
    let mut merge = message(&found)?;
    if merge.undone_at.is_some() {
        return Err(Error::invalid_field(
            "id",
            "id is of a merge that was undone",
        ));
    }
    let goes: i64 = found.try_get("", "merged")?;
    let sql = "UPDATE growth_lead SET merged_into = NULL, updated_at = $1 \
               WHERE project = $2 AND number = $3";
    execute(tx, sql, [now.into(), project.into(), goes.into()]).await?;
    let sql = "UPDATE growth_merge SET undone_at = $1 WHERE project = $2 AND id = $3";
    execute(tx, sql, [now.into(), project.into(), id.into()]).await?;
    merge.undone_at = Some(timestamp(now));
    Ok(merge)
}

const SELECT: &str = "SELECT growth_merge.number AS number, growth_merge.id AS id, merged, \
                      growth_merge.created_at AS created_at, undone_at, \
                      stays.id AS stays_id, goes.id AS goes_id FROM growth_merge \
                      JOIN growth_lead AS stays ON stays.number = growth_merge.lead \
                      JOIN growth_lead AS goes ON goes.number = growth_merge.merged \
                      WHERE growth_merge.project = $1";

/// Merges of a project, the latest first, after the one with an id.
pub(super) async fn list(
    read: &Read,
    project: ProjectId,
    after: &str,
    limit: i64,
) -> Result<Vec<pb::LeadMerge>> {
    let last = match after {
        "" => i64::MAX,
        id => {
            let sql = "SELECT number FROM growth_merge WHERE project = $1 AND id = $2";
            let found = row(read, sql, [project.into(), id.into()]).await?;
            let unknown = || Error::invalid_field("cursor", "cursor is no merge's id");
            found.ok_or_else(unknown)?.try_get("", "number")?
        }
    };
    let sql =
        format!("{SELECT} AND growth_merge.number < $2 ORDER BY growth_merge.number DESC LIMIT $3");
    let found = rows(read, &sql, [project.into(), last.into(), limit.into()]).await?;
    found.iter().map(message).collect()
}

fn message(row: &QueryResult) -> Result<pb::LeadMerge> {
    let undone_at: Option<i64> = row.try_get("", "undone_at")?;
    Ok(pb::LeadMerge {
        id: row.try_get("", "id")?,
        lead_id: row.try_get("", "stays_id")?,
        from_lead_id: row.try_get("", "goes_id")?,
        created_at: Some(timestamp(row.try_get("", "created_at")?)),
        undone_at: undone_at.map(timestamp),
    })
}
