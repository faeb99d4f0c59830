//! What webhooks are told of experiments.

use prost_types::Timestamp;
use serde_json::{Value, json};

use super::state;
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::db::Tx;
use crate::error::Result;
use crate::products::growth::webhooks::{Kind, publish};
use crate::transcode::json::time::put_timestamp;

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
    publish(tx, project, kind, &data(experiment), now).await
}

/// Tells that what an experiment shows is beyond doubt: who is the winner.
pub(super) async fn tell_winner(
    tx: &Tx,
    project: ProjectId,
    experiment: &pb::Experiment,
    winner: &str,
    now: i64,
) -> Result<()> {
    let mut data = data(experiment);
    data["winner"] = json!(winner);
    publish(tx, project, Kind::ExperimentCompleted, &data, now).await
}

fn data(experiment: &pb::Experiment) -> Value {
    let time = |time: &Option<Timestamp>| time.as_ref().and_then(text);
    json!({
        "id": experiment.id,
        "name": experiment.name,
        "targetUrl": experiment.target_url,
        "status": experiment.status,
        "startedAt": time(&experiment.started_at),
        "decidedAt": time(&experiment.decided_at),
        "completedAt": time(&experiment.completed_at),
    })
}

/// A time as answers have it.
fn text(time: &Timestamp) -> Option<Value> {
    let mut text = Vec::new();
    put_timestamp(&mut text, time.seconds, time.nanos)?;
    serde_json::from_slice(&text).ok()
}
