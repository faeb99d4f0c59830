//! Reads back what a server has stored.

use apex::api::apex::metrics::v1 as pb;

use crate::support::grpc;

/// Every stored event of a key's project, in the order received.
pub async fn events(url: &str, key: &str) -> Vec<pb::StoredEvent> {
    let mut client = grpc::metrics(url, key).await;
    let request = pb::ExportEventsRequest::default();
    let mut pages = client.export_events(request).await.unwrap().into_inner();
    let mut found = Vec::new();
    while let Some(page) = pages.message().await.unwrap() {
        found.extend(page.events);
    }
    found
}
