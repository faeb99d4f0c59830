//! `apex events export`.

use prost::Message as _;

use crate::api::SCHEMA;
use crate::api::apex::metrics::v1 as pb;
use crate::cli::client::{Client, Target};
use crate::cli::{Context, Failure, Outcome};
use crate::policy::Profile;
use crate::transcode::json::{Rules, encode};
use pb::metrics_service_client::MetricsServiceClient;

/// Prints the events of a period, one per line.
pub(super) async fn export(
    context: &Context,
    project: String,
    from: Option<jiff::Timestamp>,
    to: Option<jiff::Timestamp>,
) -> Outcome {
    let client = Client::connect(context).await?;
    let target = Target {
        organization: None,
        project: Some(project),
    };
    let time = |at: jiff::Timestamp| crate::products::timestamp(at.as_microsecond());
    let request = pb::ExportEventsRequest {
        from: from.map(time),
        to: to.map(time),
    };
    let mut service = MetricsServiceClient::new(client.targeted(target));
    let mut pages = service.export_events(request).await?.into_inner();
    let rules = Rules::of(Profile::Lenient);
    let id = SCHEMA.find("apex.metrics.v1.StoredEvent");
    while let Some(page) = pages.message().await? {
        for mut event in page.events {
            // The id by which an import knows it again, and a client that repeats it.
            if let Some(own) = event.client_id.take() {
                event.event_id = own;
            }
            let mut line = Vec::new();
            if let Some(id) = id {
                let written =
                    encode::message(&SCHEMA, rules, id, &event.encode_to_vec(), &mut line);
                written.map_err(|error| Failure::Failed(error.to_string()))?;
            }
            // Properties are kept as they were sent. What ends a line in them is never
            // inside of a string.
            let line = String::from_utf8_lossy(&line).replace(['\n', '\r'], " ");
            context.output.line(&line);
        }
    }
    client.finish().await
}
