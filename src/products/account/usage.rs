//! How much an organization uses, and what its limits leave.

use sea_orm::Value;

use super::Account;
use crate::api::apex::account::v1 as pb;
use crate::clock::DAY;
use crate::db::sql::row;
use crate::error::Result;
use crate::limit::Subject;
use crate::server::Call;

impl Account {
    pub(super) async fn usage(&self, call: &Call) -> Result<pb::GetUsageResponse> {
        let organization = call.organization()?;
        self.flush_counts().await?;
        let today = self.now().div_euclid(DAY);
        let projects = self
            .0
            .shared
            .directory
            .snapshot()
            .projects_of(organization)
            .to_vec();
        let read = self.db().read(call.deadline()).await?;
        let one = async |sql: &str, values: Vec<Value>| -> Result<i64> {
            match row(&read, sql, values).await? {
                Some(row) => Ok(row.try_get("", "n")?),
                None => Ok(0),
            }
        };
        let requests = "SELECT CAST(COALESCE(SUM(requests), 0) AS BIGINT) AS n FROM request_count \
                        WHERE organization_id = $1 AND day >= $2";
        let since = |day: i64| vec![organization.into(), day.into()];
        Ok(pb::GetUsageResponse {
            requests_today: one(requests, since(today)).await?,
            requests_30_days: one(requests, since(today - 29)).await?,
            events: self.0.events.stored(&projects).await?,
            limits: self.standings(call).await,
        })
    }

    /// Groups that a caller with a key or a session is counted in.
    async fn standings(&self, call: &Call) -> Vec<pb::LimitStanding> {
        let mut groups: Vec<&str> = crate::api::METHODS
            .iter()
            .filter(|spec| spec.scope.is_some())
            .map(|spec| spec.rate_group)
            .collect();
        groups.sort_unstable();
        groups.dedup();
        let mut standings = Vec::new();
        let caller = Subject::Caller(call.principal(), call.client().address);
        for group in groups {
            let limits = &self.0.shared.limits;
            let standing = match self.plan_of(call).filter(|_| limits.is_per_plan(group)) {
                Some(place) => limits.peek_of(group, place).await.map(|[minute, _]| minute),
                None => limits.peek(group, caller).await,
            };
            if let Some(standing) = standing {
                standings.push(pb::LimitStanding {
                    group: group.to_owned(),
                    limit: standing.limit.into(),
                    remaining: standing.remaining.into(),
                    reset: standing.reset,
                });
            }
        }
        standings
    }
}
