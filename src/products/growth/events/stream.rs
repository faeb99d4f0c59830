//! Events in a stream that can be resumed.

use super::super::Growth;
use super::items;
use super::sender::Sender;
use super::server::duplicates;
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::error::Result;
use crate::events::{Appended, NewEvent};
use crate::products::feed::{Feed, Head};
use crate::server::Call;

impl Feed for Growth {
    type Step = pb::StreamEventsRequest;
    type Draft = Vec<pb::ItemError>;
    type Answer = pb::StreamEventsResponse;

    const KEPT_AS: &'static str = "growth:";

    fn head(step: &Self::Step) -> Head<'_> {
        Head {
            stream: &step.stream,
            position: step.position,
            is_empty: step.events.is_empty(),
        }
    }

    async fn read(
        &self,
        _: &Call,
        project: ProjectId,
        step: Self::Step,
    ) -> Result<(Vec<NewEvent>, Self::Draft)> {
        let sender = Sender::server(self, project);
        Ok(items(&sender, step.events, "invalid_event"))
    }

    fn answer(position: i64, errors: Self::Draft, appended: &[Appended]) -> Self::Answer {
        let duplicates = duplicates(appended);
        pb::StreamEventsResponse {
            position,
            received: appended.len() as i64 - duplicates,
            duplicates,
            errors,
        }
    }
}
