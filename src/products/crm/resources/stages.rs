//! Pipelines and their stages, as the records that stand in them ask for them.

use sea_orm::Value;

use super::super::resource::Context;
use super::super::store::missing;
use crate::db::Tx;
use crate::db::sql::row;
use crate::error::{Error, Result};

/// What stands in a pipeline, as that one's `type` says it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing(pub(super) &'static str);

impl Standing {
    /// The pipeline a stage is of.
    pub(super) async fn pipeline(self, tx: &Tx, context: &Context, stage: i64) -> Result<i64> {
        let sql = "SELECT pipeline_id FROM crm_pipeline_stage \
                   WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL";
        let found = row(tx, sql, of(context, stage)).await?;
        let found = found.ok_or_else(|| missing(stage))?;
        let pipeline = found.try_get_by_index(0)?;
        self.check(tx, context, pipeline).await?;
        Ok(pipeline)
    }

    /// The stage a pipeline begins with.
    pub(super) async fn first(self, tx: &Tx, context: &Context, pipeline: i64) -> Result<i64> {
        self.check(tx, context, pipeline).await?;
        let sql = "SELECT id FROM crm_pipeline_stage \
                   WHERE organization_id = $1 AND pipeline_id = $2 AND deleted_at IS NULL \
                   ORDER BY position, id LIMIT 1";
        let none = || Error::invalid_field("pipeline_id", "The pipeline has no stages");
        let found = row(tx, sql, of(context, pipeline)).await?;
        Ok(found.ok_or_else(none)?.try_get_by_index(0)?)
    }

    /// Refuses a pipeline of something else.
    async fn check(self, tx: &Tx, context: &Context, pipeline: i64) -> Result<()> {
        let sql = "SELECT type FROM crm_pipeline \
                   WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL";
        let found = row(tx, sql, of(context, pipeline)).await?;
        let found = found.ok_or_else(|| missing(pipeline))?;
        let kind: String = found.try_get_by_index(0)?;
        if kind == self.0 {
            return Ok(());
        }
        let words = format!("pipeline_id is no pipeline of {}s", self.0);
        Err(Error::invalid_field("pipeline_id", words))
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
