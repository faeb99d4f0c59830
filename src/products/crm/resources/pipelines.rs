//! Pipelines. A new one begins with the usual stages.

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::query::Takes;
use super::super::resource::{Context, Resource};
use super::super::serve::serve;
use super::super::store;
use super::PIPELINES;
use super::pipeline_stages::PipelineStages;
use super::users::USERS;
use crate::api::PipelineService;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::error::Result;

/// The stages of a new pipeline.
const STAGES: [&str; 3] = ["Qualification", "Proposal", "Negotiation"];

record! {
    Pipeline {
        id: Column::id(),
        name: Column::text().needed(),
        organization_id: Column::organization(),
        r#type: Column::of(Kind::Word(&["deal", "conversation"])).needed().once(),
        position: Column::of(Kind::Integer).needed(),
        created_by_user_id: Column::to(USERS).server(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    }
}

pub(super) struct Pipelines;

impl Resource for Pipelines {
    type Record = pb::Pipeline;
    const SOURCE: Source = PIPELINES;
    const NAME: &'static str = "pipelines";
    const TAKES: Takes = Takes::SEARCH;

    async fn prepare(
        _: &Tx,
        _: &Context,
        new: &mut pb::Pipeline,
        _: Option<&pb::Pipeline>,
    ) -> Result<()> {
        new.r#type.get_or_insert_with(|| "deal".to_owned());
        new.position.get_or_insert(0);
        Ok(())
    }

    async fn made(tx: &Tx, context: &Context, new: &pb::Pipeline) -> Result<()> {
        let stage = |(at, name): (usize, &&str)| pb::PipelineStage {
            name: Some((*name).to_owned()),
            pipeline_id: Some(new.id),
            position: Some(at as i64),
            ..Default::default()
        };
        let stages = STAGES.iter().enumerate().map(stage).collect();
        store::create::<PipelineStages>(tx, context, stages).await?;
        Ok(())
    }
}

impl PipelineService for Crm {
    serve!(list Pipelines: list_pipelines(ListPipelinesRequest) -> ListPipelinesResponse);
    serve!(get Pipelines: get_pipeline(GetPipelineRequest) -> GetPipelineResponse.pipeline);
    serve!(create Pipelines: create_pipelines(CreatePipelinesRequest) -> CreatePipelinesResponse.pipelines);
    serve!(update Pipelines: update_pipeline(UpdatePipelineRequest) -> UpdatePipelineResponse.pipeline);
    serve!(replace Pipelines: replace_pipeline(ReplacePipelineRequest) -> ReplacePipelineResponse.pipeline);
    serve!(delete Pipelines: delete_pipeline(DeletePipelineRequest) -> DeletePipelineResponse.pipeline);
    serve!(restore Pipelines: restore_pipeline(RestorePipelineRequest) -> RestorePipelineResponse.pipeline);
}
