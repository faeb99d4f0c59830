//! Pipelines and their stages, as the records that stand in them ask for them.

use sea_orm::Value;

use super::super::resource::Context;
use super::super::store::missing;
use crate::db::Tx;
use crate::db::sql::row;
use crate::error::{Error, Result};

/// The pipeline a stage is of.
pub(super) async fn pipeline_of(tx: &Tx, context: &Context, stage: i64) -> Result<i64> {
    let sql = "SELECT pipeline_id FROM crm_pipeline_stage \
               WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL";
    let found = row(tx, sql, of(context, stage)).await?;
    let found = found.ok_or_else(|| missing(stage))?;
    Ok(found.try_get_by_index(0)?)
}

/// What a pipeline is for: `deal` or `conversation`.
pub(super) async fn purpose(tx: &Tx, context: &Context, pipeline: i64) -> Result<String> {
    let sql = "SELECT type FROM crm_pipeline \
               WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL";
    let found = row(tx, sql, of(context, pipeline)).await?;
    let found = found.ok_or_else(|| missing(pipeline))?;
    Ok(found.try_get_by_index(0)?)
}

/// The stage a pipeline begins with.
pub(super) async fn first(tx: &Tx, context: &Context, pipeline: i64) -> Result<i64> {
    purpose(tx, context, pipeline).await?;
    let sql = "SELECT id FROM crm_pipeline_stage \
               WHERE organization_id = $1 AND pipeline_id = $2 AND deleted_at IS NULL \
               ORDER BY position, id LIMIT 1";
    match row(tx, sql, of(context, pipeline)).await? {
        Some(row) => Ok(row.try_get_by_index(0)?),
        None => Err(Error::invalid_field(
            "pipeline_id",
            "The pipeline has no stages",
        )),
    }
}

/// A stage was named together with a pipeline it is not of.
pub(super) fn apart() -> Error {
    Error::invalid_field(
        "pipeline_stage_id",
        "pipeline_stage_id is no stage of the pipeline",
    )
}

fn of(context: &Context, id: i64) -> [Value; 2] {
    [context.organization.into(), id.into()]
}
