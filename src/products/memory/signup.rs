//! Trials: anybody may begin one, a few an hour from one address.

use super::Memory;
use crate::api::apex::memory::v1 as pb;
use crate::config::Door;
use crate::error::{Error, Kind, Result};
use crate::limit::Subject;
use crate::products::account::NewTrial;
use crate::products::timestamp;
use crate::server::Call;

/// The rate group trials are counted in.
const GROUP: &str = "trial_signup";

impl Memory {
    pub(super) async fn begin(
        &self,
        call: &Call,
        request: pb::SignupRequest,
    ) -> Result<pb::SignupResponse> {
        let settings = &self.0.settings;
        if settings.open == Door::Closed {
            return Err(Error::forbidden(
                "Trials are closed; ask the operator for a key",
            ));
        }
        self.limit(call).await?;
        let trial = NewTrial {
            organization: request.company_name,
            email: request.email,
            name: request.name,
            days: settings.trial.days,
            product: "memory",
        };
        let trial = self.0.account.begin_trial(trial).await?;
        let allowed = settings.plans.trial;
        let address = || origin(call);
        let or = |given: &str, path: &str| match given {
            "" => format!("{}{path}", address()),
            given => given.to_owned(),
        };
        Ok(pb::SignupResponse {
            status: "trial_active".to_owned(),
            tenant_id: trial.slug,
            api_key: trial.key.reveal().to_owned(),
            trial_ends: Some(timestamp(trial.ends_at)),
            limits: Some(pb::TrialLimits {
                max_users: allowed.users.into(),
                max_nodes_per_user: allowed.nodes_per_user.into(),
                rate_limit_rpm: allowed.per_minute.into(),
                rate_limit_daily: allowed.per_day.into(),
                features: "all".to_owned(),
            }),
            quickstart: or(&settings.trial.quickstart, "/docs"),
            base_url: or(&settings.trial.base_url, "/api/v1"),
        })
    }

    /// Refuses more trials than a few from one address.
    async fn limit(&self, call: &Call) -> Result<()> {
        let subject = Subject::Address(call.client().address);
        let Some(standing) = self.0.limits.take(GROUP, subject).await else {
            return Ok(());
        };
        if standing.allowed {
            return Ok(());
        }
        call.tell_standing(standing);
        let wait = standing.retry_after.as_secs();
        let words = format!("Rate limit exceeded. Retry after {wait} seconds.");
        Err(Error::new(Kind::ResourceExhausted, words).retry_after(standing.retry_after))
    }
}

/// The address a request came to, as its client spells it.
fn origin(call: &Call) -> String {
    let client = call.client();
    let scheme = if client.secure { "https" } else { "http" };
    let host = client.host.as_deref().unwrap_or("localhost");
    format!("{scheme}://{host}")
}
