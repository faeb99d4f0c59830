//! Growth goals, as they are kept and as they stand.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use sea_orm::{ConnectionTrait, QueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::db::Tx;
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Result};
use crate::products::growth::webhooks::{Kind, publish};
use crate::products::timestamp;

/// Goals of a project at the most.
const MOST: i64 = 200;

/// Something to be reached.
#[derive(Debug, Clone)]
pub(super) struct Goal {
    pub(super) number: i64,
    pub(super) id: String,
    pub(super) project: ProjectId,
    pub(super) metric: String,
    target: f64,
    /// What somebody set; the server does not count then.
    pub(super) current: Option<f64>,
    pub(super) deadline: Date,
    description: Option<String>,
    pub(super) unit: Option<String>,
    /// What somebody set, whatever is counted.
    status: Option<pb::GoalStatus>,
    pub(super) reached_at: Option<i64>,
    pub(super) created_at: i64,
}

const STATUSES: [(pb::GoalStatus, &str); 4] = [
    (pb::GoalStatus::OnTrack, "on_track"),
    (pb::GoalStatus::AtRisk, "at_risk"),
    (pb::GoalStatus::Behind, "behind"),
    (pb::GoalStatus::Completed, "completed"),
];

const COLUMNS: &str = "number, id, project, metric, target, current, deadline, description, unit, \
                       status, reached_at, created_at";

impl Goal {
    fn of(row: &QueryResult) -> Result<Self> {
        let deadline: String = row.try_get("", "deadline")?;
        let status: Option<String> = row.try_get("", "status")?;
        let known = |word: &String| STATUSES.iter().find(|(_, own)| own == word);
        Ok(Self {
            number: row.try_get("", "number")?,
            id: row.try_get("", "id")?,
            project: ProjectId(row.try_get("", "project")?),
            metric: row.try_get("", "metric")?,
            target: row.try_get("", "target")?,
            current: row.try_get("", "current")?,
            deadline: deadline.parse().map_err(Error::internal)?,
            description: row.try_get("", "description")?,
            unit: row.try_get("", "unit")?,
            status: status.as_ref().and_then(known).map(|(status, _)| *status),
            reached_at: row.try_get("", "reached_at")?,
            created_at: row.try_get("", "created_at")?,
        })
    }

    /// Whether so much is enough.
    pub(super) fn is_reached(&self, current: f64) -> bool {
        current >= self.target
    }

    /// How it stands, in whole days: on its first day nothing is behind.
    fn status(&self, current: f64, now: i64) -> pb::GoalStatus {
        if let Some(status) = self.status {
            return status;
        }
        if self.reached_at.is_some() || self.is_reached(current) {
            return pb::GoalStatus::Completed;
        }
        let date = |at: i64| {
            let at = jiff::Timestamp::from_microsecond(at).unwrap_or_default();
            at.to_zoned(TimeZone::UTC).date()
        };
        let days = |from: Date, to: Date| from.until(to).map_or(0, |span| span.get_days());
        let first = date(self.created_at);
        let (past, all) = (days(first, date(now)), days(first, self.deadline));
        let elapsed = match all {
            1.. => (f64::from(past) / f64::from(all)).clamp(0.0, 1.0),
            _ => 1.0,
        };
        // Nothing is expected of a first day.
        let share = match elapsed > 0.0 {
            true => current / self.target / elapsed,
            false => 1.0,
        };
        match share {
            1.0.. => pb::GoalStatus::OnTrack,
            0.8.. => pb::GoalStatus::AtRisk,
            _ => pb::GoalStatus::Behind,
        }
    }

    /// As callers see it.
    pub(super) fn message(&self, current: f64, now: i64) -> pb::Goal {
        pb::Goal {
            id: self.id.clone(),
            metric: self.metric.clone(),
            target: self.target,
            current,
            deadline: self.deadline.to_string(),
            status: self.status(current, now).into(),
            created_at: Some(timestamp(self.created_at)),
            description: self.description.clone(),
            unit: self.unit.clone(),
        }
    }
}

/// The goals of a project, oldest first.
pub(super) async fn list(
    connection: &impl ConnectionTrait,
    project: ProjectId,
) -> Result<Vec<Goal>> {
    let sql = format!("SELECT {COLUMNS} FROM growth_goal WHERE project = $1 ORDER BY number");
    let found = rows(connection, &sql, [project.into()]).await?;
    found.iter().map(Goal::of).collect()
}

/// Goals of all projects that nobody reached and the server counts, after a number.
pub(super) async fn open(
    connection: &impl ConnectionTrait,
    after: i64,
    most: i64,
) -> Result<Vec<Goal>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM growth_goal WHERE reached_at IS NULL AND current IS NULL \
         AND number > $1 ORDER BY number LIMIT $2"
    );
    let found = rows(connection, &sql, [after.into(), most.into()]).await?;
    found.iter().map(Goal::of).collect()
}

pub(super) async fn find(
    connection: &impl ConnectionTrait,
    project: ProjectId,
    id: &str,
) -> Result<Goal> {
    let sql = format!("SELECT {COLUMNS} FROM growth_goal WHERE project = $1 AND id = $2");
    let found = row(connection, &sql, [project.into(), id.into()]).await?;
    Goal::of(&found.ok_or_else(|| Error::not_found("Goal not found"))?)
}

/// Sets a goal.
pub(super) async fn create(
    tx: &Tx,
    project: ProjectId,
    request: pb::CreateGoalRequest,
    now: i64,
) -> Result<Goal> {
    let sql = "SELECT COUNT(*) AS n FROM growth_goal WHERE project = $1";
    if let Some(found) = row(tx, sql, [project.into()]).await?
        && found.try_get::<i64>("", "n")? >= MOST
    {
        return Err(Error::invalid(format!(
            "A project has at most {MOST} goals"
        )));
    }
    let id = format!("goal_{}", Uuid::now_v7().simple());
    let sql = "INSERT INTO growth_goal (project, id, metric, target, current, deadline, \
               description, unit, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let some = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let values: [Value; 9] = [
        project.into(),
        id.as_str().into(),
        request.metric.trim().into(),
        target(request.target)?.into(),
        amount(request.current)?.into(),
        deadline(&request.deadline)?.to_string().into(),
        some(request.description).into(),
        some(request.unit).into(),
        now.into(),
    ];
    execute(tx, sql, values).await?;
    let goal = find(tx, project, &id).await?;
    told(tx, goal, now).await
}

/// Changes a goal.
pub(super) async fn update(
    tx: &Tx,
    project: ProjectId,
    request: pb::UpdateGoalRequest,
    now: i64,
) -> Result<Goal> {
    let mut goal = find(tx, project, &request.id).await?;
    let some = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    for path in request.update_mask.unwrap_or_default().paths {
        match path.as_str() {
            "target" => {
                let target = target(request.target)?;
                // More than was reached is another goal.
                if target > goal.target {
                    goal.reached_at = None;
                }
                goal.target = target;
            }
            "deadline" => goal.deadline = deadline(&request.deadline)?,
            "status" => goal.status = stated(request.status)?,
            "current" => goal.current = amount(request.current)?,
            "description" => goal.description = some(&request.description),
            "unit" => goal.unit = some(&request.unit),
            _ => {}
        }
    }
    let word = goal.status.and_then(|status| {
        let known = STATUSES.iter().find(|(own, _)| *own == status);
        known.map(|(_, word)| (*word).to_owned())
    });
    let sql = "UPDATE growth_goal SET target = $1, current = $2, deadline = $3, description = $4, \
               unit = $5, status = $6, reached_at = $7 WHERE project = $8 AND id = $9";
    let values: [Value; 9] = [
        goal.target.into(),
        goal.current.into(),
        goal.deadline.to_string().into(),
        goal.description.clone().into(),
        goal.unit.clone().into(),
        word.into(),
        goal.reached_at.into(),
        project.into(),
        goal.id.as_str().into(),
    ];
    execute(tx, sql, values).await?;
    told(tx, goal, now).await
}

/// A goal whose amount was set, and told of if that is enough.
async fn told(tx: &Tx, mut goal: Goal, now: i64) -> Result<Goal> {
    if let Some(current) = goal.current
        && goal.reached_at.is_none()
        && goal.is_reached(current)
    {
        reached(tx, &goal, current, now).await?;
        goal.reached_at = Some(now);
    }
    Ok(goal)
}

/// Removes a goal.
pub(super) async fn delete(tx: &Tx, project: ProjectId, id: &str) -> Result<()> {
    let goal = find(tx, project, id).await?;
    let sql = "DELETE FROM growth_goal WHERE project = $1 AND number = $2";
    execute(tx, sql, [project.into(), goal.number.into()]).await?;
    Ok(())
}

/// Writes down that a goal is reached and tells webhooks; once, whoever notices.
pub(super) async fn reached(tx: &Tx, goal: &Goal, current: f64, now: i64) -> Result<()> {
    let sql = "UPDATE growth_goal SET reached_at = $1 \
               WHERE project = $2 AND number = $3 AND reached_at IS NULL AND target = $4";
    let values: [Value; 4] = [
        now.into(),
        goal.project.into(),
        goal.number.into(),
        goal.target.into(),
    ];
    if execute(tx, sql, values).await? == 0 {
        return Ok(());
    }
    let data = json!({
        "goalId": goal.id,
        "metric": goal.metric,
        "target": goal.target,
        "current": current,
        "unit": goal.unit,
        "deadline": goal.deadline.to_string(),
    });
    publish(tx, goal.project, Kind::GoalReached, &data, now).await
}

fn target(target: Option<f64>) -> Result<f64> {
    match target {
        Some(target) if target.is_finite() && target > 0.0 => Ok(target),
        Some(_) => Err(Error::invalid_field("target", "target must be positive")),
        None => Err(Error::invalid_field("target", "target is required")),
    }
}

fn amount(current: Option<f64>) -> Result<Option<f64>> {
    match current {
        Some(current) if !current.is_finite() => {
            Err(Error::invalid_field("current", "current must be a number"))
        }
        current => Ok(current),
    }
}

/// A date; of a time, its date.
fn deadline(text: &str) -> Result<Date> {
    let text = text.trim();
    // As it is written: `2030-06-30T00:00:00Z` is that day everywhere.
    let is_time = text.parse::<jiff::Timestamp>().is_ok();
    let day = text.get(..10).filter(|_| is_time).unwrap_or(text);
    let date: Result<Date, _> = day.parse();
    let date = date
        .ok()
        .filter(|date| (1970..=9999).contains(&date.year()));
    date.ok_or_else(|| {
        let words = "deadline must be an ISO 8601 date such as 2030-06-30";
        Error::invalid_field("deadline", words)
    })
}

/// The status somebody sets; `None` to have the server say.
fn stated(number: i32) -> Result<Option<pb::GoalStatus>> {
    match pb::GoalStatus::try_from(number) {
        Ok(pb::GoalStatus::Unspecified) => Ok(None),
        Ok(status) => Ok(Some(status)),
        Err(_) => {
            let words = "status must be one of on_track, at_risk, behind, completed";
            Err(Error::invalid_field("status", words))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::DAY;

    fn goal(created: &str, deadline: &str) -> Goal {
        let created: jiff::Timestamp = created.parse().unwrap();
        Goal {
            number: 1,
            id: "goal_1".to_owned(),
            project: ProjectId(1),
            metric: "nps".to_owned(),
            target: 100.0,
            current: None,
            deadline: deadline.parse().unwrap(),
            description: None,
            unit: None,
            status: None,
            reached_at: None,
            created_at: created.as_microsecond(),
        }
    }

    #[test]
    fn the_status_compares_the_target_with_the_time() {
        use pb::GoalStatus::{AtRisk, Behind, Completed, OnTrack};
        let own = goal("2026-01-01T10:00:00Z", "2026-01-11");
        let after = |days: i64, current: f64| own.status(current, own.created_at + days * DAY);
        assert_eq!(after(0, 0.0), OnTrack);
        assert_eq!(after(5, 50.0), OnTrack);
        assert_eq!(after(5, 49.9), AtRisk);
        assert_eq!(after(5, 40.0), AtRisk);
        assert_eq!(after(5, 39.0), Behind);
        assert_eq!(after(50, 99.0), AtRisk);
        assert_eq!(after(1, 100.0), Completed);
        let today = goal("2026-01-01T10:00:00Z", "2026-01-01");
        assert_eq!(today.status(10.0, today.created_at), Behind);
        let said = Goal {
            status: Some(AtRisk),
            ..own
        };
        assert_eq!(said.status(100.0, said.created_at), AtRisk);
    }

    #[test]
    fn deadlines_are_dates() {
        for right in [
            "2026-06-30",
            " 2026-06-30 ",
            "2026-06-30T12:00:00",
            "2026-06-30T23:30:00.000Z",
            "2026-06-30T23:30:00-08:00",
        ] {
            assert_eq!(
                deadline(right).unwrap().to_string(),
                "2026-06-30",
                "{right}"
            );
        }
        for wrong in ["", "soon", "2026-13-01", "30.06.2026", "2026-02-30"] {
            assert!(deadline(wrong).is_err(), "{wrong}");
        }
    }
}
