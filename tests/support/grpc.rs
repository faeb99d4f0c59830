//! gRPC with the generated clients, and the details of its failures.

use apex::api::apex::account::v1 as account;
use apex::api::apex::metrics::v1 as metrics;
use tonic::metadata::MetadataMap;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

/// Adds metadata to every call.
#[derive(Debug, Clone, Default)]
pub struct Metadata(pub Vec<(&'static str, String)>);

impl Interceptor for Metadata {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for (name, value) in &self.0 {
            request
                .metadata_mut()
                .insert(*name, value.parse().expect("ASCII"));
        }
        Ok(request)
    }
}

/// A channel with metadata.
pub type Calls = InterceptedService<Channel, Metadata>;

/// Connects to a server.
pub async fn channel(url: &str) -> Channel {
    Channel::from_shared(url.to_owned())
        .expect("an address")
        .connect()
        .await
        .expect("a connection")
}

/// A channel with a bearer token.
pub async fn with_key(url: &str, key: &str) -> Calls {
    let metadata = Metadata(vec![("authorization", format!("Bearer {key}"))]);
    InterceptedService::new(channel(url).await, metadata)
}

/// A metrics client.
pub async fn metrics(
    url: &str,
    key: &str,
) -> metrics::metrics_service_client::MetricsServiceClient<Calls> {
    metrics::metrics_service_client::MetricsServiceClient::new(with_key(url, key).await)
}

/// A client for projects.
pub async fn projects(
    url: &str,
    key: &str,
) -> account::project_service_client::ProjectServiceClient<Calls> {
    account::project_service_client::ProjectServiceClient::new(with_key(url, key).await)
}

/// The reason a failure gives.
pub fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    details
        .error_info()
        .map(|info| info.reason.clone())
        .unwrap_or_default()
}

/// A value of the metadata as text.
pub fn text<'m>(metadata: &'m MetadataMap, name: &str) -> Option<&'m str> {
    metadata.get(name)?.to_str().ok()
}
