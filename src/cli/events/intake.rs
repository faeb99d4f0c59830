//! What the lines of a file look like, and who takes them in: a product's stream.

use prost::Message;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::api::apex::growth::v1 as growth;
use crate::api::apex::metrics::v1 as metrics;
use crate::cli::client::Targeted;
use growth::event_service_client::EventServiceClient;
use metrics::metrics_service_client::MetricsServiceClient;

/// A product that takes lines in.
pub(super) trait Intake: Send + Sync + 'static {
    /// What a line is read as.
    type Item: Message + Default;
    /// A message of its stream.
    type Step: Message + Default + Send + 'static;
    /// An acknowledgement.
    type Answer: Message + Default + 'static;

    /// Full name of the item's message.
    const ITEM: &'static str;

    /// The item of a line that cannot be read.
    fn refused(why: String) -> Self::Item;

    /// A message.
    fn step(stream: String, position: i64, events: Vec<Self::Item>) -> Self::Step;

    /// Opens a stream.
    fn open(
        channel: Targeted,
        steps: ReceiverStream<Self::Step>,
    ) -> impl Future<Output = Result<Streaming<Self::Answer>, Status>> + Send;

    /// What an acknowledgement says.
    fn told(answer: Self::Answer) -> Told;
}

/// What an acknowledgement says.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) position: i64,
    pub(super) received: i64,
    pub(super) duplicates: i64,
    /// Items that were refused, by their number in the message, and why.
    pub(super) refused: Vec<(i64, String)>,
}

/// Events and purchases as the metrics product takes them.
#[derive(Debug)]
pub(super) struct Metrics;

impl Intake for Metrics {
    type Item = metrics::EventItem;
    type Step = metrics::IngestEventsRequest;
    type Answer = metrics::IngestEventsResponse;

    const ITEM: &'static str = "apex.metrics.v1.EventItem";

    fn refused(why: String) -> Self::Item {
        metrics::EventItem {
            parse_error: why,
            ..Default::default()
        }
    }

    fn step(stream: String, position: i64, events: Vec<Self::Item>) -> Self::Step {
        metrics::IngestEventsRequest {
            stream,
            position,
            events,
        }
    }

    async fn open(
        channel: Targeted,
        steps: ReceiverStream<Self::Step>,
    ) -> Result<Streaming<Self::Answer>, Status> {
        let mut service = MetricsServiceClient::new(channel);
        Ok(service.ingest_events(steps).await?.into_inner())
    }

    fn told(answer: Self::Answer) -> Told {
        let refused = answer.errors.into_iter();
        Told {
            position: answer.position,
            received: answer.received,
            duplicates: answer.duplicates,
            refused: refused
                .map(|one| (one.index, one.error.unwrap_or_default()))
                .collect(),
        }
    }
}

/// Events of pages and servers as the growth product takes them.
#[derive(Debug)]
pub(super) struct Growth;

impl Intake for Growth {
    type Item = growth::EventItem;
    type Step = growth::StreamEventsRequest;
    type Answer = growth::StreamEventsResponse;

    const ITEM: &'static str = "apex.growth.v1.EventItem";

    fn refused(why: String) -> Self::Item {
        growth::EventItem {
            parse_error: why,
            ..Default::default()
        }
    }

    fn step(stream: String, position: i64, events: Vec<Self::Item>) -> Self::Step {
        growth::StreamEventsRequest {
            stream,
            position,
            events,
        }
    }

    async fn open(
        channel: Targeted,
        steps: ReceiverStream<Self::Step>,
    ) -> Result<Streaming<Self::Answer>, Status> {
        let mut service = EventServiceClient::new(channel);
        Ok(service.stream_events(steps).await?.into_inner())
    }

    fn told(answer: Self::Answer) -> Told {
        let refused = answer.errors.into_iter();
        Told {
            position: answer.position,
            received: answer.received,
            duplicates: answer.duplicates,
            refused: refused.map(|one| (one.index, one.message)).collect(),
        }
    }
}
