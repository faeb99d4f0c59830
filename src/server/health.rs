//! `grpc.health.v1.Health`: whether the services here are served, asked once or
//! watched. They all come and go together, with the process.

use std::collections::HashSet;

use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::call::{Call, Replies};
use super::dispatch::{self, GrpcService};
use super::pace;
use crate::error::Error;

/// Full name of the service.
pub const NAME: &str = "grpc.health.v1.Health";

struct Service {
    names: HashSet<&'static str>,
    serving: watch::Receiver<bool>,
}

/// The service, for the services of these names, while `serving` is true.
pub fn service(
    names: impl IntoIterator<Item = &'static str>,
    serving: watch::Receiver<bool>,
) -> GrpcService {
    // The empty name asks for the server as a whole.
    let names = names.into_iter().chain([""]).collect();
    let mut server = HealthServer::new(Service { names, serving });
    for encoding in dispatch::ENCODINGS {
        server = server.accept_compressed(encoding).send_compressed(encoding);
    }
    dispatch::grpc(server)
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

fn status_of(serving: bool) -> ServingStatus {
    match serving {
        true => ServingStatus::Serving,
        false => ServingStatus::NotServing,
    }
}

#[tonic::async_trait]
impl Health for Service {
    type WatchStream = Replies<HealthCheckResponse>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !self.names.contains(request.get_ref().service.as_str()) {
            return Err(Status::not_found("There is no such service"));
        }
        Ok(Response::new(answer(status_of(*self.serving.borrow()))))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let call = request.extensions().get::<Call>().cloned();
        let call = call.ok_or_else(|| Status::internal("Internal server error"))?;
        let replies = match self.names.contains(request.get_ref().service.as_str()) {
            true => changes(call.clone(), self.serving.clone()),
            false => unknown(),
        };
        Ok(Response::new(pace::until_deadline(&call, replies)))
    }
}

/// The status now and whenever it changes. A server that goes does not come back,
/// and who kept watching it would only hold it up.
fn changes(call: Call, serving: watch::Receiver<bool>) -> Replies<HealthCheckResponse> {
    Box::pin(WatchStream::new(serving).flat_map(move |serving| {
        let gone = (!serving).then(|| {
            let error = Error::unavailable("The server is shutting down");
            Err(call.status_of(error.reason("SHUTTING_DOWN")))
        });
        stream::iter([Ok(answer(status_of(serving)))].into_iter().chain(gone))
    }))
}

/// A service that is unknown may come to be known: the protocol has the watcher
/// told and kept.
fn unknown() -> Replies<HealthCheckResponse> {
    let told = stream::iter([Ok(answer(ServingStatus::ServiceUnknown))]);
    Box::pin(told.chain(stream::pending()))
}
