//! How much of its day each tenant has used, written down every second: a restart does
//! not give the day back.

use super::Memory;
use super::usage::GROUP;
use crate::auth::{OrganizationId, Plan};
use crate::clock::DAY;
use crate::db::sql::{execute, rows};
use crate::error::Result;

impl Memory {
    fn today(&self) -> i64 {
        self.now().div_euclid(DAY)
    }

    /// Counts on from where the day was written down.
    pub(super) async fn restore_days(&self) -> Result<()> {
        let read = self.0.db.read(None).await?;
        let sql = "SELECT used.organization_id, used.requests, own.plan FROM memory_day used \
                   JOIN organization own ON own.id = used.organization_id WHERE used.day = $1";
        for row in rows(&read, sql, [self.today().into()]).await? {
            let organization = OrganizationId(row.try_get("", "organization_id")?);
            let plan: String = row.try_get("", "plan")?;
            let plan: Plan = plan.parse()?;
            let requests: i64 = row.try_get("", "requests")?;
            let used = u32::try_from(requests).unwrap_or(u32::MAX);
            self.0.limits.restore_day(GROUP, (organization, plan), used);
        }
        Ok(())
    }

    /// Writes down what was used since the last time.
    pub(super) async fn write_days(&self) -> Result<()> {
        let mut used = self.0.limits.take_days();
        // In one order on every node, so that no two wait for each other.
        used.sort_unstable();
        if used.is_empty() {
            return Ok(());
        }
        let today = self.today();
        let written = self.0.db.write(move |tx| {
            Box::pin(async move {
                for (organization, requests) in used {
                    let sql = "INSERT INTO memory_day (organization_id, day, requests) \
                               VALUES ($1, $2, $3) ON CONFLICT (organization_id) DO UPDATE SET \
                               day = excluded.day, requests = excluded.requests";
                    let values = [
                        organization.into(),
                        today.into(),
                        i64::from(requests).into(),
                    ];
                    execute(tx, sql, values).await?;
                }
                Ok(())
            })
        });
        written.await
    }
}
