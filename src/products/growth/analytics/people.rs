//! Who the visitors are: which of them are one person, and how many leads there are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use roaring::RoaringBitmap;
use sea_orm::Value;

use super::Growth;
use crate::auth::ProjectId;
use crate::db::Read;
use crate::db::sql::{row, rows};
use crate::error::Result;
use crate::events::Reading;
use crate::products::growth::identity::people;

impl Growth {
    /// Takes all visitors of a lead for one.
    pub(super) async fn merge_people(
        &self,
        reading: &mut Reading,
        project: ProjectId,
    ) -> Result<()> {
        let merged = merged(reading.connection(), project).await?;
        reading.merge(Arc::new(merged));
        Ok(())
    }
}

/// Visitors who are others under another number: those of the same lead.
pub(super) async fn merged(read: &Read, project: ProjectId) -> Result<HashMap<u32, u32>> {
    people(read, project).await
}

/// How many leads were created in a span of time; of these visitors, if any are named.
pub(super) async fn leads(
    read: &Read,
    project: ProjectId,
    (from, to): (i64, i64),
    visitors: Option<&RoaringBitmap>,
) -> Result<i64> {
    let values: [Value; 3] = [project.into(), from.into(), to.into()];
    let Some(visitors) = visitors else {
        let sql = "SELECT COUNT(*) AS n FROM growth_lead \
                   WHERE project = $1 AND created_at >= $2 AND created_at < $3";
        let found = row(read, sql, values).await?;
        return Ok(found
            .map(|row| row.try_get("", "n"))
            .transpose()?
            .unwrap_or(0));
    };
    let sql = "SELECT growth_lead.number AS lead, event_visitor.ordinal AS ordinal \
               FROM growth_lead JOIN growth_link ON growth_link.project = growth_lead.project \
               AND growth_link.lead = growth_lead.number AND growth_link.own = 1 \
               JOIN event_visitor ON event_visitor.project = growth_link.project \
               AND event_visitor.id = growth_link.visitor WHERE growth_lead.project = $1 \
               AND growth_lead.created_at >= $2 AND growth_lead.created_at < $3";
    let mut leads: HashSet<i64> = HashSet::new();
    for found in rows(read, sql, values).await? {
        if visitors.contains(found.try_get::<i64>("", "ordinal")? as u32) {
            leads.insert(found.try_get("", "lead")?);
        }
    }
    Ok(leads.len() as i64)
}
