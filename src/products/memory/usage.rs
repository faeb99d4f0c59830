//! What a tenant uses of what its plan allows, and its keys.

use super::Memory;
use crate::api::apex::memory::v1 as pb;
use crate::auth::Plan;
use crate::db::sql::row;
use crate::error::{Error, Result};
use crate::products::timestamp;
use crate::server::Call;

/// The rate group of the product's calls.
pub(super) const GROUP: &str = "memory";

impl Memory {
    pub(super) async fn usage(&self, call: &Call) -> Result<pb::GetMemoryUsageResponse> {
        let (organization, plan) = self.tenant(call)?;
        let allowed = self.0.limits.allowance(plan);
        let standings = self.0.limits.peek_of(GROUP, (organization, plan)).await;
        let left = standings.map(|both| both.map(|one| i64::from(one.remaining)));
        let [minute, day] = left.unwrap_or([allowed.per_minute.into(), allowed.per_day.into()]);
        let read = self.0.db.read(call.deadline()).await?;
        let sql = "SELECT COUNT(*) AS users, CAST(COALESCE(SUM(nodes), 0) AS BIGINT) AS nodes \
                   FROM memory_user WHERE organization_id = $1";
        let found = row(&read, sql, [organization.into()]).await?;
        let found = found.ok_or_else(|| Error::internal("a count of nothing"))?;
        let snapshot = call.directory().snapshot();
        let known = snapshot.organizations.get(&organization);
        let ends_at = known.and_then(|own| own.trial_ends_at);
        Ok(pb::GetMemoryUsageResponse {
            tenant_id: self.slug(call)?,
            plan: plan.word().to_owned(),
            trial_ends: ends_at.filter(|_| plan == Plan::Trial).map(timestamp),
            users: found.try_get("", "users")?,
            max_users: allowed.users.into(),
            nodes: found.try_get("", "nodes")?,
            max_nodes_per_user: allowed.nodes_per_user.into(),
            minute_remaining: minute,
            rate_limit_rpm: allowed.per_minute.into(),
            day_remaining: day,
            rate_limit_daily: allowed.per_day.into(),
        })
    }

    pub(super) async fn rotate(&self, call: &Call) -> Result<pb::RotateKeyResponse> {
        let tenant_id = self.slug(call)?;
        let key = self.0.account.rotate_key(call).await?;
        Ok(pb::RotateKeyResponse {
            tenant_id,
            api_key: key.reveal().to_owned(),
        })
    }

    /// Public name of the organization a call is for.
    pub(super) fn slug(&self, call: &Call) -> Result<String> {
        let organization = call.organization()?;
        let snapshot = call.directory().snapshot();
        let known = snapshot.organizations.get(&organization);
        let known = known.ok_or_else(|| Error::not_found("Organization not found"))?;
        Ok(known.slug.clone())
    }
}
