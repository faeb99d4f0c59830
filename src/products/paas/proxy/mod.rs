//! The way in to public services: by host name, to whichever of their containers are
//! ready. It has a port of its own, so that what services answer shares no origin, no
//! cookies and no limits with this server.

mod forward;
mod patience;
mod routes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::auth::OrganizationId;
use crate::config;
use crate::server::{Activity, Crowd, Held, Place, Shared, Verdict};
use forward::{Asker, Forwarder};

pub(super) use routes::Member;
pub use routes::Routes;

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

/// The proxy, ready to serve. Its clients are borne with as the server's own are.
pub struct Proxy {
    listener: TcpListener,
    forwarder: Arc<Forwarder>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").finish_non_exhaustive()
    }
}

impl Proxy {
    /// Takes the port.
    pub async fn bind(
        address: SocketAddr,
        routes: Arc<Routes>,
        shared: Arc<Shared>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            forwarder: Arc::new(Forwarder::new(routes)),
            shared,
        })
    }

    /// The port it has.
    pub fn port(&self) -> Option<u16> {
        self.listener.local_addr().ok().map(|own| own.port())
    }

    /// Serves until `stop` turns true; what is under way may finish.
    pub async fn serve(self, mut stop: watch::Receiver<bool>) {
        let crowd = Crowd::new(self.shared.clone());
        let mut connections = JoinSet::new();
        loop {
            let stopped = async { stop.wait_for(|stop| *stop).await.is_ok() };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
                _ = stopped => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let Some(place) = crowd.enter(peer.ip()) else {
                        continue;
                    };
                    let connection = Connection {
                        forwarder: self.forwarder.clone(),
                        shared: self.shared.clone(),
                        peer,
                        place: Arc::new(place),
                    };
                    connections.spawn(connection.serve(stream, stop.clone()));
                }
                // Too many files are open: wait for some to be closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(DRAIN, all).await;
    }
}

/// A client's connection.
struct Connection {
    forwarder: Arc<Forwarder>,
    shared: Arc<Shared>,
    peer: SocketAddr,
    place: Arc<Place>,
}

impl Connection {
    async fn serve(self, stream: TcpStream, mut stop: watch::Receiver<bool>) {
        let shared = self.shared.clone();
        let bounds = &shared.transport;
        let _ = stream.set_nodelay(true);
        // Nothing bounds the wait for the first byte but this.
        let mut byte = [0];
        let first = timeout(bounds.first_byte_timeout.0, stream.peek(&mut byte));
        if !matches!(first.await, Ok(Ok(read)) if read > 0) {
            return;
        }
        let activity = Arc::new(Activity::new(bounds, self.peer.port()));
        let counted = activity.clone();
        let service = service_fn(move |request| {
            let turn = counted.begin();
            let forwarder = self.forwarder.clone();
            let asker = Asker {
                address: self.peer.ip(),
                is_proxy: self.shared.is_proxy(self.peer.ip()),
                place: self.place.clone(),
                patience: self.shared.transport.body_timeout.0,
            };
            async move {
                let answer = forwarder.answer(request, asker).await;
                Ok::<_, std::convert::Infallible>(answer.map(|body| Held::new(body, turn)))
            }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.header_timeout.0);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(bounds.max_streams);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let mut stopping = false;
        loop {
            let stopped = async { stop.wait_for(|stop| *stop).await.is_ok() };
            tokio::select! {
                _ = connection.as_mut() => return,
                () = tokio::time::sleep(activity.quiet_for(bounds)) => {
                    match activity.verdict(bounds) {
                        Verdict::End => return,
                        Verdict::Drain => connection.as_mut().graceful_shutdown(),
                        Verdict::Keep => {}
                    }
                }
                _ = stopped, if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}
