//! Leads, as they are kept. A lead that was merged stays, and points to the one it is
//! part of; its names and visitors stay its own, so that a merge can be taken back.

use sea_orm::{ConnectionTrait, QueryResult, Value};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::names::{Name, NameKind};
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::db::Tx;
use crate::db::sql::{execute, row};
use crate::error::{Error, Result};
use crate::products::timestamp;

/// Leads that were merged one into the other, at the most.
pub(super) const DEEPEST: usize = 64;

/// What is read of a lead.
pub(super) const COLUMNS: &str = "number, id, email, external, traits, source, merged_into, \
                                  created_at, updated_at";

/// Somebody who is known.
#[derive(Clone)]
pub(super) struct Lead {
    pub(super) number: i64,
    pub(super) id: String,
    pub(super) email: Option<String>,
    pub(super) external: Option<String>,
    pub(super) traits: Map<String, Json>,
    pub(super) source: String,
    pub(super) merged_into: Option<i64>,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

/// Who a lead is stands in no log.
impl std::fmt::Debug for Lead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lead")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Lead {
    pub(super) fn of(row: &QueryResult) -> Result<Self> {
        let traits: Option<String> = row.try_get("", "traits")?;
        let traits = traits.and_then(|text| serde_json::from_str(&text).ok());
        Ok(Self {
            number: row.try_get("", "number")?,
            id: row.try_get("", "id")?,
            email: row.try_get("", "email")?,
            external: row.try_get("", "external")?,
            traits: traits.unwrap_or_default(),
            source: row.try_get("", "source")?,
            merged_into: row.try_get("", "merged_into")?,
            created_at: row.try_get("", "created_at")?,
            updated_at: row.try_get("", "updated_at")?,
        })
    }

    /// As callers see it.
    pub(super) fn message(&self) -> pb::Lead {
        pb::Lead {
            id: self.id.clone(),
            email: self.email.clone(),
            external_id: self.external.clone().filter(|id| *id != self.id),
            traits: self.kept_traits().unwrap_or_default(),
            source: self.source.clone(),
            created_at: Some(timestamp(self.created_at)),
            updated_at: Some(timestamp(self.updated_at)),
        }
    }

    /// Whether it has no name of a kind yet.
    pub(super) fn lacks(&self, kind: NameKind) -> bool {
        match kind {
            NameKind::Email => self.email.is_none(),
            NameKind::Id => self.external.is_none(),
        }
    }

    fn kept_traits(&self) -> Option<String> {
        let some = !self.traits.is_empty();
        some.then(|| Json::Object(self.traits.clone()).to_string())
    }
}

/// The lead of a project with a number.
pub(super) async fn numbered(
    connection: &impl ConnectionTrait,
    project: ProjectId,
    number: i64,
) -> Result<Lead> {
    let sql = format!("SELECT {COLUMNS} FROM growth_lead WHERE project = $1 AND number = $2");
    let found = row(connection, &sql, [project.into(), number.into()]).await?;
    let found = found.ok_or_else(|| Error::internal("a name of no lead"))?;
    Lead::of(&found)
}

/// The lead with a name: itself, be it part of another.
pub(super) async fn named(
    connection: &impl ConnectionTrait,
    project: ProjectId,
    name: &str,
) -> Result<Option<Lead>> {
    let sql = "SELECT lead FROM growth_lead_name WHERE project = $1 AND name = $2";
    match row(connection, sql, [project.into(), name.into()]).await? {
        Some(found) => {
            let number = found.try_get("", "lead")?;
            numbered(connection, project, number).await.map(Some)
        }
        None => Ok(None),
    }
}

/// The lead it is part of in the end, which may be itself.
pub(super) async fn root(
    connection: &impl ConnectionTrait,
    project: ProjectId,
    lead: Lead,
) -> Result<Lead> {
    let mut root = lead;
    for _ in 0..=DEEPEST {
        match root.merged_into {
            Some(next) => root = numbered(connection, project, next).await?,
            None => return Ok(root),
        }
    }
    Err(Error::internal("leads are merged in a circle"))
}

/// Makes a lead with names that nobody has.
pub(super) async fn make(
    tx: &Tx,
    project: ProjectId,
    names: &[Name],
    source: &str,
    now: i64,
) -> Result<Lead> {
    let of = |kind| names.iter().find(|name| name.kind == kind);
    let external = of(NameKind::Id).map(|name| name.text.clone());
    let fresh = || format!("lead_{}", Uuid::now_v7().simple());
    let id = external.clone().unwrap_or_else(fresh);
    let email = of(NameKind::Email).map(|name| name.text.clone());
    let sql = "INSERT INTO growth_lead (id, project, email, external, source, created_at, \
               updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6) RETURNING number";
    let values: [Value; 6] = [
        id.as_str().into(),
        project.into(),
        email.clone().into(),
        external.clone().into(),
        source.into(),
        now.into(),
    ];
    let made = row(tx, sql, values).await?;
    let made = made.ok_or_else(|| Error::internal("a lead without a number"))?;
    let number = made.try_get("", "number")?;
    if external.is_none() {
        name(tx, project, number, &id).await?;
    }
    for own in names {
        name(tx, project, number, &own.text).await?;
    }
    Ok(Lead {
        number,
        id,
        email,
        external,
        traits: Map::new(),
        source: source.to_owned(),
        merged_into: None,
        created_at: now,
        updated_at: now,
    })
}

/// Gives a lead a name that nobody has.
pub(super) async fn adopt(tx: &Tx, project: ProjectId, lead: &mut Lead, own: &Name) -> Result<()> {
    name(tx, project, lead.number, &own.text).await?;
    let first = match own.kind {
        NameKind::Email => &mut lead.email,
        NameKind::Id => &mut lead.external,
    };
    // Further ones are names, and nothing more.
    first.get_or_insert_with(|| own.text.clone());
    Ok(())
}

async fn name(tx: &Tx, project: ProjectId, lead: i64, text: &str) -> Result<()> {
    let sql = "INSERT INTO growth_lead_name (project, name, lead) VALUES ($1, $2, $3)";
    execute(tx, sql, [project.into(), text.into(), lead.into()]).await?;
    Ok(())
}

/// Writes down what changed of a lead.
pub(super) async fn save(tx: &Tx, project: ProjectId, lead: &Lead) -> Result<()> {
    let sql = "UPDATE growth_lead SET email = $1, external = $2, traits = $3, updated_at = $4 \
               WHERE project = $5 AND number = $6";
    let values: [Value; 6] = [
        lead.email.clone().into(),
        lead.external.clone().into(),
        lead.kept_traits().into(),
        lead.updated_at.into(),
        project.into(),
        lead.number.into(),
    ];
    execute(tx, sql, values).await?;
    Ok(())
}
