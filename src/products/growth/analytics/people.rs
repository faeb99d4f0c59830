//! Who the visitors are: which of them are one person, and how many leads there are.

use std::sync::Arc;

use roaring::RoaringBitmap;
use sea_orm::Value;

use crate::auth::ProjectId;
use crate::db::Read;
use crate::db::sql::{row, rows};
use crate::error::Result;
use crate::events::Reading;
use crate::products::growth::identity::people;

/// Takes all visitors of a lead for one.
pub(super) async fn merge(reading: &mut Reading, project: ProjectId) -> Result<()> {
    let people = people(reading.connection(), project).await?;
    reading.merge(Arc::new(people));
    Ok(())
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
        return match row(read, sql, values).await? {
            Some(row) => Ok(row.try_get("", "n")?),
            None => Ok(0),
        };
    };
    let sql = "SELECT DISTINCT growth_lead.number AS lead, event_visitor.ordinal AS ordinal \
               FROM growth_lead JOIN growth_link ON growth_link.project = growth_lead.project \
               AND growth_link.lead = growth_lead.number AND growth_link.own = 1 \
               JOIN event_visitor ON event_visitor.project = growth_link.project \
               AND event_visitor.id = growth_link.visitor \
               WHERE growth_lead.project = $1 AND growth_lead.created_at >= $2 \
               AND growth_lead.created_at < $3";
    let mut leads = std::collections::HashSet::new();
    for row in rows(read, sql, values).await? {
        let ordinal: i64 = row.try_get("", "ordinal")?;
        if visitors.contains(ordinal as u32) {
            leads.insert(row.try_get::<i64>("", "lead")?);
        }
    }
    Ok(leads.len() as i64)
}
