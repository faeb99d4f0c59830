//! The rules of deals: pipelines and stages belong together, and who wins or loses is
//! stamped.

use super::super::super::resource::Context;
use super::super::stages::{self, Standing};
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::products::timestamp;

/// The currency of deals that name none.
const CURRENCY: &str = "USD";

/// Where deals stand.
const DEALS: Standing = Standing("deal");

/// A currency is one by ISO 4217, in capitals.
pub(super) fn currency(new: &mut pb::Deal) -> Result<()> {
    let currency = new.currency.get_or_insert_with(|| CURRENCY.to_owned());
    match iso_currency::Currency::from_code(currency) {
        Some(_) => Ok(()),
        None => Err(Error::invalid_field(
            "currency",
            "currency must be a code of ISO 4217 such as USD",
        )),
    }
}

/// A deal that is won or lost is stamped, once; an open one is neither.
pub(super) fn outcome(context: &Context, new: &mut pb::Deal, old: Option<&pb::Deal>) {
    let status = new.status.get_or_insert_with(|| "open".to_owned());
    if old.is_some_and(|old| old.status.as_ref() == Some(status)) {
        return;
    }
    let now = Some(timestamp(context.now));
    (new.won_date, new.lost_date) = match status.as_str() {
        "won" => (now, None),
        "lost" => (None, now),
        _ => (None, None),
    };
}

/// A deal is in a stage of its pipeline: the first, if none is named; another stage takes
/// the deal along to its pipeline.
pub(super) async fn place(
    tx: &Tx,
    context: &Context,
    new: &mut pb::Deal,
    old: Option<&pb::Deal>,
) -> Result<()> {
    let to_pipeline = old.is_none_or(|old| old.pipeline_id != new.pipeline_id);
    let to_stage = old.is_none_or(|old| old.pipeline_stage_id != new.pipeline_stage_id);
    if !to_pipeline && !to_stage {
        return Ok(());
    }
    let Some(stage) = new.pipeline_stage_id.filter(|_| to_stage) else {
        let pipeline = new
            .pipeline_id
            .ok_or_else(|| Error::invalid_field("pipeline_id", "pipeline_id is required"))?;
        new.pipeline_stage_id = Some(DEALS.first(tx, context, pipeline).await?);
        return Ok(());
    };
    let pipeline = DEALS.pipeline(tx, context, stage).await?;
    if to_pipeline && new.pipeline_id.is_some_and(|named| named != pipeline) {
        return Err(stages::apart());
    }
    new.pipeline_id = Some(pipeline);
    Ok(())
}
