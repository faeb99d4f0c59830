//! Receiving events: one, a batch, a stream.

use futures_util::{Stream, StreamExt as _, stream as streams};
use prost::Message as _;
use tonic::Status;
use uuid::Uuid;

use super::Metrics;
use crate::api::apex::metrics::v1 as pb;
use crate::auth::ProjectId;
use crate::error::{Error, Result};
use crate::events::{Appended, NewEvent, STREAM_MOVED, StreamPosition};
use crate::server::{Call, Requests};

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

    /// Stores a message of a named stream, unless it is stored already. `after` is
    /// the position it follows.
    async fn named_step(
        &self,
        call: &Call,
        project: ProjectId,
        (name, after, durable): (&str, i64, i64),
        request: pb::IngestEventsRequest,
    ) -> Result<pb::IngestEventsResponse> {
        let position = request.position;
        let stored_already = |durable| pb::IngestEventsResponse {
            position: durable,
            ..Default::default()
        };
        if position == 0 && !request.events.is_empty() {
            return Err(Error::invalid_field(
                "position",
                "position of events in a named stream must be at least 1",
            ));
        }
        if position <= durable {
            // Sent before the last acknowledgement was seen: it is there already.
            return Ok(stored_already(durable));
        }
        let (events, results) = self.items(call, project, request.events).await?;
        let stream = StreamPosition {
            project,
            name: name.to_owned(),
            after,
            position,
        };
        match self.events.append_stream(events, stream).await {
            Ok(appended) => Ok(acknowledged(position, results, &appended)),
            Err(error) if error.specific_reason() == Some(STREAM_MOVED) => {
                let durable = self.events.stream_position(project, name).await?;
                match position <= durable {
                    true => Ok(stored_already(durable)),
                    false => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn step(
        &self,
        call: &Call,
        project: ProjectId,
        request: pb::IngestEventsRequest,
    ) -> Result<pb::IngestEventsResponse> {
        let (events, results) = self.items(call, project, request.events).await?;
        let appended = self.events.append(events).await?;
        Ok(acknowledged(request.position, results, &appended))
    }
}

/// The answer to a message of a stream that was stored.
fn acknowledged(
    position: i64,
    results: Vec<pb::EventResult>,
    appended: &[Appended],
) -> pb::IngestEventsResponse {
    let summary = summary(results, appended);
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

/// Where an ingestion stream stands.
struct State {
    metrics: Metrics,
    call: Call,
    project: ProjectId,
    requests: Requests<pb::IngestEventsRequest>,
    /// Name of the stream, once the first message has come.
    stream: Option<Option<String>>,
    durable: i64,
    /// The position of the last message with events.
    sent: i64,
    over: bool,
}

/// Acknowledges the messages of a stream, each once it is durable.
pub(super) fn stream(
    metrics: Metrics,
    call: Call,
    project: ProjectId,
    requests: Requests<pb::IngestEventsRequest>,
) -> impl Stream<Item = Result<pb::IngestEventsResponse, Status>> {
    let state = State {
        metrics,
        call,
        project,
        requests,
        stream: None,
        durable: 0,
        sent: 0,
        over: false,
    };
    streams::unfold(state, |mut state| async move {
        if state.over {
            return None;
        }
        match state.next().await {
            Ok(Some(answer)) => Some((Ok(answer), state)),
            Ok(None) => None,
            Err(error) => {
                state.over = true;
                let status = state.call.status_of(error);
                Some((Err(status), state))
            }
        }
    })
}

impl State {
    async fn next(&mut self) -> Result<Option<pb::IngestEventsResponse>> {
        let Some(request) = self.requests.next().await else {
            return Ok(None);
        };
        let request = request?;
        let stream = match &self.stream {
            Some(stream) => stream.clone(),
            None => {
                let name = Some(request.stream.clone()).filter(|name| !name.is_empty());
                if let Some(name) = &name {
                    self.durable = self
                        .metrics
                        .events
                        .stream_position(self.project, name)
                        .await?;
                    self.sent = self.durable;
                }
                self.stream = Some(name.clone());
                if request.events.is_empty() {
                    // It only opens the stream: say how far it got.
                    return Ok(Some(pb::IngestEventsResponse {
                        position: self.durable,
                        ..Default::default()
                    }));
                }
                name
            }
        };
        let (call, project) = (self.call.clone(), self.project);
        let reached = (!request.events.is_empty()).then_some(request.position);
        let answer = match stream.as_deref() {
            Some(name) => {
                let place = (name, self.sent, self.durable);
                self.metrics
                    .named_step(&call, project, place, request)
                    .await?
            }
            None => self.metrics.step(&call, project, request).await?,
        };
        self.durable = answer.position;
        self.sent = reached.unwrap_or(self.sent);
        Ok(Some(answer))
    }
}
