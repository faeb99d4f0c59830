//! The metrics product: custom events, purchases, and analytics over them.

mod analytics;
mod collect;
mod export;
mod ingest;
mod item;
mod money;

use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use tonic::Status;

use crate::api::apex::metrics::v1 as pb;
use crate::api::{BrowserServiceEndpoint, MetricsService, MetricsServiceEndpoint};
use crate::browser::Scripts;
use crate::clock::Clock;
use crate::error::Result;
use crate::events::EventLog;
use crate::products::feed;
use crate::server::dispatch::Endpoint;
use crate::server::{Call, Replies, Reply, Requests};

/// The metrics product. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    events: EventLog,
    clock: Clock,
    scripts: Scripts,
}

impl Metrics {
    /// Makes the product.
    pub fn new(events: EventLog, clock: Clock, scripts: Scripts) -> Self {
        Self {
            events,
            clock,
            scripts,
        }
    }

    /// Its services.
    pub fn endpoints(&self) -> Vec<Arc<dyn Endpoint>> {
        vec![
            Arc::new(MetricsServiceEndpoint::new(self.clone())),
            Arc::new(BrowserServiceEndpoint::new(self.clone())),
        ]
    }
}

impl MetricsService for Metrics {
    async fn send_event(
        &self,
        call: Call,
        request: pb::SendEventRequest,
    ) -> Result<Reply<pb::SendEventResponse>> {
        self.event(&call, request).await.map(Reply::from)
    }

    async fn send_purchase(
        &self,
        call: Call,
        request: pb::SendPurchaseRequest,
    ) -> Result<Reply<pb::SendPurchaseResponse>> {
        self.purchase(&call, request).await.map(Reply::from)
    }

    async fn send_events(
        &self,
        call: Call,
        request: pb::SendEventsRequest,
    ) -> Result<Reply<pb::SendEventsResponse>> {
        self.batch(&call, request).await.map(Reply::from)
    }

    async fn ingest_events(
        &self,
        call: Call,
        requests: Requests<pb::IngestEventsRequest>,
    ) -> Result<Replies<pb::IngestEventsResponse>> {
        let project = call.project_id()?;
        let (feed, events) = (self.clone(), self.events.clone());
        Ok(boxed(feed::stream(feed, events, call, project, requests)))
    }

    async fn get_analytics(
        &self,
        call: Call,
        request: pb::GetAnalyticsRequest,
    ) -> Result<Reply<pb::GetAnalyticsResponse>> {
        self.analytics(&call, &request).await.map(Reply::from)
    }

    async fn export_events(
        &self,
        call: Call,
        request: pb::ExportEventsRequest,
    ) -> Result<Replies<pb::ExportEventsResponse>> {
        let project = call.project()?;
        Ok(boxed(export::stream(
            self.events.clone(),
            call,
            project,
            &request,
        )))
    }
}

fn boxed<T>(
    stream: impl Stream<Item = Result<T, Status>> + Send + 'static,
) -> Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>> {
    Box::pin(stream)
}
