//! How administrative commands reach the services: through the socket of the
//! server that owns the data directory or, if nobody does, by opening the same
//! services in this process. Either way they are a gRPC client.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::UnixStream;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Uri};

use super::{Context, Failure, Outcome};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, Runtime};
use crate::server::listener::operator_peer;

/// A way to the services.
#[derive(Debug)]
pub(super) struct Client {
    channel: Channel,
    /// The services, when they are in this process.
    app: Option<App>,
}

/// Names the organization and the project a call is for.
#[derive(Debug, Clone, Default)]
pub(super) struct Target {
    pub(super) organization: Option<i64>,
    pub(super) project: Option<String>,
}

/// A channel that names a target with every call.
pub(super) type Targeted = InterceptedService<Channel, Target>;

impl Interceptor for Target {
    fn call(
        &mut self,
        mut request: tonic::Request<()>,
    ) -> Result<tonic::Request<()>, tonic::Status> {
        if let Some(organization) = self.organization {
            request
                .metadata_mut()
                .insert("x-organization", organization.into());
        }
        if let Some(project) = &self.project {
            let value = AsciiMetadataValue::try_from(project.as_str())
                .map_err(|_| tonic::Status::invalid_argument("the project's name is not ASCII"))?;
            request.metadata_mut().insert("x-project", value);
        }
        Ok(request)
    }
}

impl Client {
    /// Finds a way to the services.
    pub(super) async fn connect(context: &Context) -> Outcome<Self> {
        let config = &context.config;
        let Some(owner) = context.claim()? else {
            return Self::socket(config.socket_path()).await;
        };
        // Who administers runs nothing.
        let config = Config {
            runtime: Runtime::None,
            ..config.clone()
        };
        let app = App::open(&config, owner, Clock::system()).await?;
        let channel = in_process(&app).await?;
        Ok(Self {
            channel,
            app: Some(app),
        })
    }

    /// Connects to a running server.
    async fn socket(path: PathBuf) -> Outcome<Self> {
        let connected = dial(&path).await;
        let channel = connected.map_err(|error| {
            Failure::Failed(format!(
                "cannot reach the server at {}: {error}",
                path.display()
            ))
        })?;
        Ok(Self { channel, app: None })
    }

    /// Connects to the running server again, which may be starting anew. Only the
    /// server may take the data directory meanwhile.
    pub(super) async fn reconnect(&mut self, context: &Context) -> Outcome {
        let path = context.config.socket_path();
        for _ in 0..120 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if let Ok(channel) = dial(&path).await {
                self.channel = channel;
                return Ok(());
            }
        }
        Err(Failure::Failed(
            "the server did not come back within a minute".to_owned(),
        ))
    }

    /// Does in this process what a server does in the background, unless there is one.
    pub(super) fn work(&self) {
        if let Some(app) = &self.app {
            app.crm.start_imports();
        }
    }

    /// Whether the services are another process's.
    pub(super) fn is_remote(&self) -> bool {
        self.app.is_none()
    }

    /// The plain channel.
    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A channel for calls to a target.
    pub(super) fn targeted(&self, target: Target) -> Targeted {
        InterceptedService::new(self.channel.clone(), target)
    }

    /// Writes down what is only in memory; the process is about to end.
    pub(super) async fn finish(self) -> Outcome {
        if let Some(app) = self.app {
            app.account.flush().await?;
            app.close().await;
        }
        Ok(())
    }
}

/// A way to services that are in this process.
pub(super) async fn within(app: &App, target: Target) -> Outcome<Targeted> {
    let channel = in_process(app).await?;
    Ok(InterceptedService::new(channel, target))
}

async fn dial(path: &Path) -> Result<Channel, tonic::transport::Error> {
    let path = Arc::new(path.to_owned());
    let connector = tower::service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path.as_path()).await.map(TokioIo::new) }
    });
    endpoint().connect_with_connector(connector).await
}

/// Serves one connection that never leaves the process.
async fn in_process(app: &App) -> Outcome<Channel> {
    let (near, far) = tokio::io::duplex(256 * 1024);
    let stack = app.stack.clone();
    tokio::spawn(async move {
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            stack.serve(operator_peer(), request)
        });
        let server = auto::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(TokioIo::new(far), service).await;
    });
    let near = Mutex::new(Some(near));
    let connector = tower::service_fn(move |_: Uri| {
        let near = near.lock().unwrap_or_else(PoisonError::into_inner).take();
        let gone = || std::io::Error::other("the connection is used up");
        std::future::ready(near.map(TokioIo::new).ok_or_else(gone))
    });
    let connected = endpoint().connect_with_connector(connector).await;
    connected.map_err(|error| Failure::Failed(error.to_string()))
}

fn endpoint() -> Endpoint {
    // Every connection is made by a connector; the address only has to be one.
    Endpoint::from_static("http://apex.sock")
}
