//! Events: what pages, applications and servers tell.

mod agent;
mod data;
mod environment;
mod list;
mod money;
mod sender;
mod server;
mod stream;

use prost::Message;

use super::Growth;
use crate::api::EventService;
use crate::api::apex::growth::v1 as pb;
use crate::error::Result;
use crate::events::NewEvent;
use crate::products::feed;
use crate::server::{Call, Replies, Reply, Requests};

pub(super) use agent::Agents;
use sender::Sender;

impl EventService for Growth {
    async fn track_event(
        &self,
        call: Call,
        request: pb::TrackEventRequest,
    ) -> Result<Reply<pb::TrackEventResponse>> {
        let sender = Sender::page(self, &call, call.project_id()?);
        let sender = sender.sent_at(request.sent_at.as_ref())?;
        let event = sender.event(item(request))?;
        let answer = pb::TrackEventResponse { received: 1 };
        self.store(&call, vec![event], &answer).await?;
        Ok(answer.into())
    }

    async fn track_events(
        &self,
        call: Call,
        request: pb::TrackEventsRequest,
    ) -> Result<Reply<pb::TrackEventsResponse>> {
        let sender = Sender::page(self, &call, call.project_id()?)
            .sent_at(request.sent_at.as_ref())?
            .of(&request.visitor_id, &request.user_id)
            .environment(&request.environment)?;
        let (events, errors) = items(&sender, request.events, "VALIDATION_ERROR");
        let answer = pb::TrackEventsResponse {
            received: events.len() as i64,
            errors,
        };
        self.store(&call, events, &answer).await?;
        Ok(answer.into())
    }

    async fn send_server_events(
        &self,
        call: Call,
        request: pb::SendServerEventsRequest,
    ) -> Result<Reply<pb::SendServerEventsResponse>> {
        self.server_events(&call, request).await.map(Reply::from)
    }

    async fn stream_events(
        &self,
        call: Call,
        requests: Requests<pb::StreamEventsRequest>,
    ) -> Result<Replies<pb::StreamEventsResponse>> {
        let project = call.project_id()?;
        let (feed, events) = (self.clone(), self.0.events.clone());
        let answers = feed::stream(feed, events, call, project, requests);
        Ok(Box::pin(answers))
    }

    async fn list_events(
        &self,
        call: Call,
        request: pb::ListEventsRequest,
    ) -> Result<Reply<pb::ListEventsResponse>> {
        self.recent_events(&call, request).await
    }
}

impl Growth {
    /// Stores events; a repeat of the request is answered the same.
    async fn store(&self, call: &Call, events: Vec<NewEvent>, answer: &impl Message) -> Result<()> {
        match call.attempt() {
            None => self.0.events.append(events).await?,
            Some(attempt) => {
                let kept = answer.encode_to_vec();
                let attempt = Some(attempt.clone());
                let keep = Box::new(move |_: &[_]| kept);
                self.0
                    .events
                    .append_answering(events, attempt, keep)
                    .await?
            }
        };
        Ok(())
    }
}

/// Events of items, and why the others are none.
fn items(
    sender: &Sender<'_>,
    items: Vec<pb::EventItem>,
    code: &str,
) -> (Vec<NewEvent>, Vec<pb::ItemError>) {
    let mut events = Vec::with_capacity(items.len());
    let mut errors = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        match sender.item(item) {
            Ok(event) => events.push(event),
            Err(error) => errors.push(pb::ItemError {
                index: index as i64,
                code: code.to_owned(),
                message: error.message().to_owned(),
            }),
        }
    }
    (events, errors)
}

/// The event of a page as one among others.
fn item(request: pb::TrackEventRequest) -> pb::EventItem {
    pb::EventItem {
        r#type: request.r#type,
        url: request.url,
        timestamp: request.timestamp,
        data: request.data,
        visitor_id: request.visitor_id,
        referrer: request.referrer,
        event_id: request.event_id,
        user_id: request.user_id,
        environment: request.environment,
        parse_error: String::new(),
    }
}
