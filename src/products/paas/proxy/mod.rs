//! The way in to public services: by host name, to whichever of their containers are
//! ready. It has a port of its own, so that what services answer shares no origin, no
//! cookies and no limits with this server.

mod forward;
mod routes;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::auth::OrganizationId;
use crate::config;
use forward::Forwarder;

pub(super) use routes::Member;
pub use routes::Routes;

/// Connections at once at the most.
const CONNECTIONS: usize = 10_000;
/// How long a client may take for the head of a request.
const HEAD: Duration = Duration::from_secs(15);
/// How long requests may take to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// How public services are called.
#[derive(Debug)]
pub(super) struct Front {
    domain: String,
    port: Option<u16>,
    pub(super) routes: Arc<Routes>,
}

impl Front {
    pub(super) fn new(config: &config::Paas, port: Option<u16>, routes: Arc<Routes>) -> Self {
        Self {
            domain: config.domain.to_ascii_lowercase(),
            port,
            routes,
        }
    }

    /// The host name of a service.
    pub(super) fn host(&self, name: &str, organization: OrganizationId) -> String {
        format!("{name}.{organization}.{}", self.domain)
    }

    /// Whether a name is this installation's to give.
    pub(super) fn is_own(&self, host: &str) -> bool {
        let below = host.strip_suffix(self.domain.as_str());
        below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// Where a service is reached, if the proxy runs.
    pub(super) fn url(&self, name: &str, organization: OrganizationId) -> Option<String> {
        let host = self.host(name, organization);
        match self.port? {
            80 => Some(format!("http://{host}/")),
            port => Some(format!("http://{host}:{port}/")),
        }
    }
}

/// The proxy, ready to serve.
#[derive(Debug)]
pub struct Proxy {
    listener: TcpListener,
    forwarder: Arc<Forwarder>,
}

impl Proxy {
    /// Takes the port.
    pub async fn bind(address: SocketAddr, routes: Arc<Routes>) -> std::io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            forwarder: Arc::new(Forwarder::new(routes)),
        })
    }

    /// The port it has.
    pub fn port(&self) -> Option<u16> {
        self.listener.local_addr().ok().map(|own| own.port())
    }

    /// Serves until `stop` turns true; what is under way may finish.
    pub async fn serve(self, mut stop: watch::Receiver<bool>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let stopped = async { stop.wait_for(|stop| *stop).await.is_ok() };
            let accepted = async {
                let place = places.clone().acquire_owned().await;
                (place, self.listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                accepted = accepted => accepted,
                _ = stopped => break,
            };
            let Ok(place) = place else { break };
            match accepted {
                Ok((stream, peer)) => {
                    let forwarder = self.forwarder.clone();
                    tokio::spawn(connection(
                        stream,
                        peer.ip(),
                        forwarder,
                        place,
                        stop.clone(),
                    ));
                }
                // Too many files are open: wait for some to be closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        let all = places.acquire_many(CONNECTIONS as u32);
        let _ = tokio::time::timeout(DRAIN, all).await;
    }
}

async fn connection(
    stream: TcpStream,
    peer: IpAddr,
    forwarder: Arc<Forwarder>,
    place: OwnedSemaphorePermit,
    mut stop: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD);
    builder.http2().timer(TokioTimer::new());
    let service = service_fn(move |request| {
        let forwarder = forwarder.clone();
        async move { Ok::<_, std::convert::Infallible>(forwarder.answer(request, peer).await) }
    });
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let stopped = async { stop.wait_for(|stop| *stop).await.is_ok() };
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopped => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
    drop(place);
}
