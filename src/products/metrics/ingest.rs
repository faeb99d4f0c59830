//! Receiving events: one, a batch, a stream.

use prost::Message as _;
use uuid::Uuid;

use super::Metrics;
use crate::api::apex::metrics::v1 as pb;
use crate::auth::ProjectId;
use crate::error::{Error, Result};
use crate::events::{Appended, NewEvent};
use crate::products::feed::{Feed, Head};
use crate::server::Call;

/// The id callers see.
pub(super) fn event_id(id: &str) -> String {
    format!("evt_{}", id.strip_prefix("evt_").unwrap_or(id))
}

/// The id the server gave, if that is what callers see.
pub(super) fn own_id(id: &str) -> Option<Uuid> {
    id.strip_prefix("evt_")?.parse().ok()
}

impl Metrics {
    pub(super) async fn event(
        &self,
        call: &Call,
        request: pb::SendEventRequest,
    ) -> Result<pb::SendEventResponse> {
        let event = self.new_event(call, call.project_id()?, request).await?;
        let answer = |id: &str| pb::SendEventResponse {
            success: true,
            event_id: event_id(id),
        };
        let id = self
            .store(call, event, move |id| answer(id).encode_to_vec())
            .await?;
        Ok(answer(&id))
    }

    pub(super) async fn purchase(
        &self,
        call: &Call,
        request: pb::SendPurchaseRequest,
    ) -> Result<pb::SendPurchaseResponse> {
        let event = self.new_purchase(call, call.project_id()?, request).await?;
        let answer = |id: &str| pb::SendPurchaseResponse {
            success: true,
            event_id: event_id(id),
        };
        let id = self
            .store(call, event, move |id| answer(id).encode_to_vec())
            .await?;
        Ok(answer(&id))
    }

    /// Stores one event and answers its id. A repeat answers the first one's.
    pub(super) async fn store(
        &self,
        call: &Call,
        event: NewEvent,
        keep: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Result<String> {
        let keep = move |appended: &[Appended]| appended.first().map(|one| keep(&one.id));
        let keep = Box::new(move |appended: &[Appended]| keep(appended).unwrap_or_default());
        let attempt = call.attempt().cloned();
        let appended = self
            .events
            .append_answering(vec![event], attempt, keep)
            .await?;
        let first = appended.into_iter().next();
        first
            .map(|one| one.id)
            .ok_or_else(|| Error::internal("an event without an outcome"))
    }

    pub(super) async fn batch(
        &self,
        call: &Call,
        request: pb::SendEventsRequest,
    ) -> Result<pb::SendEventsResponse> {
        let project = call.project_id()?;
        let (events, results) = self.items(call, project, request.events).await?;
        let attempt = call.attempt().cloned();
        let draft = results.clone();
        let keep = Box::new(move |appended: &[Appended]| summary(draft, appended).encode_to_vec());
        let appended = self.events.append_answering(events, attempt, keep).await?;
        Ok(summary(results, &appended))
    }

    /// Turns items into events. A result without an outcome yet is of an event.
    async fn items(
        &self,
        call: &Call,
        project: ProjectId,
        items: Vec<pb::EventItem>,
    ) -> Result<(Vec<NewEvent>, Vec<pb::EventResult>)> {
        let mut events = Vec::with_capacity(items.len());
        let mut results = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let mut result = pb::EventResult {
                index: index as i64,
                ..Default::default()
            };
            match self.new_item(call, project, item).await {
                Ok(event) => events.push(event),
                Err(error) if error.kind() == crate::error::Kind::InvalidArgument => {
                    result.outcome = pb::Outcome::Invalid.into();
                    result.error = Some(error.message().to_owned());
                }
                Err(error) => return Err(error),
            }
            results.push(result);
        }
        Ok((events, results))
    }
}

impl Feed for Metrics {
    type Step = pb::IngestEventsRequest;
    type Draft = Vec<pb::EventResult>;
    type Answer = pb::IngestEventsResponse;

    const KEPT_AS: &'static str = "";

    fn head(step: &Self::Step) -> Head<'_> {
        Head {
            stream: &step.stream,
            position: step.position,
            is_empty: step.events.is_empty(),
        }
    }

    async fn read(
        &self,
        call: &Call,
        project: ProjectId,
        step: Self::Step,
    ) -> Result<(Vec<NewEvent>, Self::Draft)> {
        self.items(call, project, step.events).await
    }

    fn answer(position: i64, draft: Self::Draft, appended: &[Appended]) -> Self::Answer {
        let summary = summary(draft, appended);
        let invalid = i32::from(pb::Outcome::Invalid);
        pb::IngestEventsResponse {
            position,
            received: summary.received,
            duplicates: summary.duplicates,
            errors: summary
                .results
                .into_iter()
                .filter(|r| r.outcome == invalid)
                .collect(),
        }
    }
}

/// Puts the outcomes of the stored events into the results of their items.
fn summary(mut results: Vec<pb::EventResult>, appended: &[Appended]) -> pb::SendEventsResponse {
    let mut appended = appended.iter();
    let (mut received, mut duplicates) = (0, 0);
    for result in &mut results {
        if result.outcome == i32::from(pb::Outcome::Invalid) {
            continue;
        }
        let Some(one) = appended.next() else {
            continue;
        };
        result.event_id = Some(event_id(&one.id));
        let outcome = if one.duplicate {
            duplicates += 1;
            pb::Outcome::Duplicate
        } else {
            received += 1;
            pb::Outcome::Stored
        };
        result.outcome = outcome.into();
    }
    pb::SendEventsResponse {
        success: received + duplicates == results.len() as i64,
        received,
        duplicates,
        results,
    }
}
