//! Conversion goals, as they are kept.

use sea_orm::{ConnectionTrait, QueryResult, Value};
use uuid::Uuid;

use super::{ConversionGoal, TYPES};
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::db::Tx;
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Result};

/// Conversion goals of a project at the most.
const MOST: i64 = 100;

const COLUMNS: &str = "id, name, kind, form_selector, url_pattern, selector, event_name, \
                       is_primary, value, created_at";

fn read(row: &QueryResult) -> Result<ConversionGoal> {
    let word: String = row.try_get("", "kind")?;
    let kind = TYPES.iter().find(|(.., own)| *own == word);
    let (_, kind, _) = kind.ok_or_else(|| Error::internal("a conversion goal of no type"))?;
    Ok(ConversionGoal {
        id: row.try_get("", "id")?,
        name: row.try_get("", "name")?,
        kind: *kind,
        form_selector: row.try_get("", "form_selector")?,
        url_pattern: row.try_get("", "url_pattern")?,
        selector: row.try_get("", "selector")?,
        event_name: row.try_get("", "event_name")?,
        is_primary: row.try_get::<i16>("", "is_primary")? == 1,
        value: row.try_get("", "value")?,
        created_at: row.try_get("", "created_at")?,
    })
}

/// What a project defines, oldest first.
pub(in super::super) async fn list(
    connection: &impl ConnectionTrait,
    project: ProjectId,
) -> Result<Vec<ConversionGoal>> {
    let sql =
        format!("SELECT {COLUMNS} FROM growth_conversion_goal WHERE project = $1 ORDER BY number");
    let found = rows(connection, &sql, [project.into()]).await?;
    found.iter().map(read).collect()
}

async fn find(tx: &Tx, project: ProjectId, id: &str) -> Result<ConversionGoal> {
    let sql =
        format!("SELECT {COLUMNS} FROM growth_conversion_goal WHERE project = $1 AND id = $2");
    let found = row(tx, &sql, [project.into(), id.into()]).await?;
    let unknown = || Error::not_found("Conversion goal not found");
    read(&found.ok_or_else(unknown)?)
}

/// Defines one.
pub(in super::super) async fn create(
    tx: &Tx,
    project: ProjectId,
    request: pb::CreateConversionGoalRequest,
    now: i64,
) -> Result<pb::ConversionGoal> {
    let kind = TYPES
        .iter()
        .find(|(number, ..)| i32::from(*number) == request.r#type);
    let (_, kind, _) = kind.ok_or_else(|| {
        let words = "type must be one of form_submit, page_visit, click, custom_event";
        Error::invalid_field("type", words)
    })?;
    let sql = "SELECT COUNT(*) AS n FROM growth_conversion_goal WHERE project = $1";
    if let Some(found) = row(tx, sql, [project.into()]).await?
        && found.try_get::<i64>("", "n")? >= MOST
    {
        let words = format!("A project has at most {MOST} conversion goals");
        return Err(Error::invalid(words));
    }
    let new = ConversionGoal {
        id: format!("cg_{}", Uuid::now_v7().simple()),
        name: request.name,
        kind: *kind,
        form_selector: request.form_selector,
        url_pattern: request.url_pattern,
        selector: request.selector,
        event_name: request.event_name,
        is_primary: request.is_primary,
        value: finite(request.value)?,
        created_at: now,
    };
    let new = new.checked()?;
    if new.is_primary {
        demote(tx, project).await?;
    }
    let sql = "INSERT INTO growth_conversion_goal (project, id, name, kind, form_selector, \
               url_pattern, selector, event_name, is_primary, value, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let values: [Value; 11] = [
        project.into(),
        new.id.as_str().into(),
        new.name.as_str().into(),
        new.word().into(),
        new.form_selector.as_str().into(),
        new.url_pattern.as_str().into(),
        new.selector.as_str().into(),
        new.event_name.as_str().into(),
        i16::from(new.is_primary).into(),
        new.value.into(),
        now.into(),
    ];
    execute(tx, sql, values).await?;
    Ok(new.message())
}

/// Changes one.
pub(in super::super) async fn update(
    tx: &Tx,
    project: ProjectId,
    request: pb::UpdateConversionGoalRequest,
) -> Result<pb::ConversionGoal> {
    let mut goal = find(tx, project, &request.id).await?;
    for path in request.update_mask.unwrap_or_default().paths {
        match path.as_str() {
            "name" => goal.name.clone_from(&request.name),
            "form_selector" => goal.form_selector.clone_from(&request.form_selector),
            "url_pattern" => goal.url_pattern.clone_from(&request.url_pattern),
            "selector" => goal.selector.clone_from(&request.selector),
            "event_name" => goal.event_name.clone_from(&request.event_name),
            "is_primary" => goal.is_primary = request.is_primary,
            "value" => goal.value = finite(request.value)?,
            _ => {}
        }
    }
    let goal = goal.checked()?;
    if goal.is_primary {
        demote(tx, project).await?;
    }
    let sql = "UPDATE growth_conversion_goal SET name = $1, form_selector = $2, url_pattern = $3, \
               selector = $4, event_name = $5, is_primary = $6, value = $7 \
               WHERE project = $8 AND id = $9";
    let values: [Value; 9] = [
        goal.name.as_str().into(),
        goal.form_selector.as_str().into(),
        goal.url_pattern.as_str().into(),
        goal.selector.as_str().into(),
        goal.event_name.as_str().into(),
        i16::from(goal.is_primary).into(),
        goal.value.into(),
        project.into(),
        goal.id.as_str().into(),
    ];
    execute(tx, sql, values).await?;
    Ok(goal.message())
}

/// Removes one.
pub(in super::super) async fn delete(tx: &Tx, project: ProjectId, id: &str) -> Result<()> {
    let goal = find(tx, project, id).await?;
    let sql = "DELETE FROM growth_conversion_goal WHERE project = $1 AND id = $2";
    execute(tx, sql, [project.into(), goal.id.into()]).await?;
    Ok(())
}

/// No goal is the primary one.
async fn demote(tx: &Tx, project: ProjectId) -> Result<()> {
    let sql = "UPDATE growth_conversion_goal SET is_primary = 0 \
               WHERE project = $1 AND is_primary = 1";
    execute(tx, sql, [project.into()]).await?;
    Ok(())
}

fn finite(value: Option<f64>) -> Result<Option<f64>> {
    match value {
        Some(value) if !value.is_finite() => {
            Err(Error::invalid_field("value", "value must be a number"))
        }
        value => Ok(value),
    }
}
