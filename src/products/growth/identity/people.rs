//! Who is one person: for questions that count people rather than visitors.

use std::collections::HashMap;

use crate::auth::ProjectId;
use crate::db::Read;
use crate::db::sql::rows;
use crate::error::Result;

/// Numbers of a project's visitors who are known, each with the number of their
/// person: the smallest one among the visitors of the same lead. Visitors who are not
/// in it are nobody's but their own. It holds for all of their events, whenever they
/// were. Costs what is linked, whatever is stored.
pub(in crate::products::growth) async fn people(
    read: &Read,
    project: ProjectId,
) -> Result<HashMap<u32, u32>> {
    let mut merged: HashMap<i64, i64> = HashMap::new();
    let sql = "SELECT number, merged_into FROM growth_lead \
               WHERE project = $1 AND merged_into IS NOT NULL";
    for row in rows(read, sql, [project.into()]).await? {
        merged.insert(row.try_get("", "number")?, row.try_get("", "merged_into")?);
    }
    let sql = "SELECT event_visitor.ordinal AS ordinal, growth_link.lead AS lead \
               FROM growth_link JOIN event_visitor \
               ON event_visitor.project = growth_link.project \
               AND event_visitor.id = growth_link.visitor \
               WHERE growth_link.project = $1 AND growth_link.own = 1";
    let mut visitors: Vec<(u32, i64)> = Vec::new();
    let mut first: HashMap<i64, u32> = HashMap::new();
    for row in rows(read, sql, [project.into()]).await? {
        let ordinal = row.try_get::<i64>("", "ordinal")? as u32;
        let mut lead: i64 = row.try_get("", "lead")?;
        // Merges never make a circle.
        while let Some(next) = merged.get(&lead) {
            lead = *next;
        }
        let smallest = first.entry(lead).or_insert(ordinal);
        *smallest = ordinal.min(*smallest);
        visitors.push((ordinal, lead));
    }
    let person =
        |(ordinal, lead): (u32, i64)| (ordinal, first.get(&lead).copied().unwrap_or(ordinal));
    Ok(visitors.into_iter().map(person).collect())
}
