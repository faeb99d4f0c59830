//! Goals: what a team wants to reach, and which events count as conversions.

mod conversions;
mod goal;
mod metric;
mod watch;

use super::Growth;
use crate::api::apex::growth::v1 as pb;
use crate::api::{ConversionGoalService, GoalService};
use crate::error::Result;
use crate::server::{Call, Reply};

pub(super) use conversions::{ConversionGoal, Conversions};
pub(super) use watch::watch;

use goal::Goal;
use metric::Metric;

impl GoalService for Growth {
    async fn list_goals(
        &self,
        call: Call,
        _: pb::ListGoalsRequest,
    ) -> Result<Reply<pb::ListGoalsResponse>> {
        let project = call.project_id()?;
        let read = self.db().read(call.deadline()).await?;
        let found = goal::list(&read, project).await?;
        drop(read);
        let mut goals = Vec::with_capacity(found.len());
        for goal in &found {
            goals.push(self.standing(&call, goal).await?);
        }
        Ok(pb::ListGoalsResponse { goals }.into())
    }

    async fn create_goal(
        &self,
        call: Call,
        request: pb::CreateGoalRequest,
    ) -> Result<Reply<pb::CreateGoalResponse>> {
        let (project, now) = (call.project_id()?, self.now());
        // Nothing was counted yet; what is kept for a repeat is what was answered.
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let goal = goal::create(tx, project, request, now).await?;
                let goal = Some(goal.message(goal.current.unwrap_or_default(), now));
                Ok(pb::CreateGoalResponse { goal })
            })
        });
        let mut answer = answer.await?;
        answer.goal = self.counted(&call, answer.goal).await?;
        Ok(answer.into())
    }

    async fn update_goal(
        &self,
        call: Call,
        request: pb::UpdateGoalRequest,
    ) -> Result<Reply<pb::UpdateGoalResponse>> {
        let (project, now) = (call.project_id()?, self.now());
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let goal = goal::update(tx, project, request, now).await?;
                let goal = Some(goal.message(goal.current.unwrap_or_default(), now));
                Ok(pb::UpdateGoalResponse { goal })
            })
        });
        let mut answer = answer.await?;
        answer.goal = self.counted(&call, answer.goal).await?;
        Ok(answer.into())
    }

    async fn delete_goal(
        &self,
        call: Call,
        request: pb::DeleteGoalRequest,
    ) -> Result<Reply<pb::DeleteGoalResponse>> {
        let project = call.project_id()?;
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                goal::delete(tx, project, &request.id).await?;
                Ok(pb::DeleteGoalResponse { success: true })
            })
        });
        Ok(answer.await?.into())
    }
}

impl Growth {
    /// A goal with what is counted now.
    async fn standing(&self, call: &Call, goal: &Goal) -> Result<pb::Goal> {
        let now = self.now();
        let current = match (goal.current, Metric::of(&goal.metric)) {
            (Some(current), _) => current,
            (None, None) => 0.0,
            (None, Some(metric)) => {
                let project = call.project()?;
                let from = (self.db(), self.events());
                metric.count(from, &project, goal, now).await?
            }
        };
        Ok(goal.message(current, now))
    }

    /// The same of one that was written just now.
    async fn counted(&self, call: &Call, goal: Option<pb::Goal>) -> Result<Option<pb::Goal>> {
        let Some(written) = goal else {
            return Ok(None);
        };
        if Metric::of(&written.metric).is_none() {
            return Ok(Some(written));
        }
        let read = self.db().read(call.deadline()).await?;
        let goal = goal::find(&read, call.project_id()?, &written.id).await?;
        drop(read);
        self.standing(call, &goal).await.map(Some)
    }
}

impl ConversionGoalService for Growth {
    async fn list_conversion_goals(
        &self,
        call: Call,
        _: pb::ListConversionGoalsRequest,
    ) -> Result<Reply<pb::ListConversionGoalsResponse>> {
        let project = call.project_id()?;
        let read = self.db().read(call.deadline()).await?;
        let found = conversions::list(&read, project).await?;
        let conversion_goals = found.iter().map(ConversionGoal::message).collect();
        Ok(pb::ListConversionGoalsResponse { conversion_goals }.into())
    }

    async fn create_conversion_goal(
        &self,
        call: Call,
        request: pb::CreateConversionGoalRequest,
    ) -> Result<Reply<pb::CreateConversionGoalResponse>> {
        let (project, now) = (call.project_id()?, self.now());
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let goal = conversions::create(tx, project, request, now).await?;
                let conversion_goal = Some(goal);
                Ok(pb::CreateConversionGoalResponse { conversion_goal })
            })
        });
        Ok(answer.await?.into())
    }

    async fn update_conversion_goal(
        &self,
        call: Call,
        request: pb::UpdateConversionGoalRequest,
    ) -> Result<Reply<pb::UpdateConversionGoalResponse>> {
        let project = call.project_id()?;
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let goal = conversions::update(tx, project, request).await?;
                let conversion_goal = Some(goal);
                Ok(pb::UpdateConversionGoalResponse { conversion_goal })
            })
        });
        Ok(answer.await?.into())
    }

    async fn delete_conversion_goal(
        &self,
        call: Call,
        request: pb::DeleteConversionGoalRequest,
    ) -> Result<Reply<pb::DeleteConversionGoalResponse>> {
        let project = call.project_id()?;
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                conversions::delete(tx, project, &request.id).await?;
                Ok(pb::DeleteConversionGoalResponse { success: true })
            })
        });
        Ok(answer.await?.into())
    }
}
