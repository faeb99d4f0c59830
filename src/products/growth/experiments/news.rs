//! What webhooks are told of experiments.

use jiff::Timestamp;
use prost_types::Timestamp as Time;
use serde_json::json;

use super::state;
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::db::Tx;
use crate::error::Result;
use crate::products::growth::webhooks::{Kind, publish};
use crate::products::micros;

/// Tells that an experiment came out of one state into the one it is in, in the
/// transaction that brought it there.
pub(super) async fn tell(
    tx: &Tx,
    project: ProjectId,
    before: &str,
    experiment: &pb::Experiment,
    now: i64,
) -> Result<()> {
    let kind = match experiment.status.as_str() {
        same if same == before => return Ok(()),
        state::RUNNING => Kind::ExperimentStarted,
        state::COMPLETED => Kind::ExperimentCompleted,
        _ => return Ok(()),
    };
    let data = json!({
        "id": experiment.id,
        "name": experiment.name,
        "targetUrl": experiment.target_url,
        "status": experiment.status,
        "startedAt": experiment.started_at.as_ref().and_then(text),
        "completedAt": experiment.completed_at.as_ref().and_then(text),
    });
    publish(tx, project, kind, &data, now).await
}

fn text(time: &Time) -> Option<String> {
    let time = Timestamp::from_microsecond(micros(time)?).ok()?;
    Some(time.to_string())
}
