//! Where conversations stand in pipelines of their own.

use super::super::super::resource::Context;
use super::super::stages::{self, Standing};
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::error::Result;

/// Where conversations stand.
const CONVERSATIONS: Standing = Standing("conversation");

/// A stage takes the conversation along to its pipeline, a pipeline to its first stage.
/// What has no stage has no pipeline either.
pub(super) async fn settle(
    tx: &Tx,
    context: &Context,
    new: &mut pb::Conversation,
    old: Option<&pb::Conversation>,
) -> Result<()> {
    let before = old.map_or((None, None), |old| (old.pipeline_id, old.pipeline_stage_id));
    let to_pipeline = before.0 != new.pipeline_id;
    let to_stage = before.1 != new.pipeline_stage_id;
    match (new.pipeline_id, new.pipeline_stage_id) {
        (_, Some(stage)) if to_stage => {
            let pipeline = CONVERSATIONS.pipeline(tx, context, stage).await?;
            if to_pipeline && new.pipeline_id.is_some_and(|named| named != pipeline) {
                return Err(stages::apart());
            }
            new.pipeline_id = Some(pipeline);
        }
        (Some(pipeline), _) if to_pipeline => {
            new.pipeline_stage_id = Some(CONVERSATIONS.first(tx, context, pipeline).await?);
        }
        _ if to_pipeline || to_stage => {
            (new.pipeline_id, new.pipeline_stage_id) = (None, None);
        }
        _ => {}
    }
    Ok(())
}
