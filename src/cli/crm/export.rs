//! `apex crm export`.

use std::io::Write as _;

use super::Format;
use crate::api::apex::crm::v1 as pb;
use crate::cli::client::{Client, Target};
use crate::cli::{Context, Outcome};
use pb::export_service_client::ExportServiceClient;

/// Prints the records of a resource.
pub(super) async fn export(
    context: &Context,
    organization: i64,
    (resource, url_query): (String, String),
    format: Format,
) -> Outcome {
    let client = Client::connect(context).await?;
    let target = Target {
        organization: Some(organization),
        project: None,
    };
    let request = pb::ExportRecordsRequest {
        resource,
        url_query,
        find: None,
        format: format.word(),
    };
    let mut service = ExportServiceClient::new(client.targeted(target));
    let mut pieces = service.export_records(request).await?.into_inner();
    while let Some(piece) = pieces.message().await? {
        if std::io::stdout().write_all(&piece.data).is_err() {
            // Whoever reads has seen enough.
            break;
        }
    }
    client.finish().await
}
