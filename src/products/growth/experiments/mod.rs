//! Experiments: what they are, who sees which variant, and where that is told.

mod bandit;
mod buckets;
mod condition;
mod decide;
mod flags;
mod growthbook;
mod live;
mod news;
mod plan;
mod results;
mod rules;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod upkeep;

use futures_util::future::BoxFuture;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, ETAG};
use prost::Message;
use serde_json::{Map, Value, json};

use super::goals::{ConversionGoal, Conversions};
use super::{Growth, analyze};
use crate::api::ExperimentService;
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::clock::DAY;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::events::Traffic;
use crate::server::{Call, Reply};

pub(super) use live::Live;
use plan::Plan;

/// How long what pages get may be kept.
const FRESH: HeaderValue = HeaderValue::from_static("public, max-age=60");

impl ExperimentService for Growth {
    async fn list_experiments(
        &self,
        call: Call,
        request: pb::ListExperimentsRequest,
    ) -> Result<Reply<pb::ListExperimentsResponse>> {
        let project = call.project_id()?;
        let status = match request.status.as_str() {
            "" => None,
            word => Some(state::of(word)?),
        };
        let limit = request.limit.map_or(store::MOST, i64::from);
        let read = self.0.db.read(call.deadline()).await?;
        let experiments = store::list(&read, project, status, &request.cursor, limit).await?;
        Ok(pb::ListExperimentsResponse { experiments }.into())
    }

    async fn create_experiment(
        &self,
        call: Call,
        request: pb::CreateExperimentRequest,
    ) -> Result<Reply<pb::CreateExperimentResponse>> {
        let project = call.project_id()?;
        let now = self.0.clock.micros();
        let created = self.change_experiments(&call, project, move |tx| {
            Box::pin(async move {
                let mut request = request;
                define(tx, project, &mut request.goal).await?;
                let experiment = rules::created(request, now)?;
                store::insert(tx, project, &experiment).await?;
                let experiment = Some(experiment);
                Ok(pb::CreateExperimentResponse { experiment })
            })
        });
        Ok(created.await?.into())
    }

    async fn update_experiment(
        &self,
        call: Call,
        request: pb::UpdateExperimentRequest,
    ) -> Result<Reply<pb::UpdateExperimentResponse>> {
        let project = call.project_id()?;
        let is_back = request.status == state::DRAFT;
        let seen = is_back && self.was_seen(&call, &request.id).await?;
        let now = self.0.clock.micros();
        let updated = self.change_experiments(&call, project, move |tx| {
            Box::pin(async move {
                let mut request = request;
                let before = store::find(tx, project, &request.id).await?;
                // One that stays is what it was made.
                if request.goal != before.goal {
                    define(tx, project, &mut request.goal).await?;
                }
                let experiment = rules::changed(&before, request, seen, now)?;
                store::save(tx, project, &experiment).await?;
                news::tell(tx, project, &before.status, &experiment, now).await?;
                let experiment = Some(experiment);
                Ok(pb::UpdateExperimentResponse { experiment })
            })
        });
        Ok(updated.await?.into())
    }

    async fn delete_experiment(
        &self,
        call: Call,
        request: pb::DeleteExperimentRequest,
    ) -> Result<Reply<pb::DeleteExperimentResponse>> {
        let project = call.project_id()?;
        let deleted = self.change_experiments(&call, project, move |tx| {
            Box::pin(async move {
                store::delete(tx, project, &request.id).await?;
                Ok(pb::DeleteExperimentResponse { success: true })
            })
        });
        Ok(deleted.await?.into())
    }

    async fn list_active_experiments(
        &self,
        call: Call,
        _: pb::ListActiveExperimentsRequest,
    ) -> Result<Reply<pb::ListActiveExperimentsResponse>> {
        let running = self.0.live.of(call.project_id()?).await?;
        let reply = Reply::from(running.answer.clone());
        let reply = reply.header(ETAG, running.tag.clone());
        Ok(reply.header(CACHE_CONTROL, FRESH))
    }

    async fn assign_experiments(
        &self,
        call: Call,
        request: pb::AssignExperimentsRequest,
    ) -> Result<Reply<pb::AssignExperimentsResponse>> {
        let project = call.project_id()?;
        let visitor = request.visitor_id.as_str();
        let given = request.attributes.as_deref();
        let given = given.and_then(|text| serde_json::from_str(text).ok());
        let attributes = attributes(given.unwrap_or_default(), visitor);
        let assign = |plan: &Plan| plan.assignment(plan.seen_by(visitor, &attributes));
        let running = self.0.live.of(project).await?;
        if request.experiment_ids.is_empty() {
            let assignments = running.plans.iter().map(assign).collect();
            return Ok(pb::AssignExperimentsResponse { assignments }.into());
        }
        let mut assignments = Vec::with_capacity(request.experiment_ids.len());
        for id in &request.experiment_ids {
            let known = running.plans.iter().find(|plan| plan.id == *id);
            assignments.push(match known {
                Some(plan) => assign(plan),
                None => {
                    let read = self.0.db.read(call.deadline()).await?;
                    assign(&Plan::new(&store::find(&read, project, id).await?))
                }
            });
        }
        Ok(pb::AssignExperimentsResponse { assignments }.into())
    }

    async fn analyze_experiment(
        &self,
        _: Call,
        request: pb::AnalyzeExperimentRequest,
    ) -> Result<Reply<pb::AnalyzeExperimentResponse>> {
        analyze::analyze(&request).map(Reply::from)
    }
}

impl Growth {
    /// Changes experiments of a project, once for a request that is repeated. Every
    /// node learns of it.
    async fn change_experiments<T, F>(&self, call: &Call, project: ProjectId, work: F) -> Result<T>
    where
        T: Message + Default + Send + 'static,
        F: for<'t> FnOnce(&'t Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let changed = self.0.db.answer(call.attempt(), move |tx| {
            Box::pin(async move {
                live::changed(tx, project).await?;
                work(tx).await
            })
        });
        let answer = changed.await?;
        self.0.live.forget([project]);
        Ok(answer)
    }

    /// Whether any visitor has seen an experiment.
    async fn was_seen(&self, call: &Call, id: &str) -> Result<bool> {
        let project = call.project()?;
        // Clocks of senders may be a day ahead.
        let ever = (0, self.0.clock.micros().saturating_add(DAY));
        let events = &self.0.events;
        let seen = events.exposures(&project, id, ever, Traffic::ALL, call.deadline());
        Ok(!seen.await?.first.is_empty())
    }
}

/// Makes a goal that names a conversion goal of the project what that one is.
async fn define(tx: &Tx, project: ProjectId, goal: &mut Option<pb::ExperimentGoal>) -> Result<()> {
    let named = goal
        .as_mut()
        .filter(|own| !own.conversion_goal_id().is_empty());
    let Some(goal) = named else {
        return Ok(());
    };
    let Conversions { goals } = Conversions::of(tx, project).await?;
    let mut known = goals.iter().map(ConversionGoal::of_experiment);
    let known = known.find(|own| own.conversion_goal_id == goal.conversion_goal_id);
    *goal = known.ok_or_else(|| Error::not_found("Conversion goal not found"))?;
    Ok(())
}

/// What is known of a visitor, who has an id if nothing else.
fn attributes(mut given: Map<String, Value>, visitor: &str) -> Value {
    given.entry("id").or_insert_with(|| json!(visitor));
    Value::Object(given)
}
