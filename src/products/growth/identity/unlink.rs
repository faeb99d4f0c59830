//! Takes a link back. What the visitor did is nobody's again, or the lead's that the
//! visitor was linked to besides. That there was a link is kept, so that the events
//! which made it do not make it again.

use sea_orm::Value;

use super::{lead, link};
use crate::auth::ProjectId;
use crate::db::Tx;
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Result};

/// Takes the link of a visitor to a lead back; the visitor's own when none is named.
pub(super) async fn unlink(
    tx: &Tx,
    project: ProjectId,
    visitor: &str,
    lead: &str,
    now: i64,
) -> Result<()> {
    link::lock(tx, project).await?;
    let found = match lead {
        "" => own(tx, project, visitor).await?,
        name => to(tx, project, visitor, name).await?,
    };
    let (leaf, was_own) = found.ok_or_else(|| Error::not_found("Link not found"))?;
    let sql = "UPDATE growth_link SET own = 0, undone_at = $1 \
               WHERE project = $2 AND visitor = $3 AND lead = $4";
    let values: [Value; 4] = [now.into(), project.into(), visitor.into(), leaf.into()];
    execute(tx, sql, values).await?;
    if !was_own {
        return Ok(());
    }
    let sql = "UPDATE growth_link SET own = 1 WHERE project = $1 AND visitor = $2 AND lead = \
               (SELECT lead FROM growth_link WHERE project = $1 AND visitor = $2 \
               AND undone_at IS NULL ORDER BY linked_at, lead LIMIT 1)";
    execute(tx, sql, [project.into(), visitor.into()]).await?;
    Ok(())
}

async fn own(tx: &Tx, project: ProjectId, visitor: &str) -> Result<Option<(i64, bool)>> {
    let sql = "SELECT lead FROM growth_link \
               WHERE project = $1 AND visitor = $2 AND own = 1 AND undone_at IS NULL";
    let found = row(tx, sql, [project.into(), visitor.into()]).await?;
    Ok(match found {
        Some(found) => Some((found.try_get("", "lead")?, true)),
        None => None,
    })
}

/// The link to a lead, or to one that is part of it.
async fn to(tx: &Tx, project: ProjectId, visitor: &str, name: &str) -> Result<Option<(i64, bool)>> {
    let Some(wanted) = lead::named(tx, project, name).await? else {
        return Ok(None);
    };
    let wanted = lead::root(tx, project, wanted).await?.number;
    let sql = "SELECT lead, own FROM growth_link \
               WHERE project = $1 AND visitor = $2 AND undone_at IS NULL ORDER BY own DESC";
    for found in rows(tx, sql, [project.into(), visitor.into()]).await? {
        let leaf: i64 = found.try_get("", "lead")?;
        let linked = lead::numbered(tx, project, leaf).await?;
        if lead::root(tx, project, linked).await?.number == wanted {
            return Ok(Some((leaf, found.try_get::<i16>("", "own")? == 1)));
        }
    }
    Ok(None)
}
