//! Bare tonic: a unary echo over h2c.

use std::net::SocketAddr;

use tonic::{Request, Response, Status};

use crate::Outcome;

#[allow(missing_docs)]
mod generated {
    tonic::include_proto!("baselines.v1");
}

use generated::echo_server::{Echo, EchoServer};

#[derive(Debug)]
struct Service;

#[tonic::async_trait]
impl Echo for Service {
    async fn echo(
        &self,
        request: Request<generated::Message>,
    ) -> Result<Response<generated::Message>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

/// Serves the echo.
pub(crate) async fn echo(listen: SocketAddr) -> Outcome {
    let server = tonic::transport::Server::builder().add_service(EchoServer::new(Service));
    Ok(server.serve(listen).await?)
}
