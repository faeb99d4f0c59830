//! What servers send: a batch with an envelope of its own around the answer.

use prost::Message as _;

use super::super::Growth;
use super::items;
use super::sender::Sender;
use crate::api::apex::growth::v1 as pb;
use crate::error::{Error, Result};
use crate::events::Appended;
use crate::server::Call;

/// Most events of a batch.
const MOST: usize = 100;

impl Growth {
    /// Stores a batch. What is kept for a repeat of it says that it is one.
    pub(super) async fn server_events(
        &self,
        call: &Call,
        request: pb::SendServerEventsRequest,
    ) -> Result<pb::SendServerEventsResponse> {
        let project = call.project()?;
        let size = request.events.len();
        if size > MOST {
            let words = format!("A batch must have at most {MOST} events");
            return Err(Error::invalid_field("events", words).reason("BATCH_TOO_LARGE"));
        }
        let metadata = pb::ServerEventsMetadata {
            project_key: project.public_id.to_string(),
            idempotency_key: call.idempotency_key().map(str::to_owned),
            batch_size: size as i64,
        };
        let sender = Sender::server(self, project.id);
        let (events, errors) = items(&sender, request.events, "invalid_event");
        let repeated = pb::SendServerEventsResponse {
            data: Some(pb::ServerEventsData {
                deduped: Some(true),
                ..Default::default()
            }),
            metadata: Some(metadata.clone()),
        };
        let keep = Box::new(move |_: &[_]| repeated.encode_to_vec());
        let attempt = call.attempt().cloned();
        let appended = self
            .0
            .events
            .append_answering(events, attempt, keep)
            .await?;
        let duplicates = duplicates(&appended);
        Ok(pb::SendServerEventsResponse {
            data: Some(pb::ServerEventsData {
                received: appended.len() as i64 - duplicates,
                duplicates,
                errors,
                deduped: None,
            }),
            metadata: Some(metadata),
        })
    }
}

/// How many events were stored before.
pub(super) fn duplicates(appended: &[Appended]) -> i64 {
    appended.iter().filter(|one| one.duplicate).count() as i64
}
