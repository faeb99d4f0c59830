//! The stages of pipelines. A stage stays in its pipeline.

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::resource::{Context, Resource};
use super::super::serve::serve;
use super::users::USERS;
use super::{PIPELINES, STAGES};
use crate::api::PipelineStageService;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::db::sql::row;
use crate::error::Result;

record! {
    PipelineStage {
        id: Column::id(),
        name: Column::text().needed(),
        organization_id: Column::organization(),
        pipeline_id: Column::to(PIPELINES).needed().once(),
        position: Column::of(Kind::Integer).needed(),
        created_by_user_id: Column::to(USERS).server(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    }
}

pub(super) struct PipelineStages;

impl Resource for PipelineStages {
    type Record = pb::PipelineStage;
    const SOURCE: Source = STAGES;
    const NAME: &'static str = "pipeline-stages";

    /// A stage without a place is the last of its pipeline.
    async fn prepare(
        tx: &Tx,
        context: &Context,
        new: &mut pb::PipelineStage,
        _: Option<&pb::PipelineStage>,
    ) -> Result<()> {
        if new.position.is_none() {
            let sql = "SELECT MAX(position) AS last FROM crm_pipeline_stage \
                       WHERE organization_id = $1 AND pipeline_id = $2 AND deleted_at IS NULL";
            let values = [context.organization.into(), new.pipeline_id.into()];
            let found = row(tx, sql, values).await?;
            let last: Option<Option<i64>> = found.map(|row| row.try_get("", "last")).transpose()?;
            let next = last.flatten().map_or(0, |last| last.saturating_add(1));
            new.position = Some(next);
        }
        Ok(())
    }
}

impl PipelineStageService for Crm {
    serve!(list PipelineStages: list_pipeline_stages(ListPipelineStagesRequest) -> ListPipelineStagesResponse);
    serve!(get PipelineStages: get_pipeline_stage(GetPipelineStageRequest) -> GetPipelineStageResponse.pipeline_stage);
    serve!(create PipelineStages: create_pipeline_stages(CreatePipelineStagesRequest) -> CreatePipelineStagesResponse.pipeline_stages);
    serve!(update PipelineStages: update_pipeline_stage(UpdatePipelineStageRequest) -> UpdatePipelineStageResponse.pipeline_stage);
    serve!(replace PipelineStages: replace_pipeline_stage(ReplacePipelineStageRequest) -> ReplacePipelineStageResponse.pipeline_stage);
    serve!(delete PipelineStages: delete_pipeline_stage(DeletePipelineStageRequest) -> DeletePipelineStageResponse.pipeline_stage);
    serve!(restore PipelineStages: restore_pipeline_stage(RestorePipelineStageRequest) -> RestorePipelineStageResponse.pipeline_stage);
}
