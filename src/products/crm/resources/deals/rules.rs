//! The rules of deals: pipelines and stages belong together, and who wins or loses is
//! stamped.

use sea_orm::Value;

use super::super::super::resource::Context;
use super::super::super::store::missing;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::db::sql::row;
use crate::error::{Error, Result};
use crate::products::timestamp;

/// The currency of deals that name none.
const CURRENCY: &str = "USD";

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
        new.pipeline_stage_id = Some(first_stage(tx, context, pipeline).await?);
        return Ok(());
    };
    let sql = "SELECT pipeline_id FROM crm_pipeline_stage \
               WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL";
    let found = row(tx, sql, of(context, stage)).await?;
    let found = found.ok_or_else(|| missing(stage))?;
    let pipeline: i64 = found.try_get_by_index(0)?;
    match new.pipeline_id {
        Some(named) if to_pipeline && named != pipeline => Err(Error::invalid_field(
            "pipeline_stage_id",
            "pipeline_stage_id is no stage of the pipeline",
        )),
        _ => {
            new.pipeline_id = Some(pipeline);
            Ok(())
        }
    }
}

async fn first_stage(tx: &Tx, context: &Context, pipeline: i64) -> Result<i64> {
    let known = "SELECT 1 AS one FROM crm_pipeline \
                 WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL";
    if row(tx, known, of(context, pipeline)).await?.is_none() {
        return Err(missing(pipeline));
    }
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

fn of(context: &Context, id: i64) -> [Value; 2] {
    [context.organization.into(), id.into()]
}
