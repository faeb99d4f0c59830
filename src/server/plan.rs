//! What the plan of a caller's organization binds it to, for the services that say so:
//! a trial that is over opens nothing, and while one lasts every answer says for how
//! long.

use http::{HeaderMap, HeaderName};

use super::shared::Shared;
use crate::auth::{OrganizationId, Plan, Principal};
use crate::clock::{DAY, MICROS};
use crate::config::TrialCode;
use crate::error::{Error, Result};
use crate::policy::MethodSpec;

/// The plan that binds a caller.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    organization: OrganizationId,
    plan: Plan,
    /// When it ends, if it is a trial.
    ends_at: Option<i64>,
}

impl Bound {
    /// The plan that binds a caller of a method, if one does.
    pub(super) fn of(shared: &Shared, spec: &MethodSpec, principal: &Principal) -> Option<Self> {
        let organization = principal.organization.filter(|_| spec.service.plans)?;
        let snapshot = shared.directory.snapshot();
        let known = snapshot.organizations.get(&organization)?;
        Some(Self {
            organization,
            plan: known.plan,
            ends_at: known.trial_ends_at.filter(|_| known.plan == Plan::Trial),
        })
    }

    /// Whom it binds, and to what.
    pub(super) fn place(self) -> (OrganizationId, Plan) {
        (self.organization, self.plan)
    }

    /// Whole days a trial lasts yet; `None` where there is no end.
    pub(super) fn days_left(self, shared: &Shared) -> Option<i64> {
        let left = self.ends_at? - shared.directory.clock().micros();
        let days = (left.max(0) + DAY - 1).div_euclid(DAY);
        Some(days.min(shared.trial.days.into()))
    }

    /// Refuses a trial that is over.
    pub(super) fn lasts(self, shared: &Shared) -> Result<()> {
        let now = shared.directory.clock().micros();
        let Some(ended) = self.ends_at.filter(|end| *end <= now) else {
            return Ok(());
        };
        let support = &shared.trial.support;
        Err(match shared.trial_expired_code {
            TrialCode::TrialExpired => {
                let day = jiff::Timestamp::from_second(ended.div_euclid(MICROS));
                let day = day.map_err(Error::internal)?.strftime("%Y-%m-%d");
                let words = format!("Your trial expired on {day}. Contact {support} to continue.");
                Error::forbidden(words).reason("TRIAL_EXPIRED")
            }
            TrialCode::Forbidden => {
                Error::forbidden(format!("Trial expired. Contact {support} to upgrade."))
            }
        })
    }
}

/// Says how many days a trial lasts yet.
pub(super) fn put_days(headers: &mut HeaderMap, days: i64) {
    const DAYS: HeaderName = HeaderName::from_static("x-trial-days-remaining");
    headers.insert(DAYS, days.into());
}
