//! What was refused, and why: counted, so that a page which sends the same mistake
//! over and over is one row.

use sea_orm::{QueryResult, Value};

use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::clock::DAY;
use crate::db::sql::{execute, rows};
use crate::db::{Read, Tx};
use crate::error::Result;
use crate::products::timestamp;

/// How long a refusal is remembered.
const REMEMBERED: i64 = 90 * DAY;
/// Most bytes of a name that was refused.
const SHOWN: usize = 255;

/// Why something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The id stands for nobody.
    BlockedId,
    /// The visitor belongs to another lead.
    AlreadyIdentified,
    /// Names said to be one lead's are two leads'.
    TwoLeads,
    /// The leads are one already.
    Cycle,
    /// More than is kept of a lead.
    TraitsTooLarge,
}

impl Reason {
    fn word(self) -> &'static str {
        match self {
            Self::BlockedId => "blocked_id",
            Self::AlreadyIdentified => "already_identified",
            Self::TwoLeads => "two_leads",
            Self::Cycle => "cycle",
            Self::TraitsTooLarge => "traits_too_large",
        }
    }
}

/// Something to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    visitor: String,
    name: String,
}

impl Refusal {
    pub(super) fn new(reason: Reason, visitor: &str, name: &str) -> Self {
        let cut = |text: &str| text[..text.floor_char_boundary(SHOWN.min(text.len()))].to_owned();
        Self {
            reason,
            visitor: cut(visitor),
            name: cut(name),
        }
    }

    /// Records it.
    pub(super) async fn record(&self, tx: &Tx, project: ProjectId, now: i64) -> Result<()> {
        let sql = "INSERT INTO growth_refusal (project, reason, visitor, name, times, first_at, \
                   last_at) VALUES ($1, $2, $3, $4, 1, $5, $5) \
                   ON CONFLICT (project, reason, visitor, name) DO UPDATE SET \
                   times = growth_refusal.times + 1, last_at = excluded.last_at";
        let values: [Value; 5] = [
            project.into(),
            self.reason.word().into(),
            self.visitor.as_str().into(),
            self.name.as_str().into(),
            now.into(),
        ];
        execute(tx, sql, values).await?;
        Ok(())
    }
}

/// The latest refusals of a project.
pub(super) async fn list(
    read: &Read,
    project: ProjectId,
    limit: i64,
) -> Result<Vec<pb::IdentityRefusal>> {
    let sql = "SELECT reason, visitor, name, times, first_at, last_at FROM growth_refusal \
               WHERE project = $1 ORDER BY last_at DESC LIMIT $2";
    let found = rows(read, sql, [project.into(), limit.into()]).await?;
    found.iter().map(message).collect()
}

fn message(row: &QueryResult) -> Result<pb::IdentityRefusal> {
    Ok(pb::IdentityRefusal {
        reason: row.try_get("", "reason")?,
        visitor_id: row.try_get("", "visitor")?,
        name: row.try_get("", "name")?,
        times: row.try_get("", "times")?,
        first_at: Some(timestamp(row.try_get("", "first_at")?)),
        last_at: Some(timestamp(row.try_get("", "last_at")?)),
    })
}

/// Forgets up to `most` of those that were not refused for long; answers how many.
pub(super) async fn forget(tx: &Tx, now: i64, most: i64) -> Result<u64> {
    let sql = "DELETE FROM growth_refusal WHERE (project, reason, visitor, name) IN \
               (SELECT project, reason, visitor, name FROM growth_refusal WHERE last_at < $1 \
               ORDER BY last_at LIMIT $2)";
    execute(tx, sql, [(now - REMEMBERED).into(), most.into()]).await
}
