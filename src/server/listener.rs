//! Accepts connections, plain, encrypted and on the operator's socket, and serves
//! HTTP/1.1 and HTTP/2 on each. Nothing waits without a bound, and a drain lets
//! requests finish before it ends what is left.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::Service as _;

use super::client::Peer;
use super::held::Held;
use super::shared::Shared;
use super::stack::Stack;
use crate::config::Transport;

/// Where connections come from.
pub struct Listener {
    /// The port.
    pub tcp: TcpListener,
    /// How to encrypt, if at all.
    pub tls: Option<TlsAcceptor>,
    /// The operator's socket.
    pub operator: Option<UnixListener>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener")
            .field("tcp", &self.tcp)
            .finish_non_exhaustive()
    }
}

/// Serves until `stop` turns true, then drains.
pub async fn serve(
    listener: Listener,
    stack: Stack,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let crowd = Crowd::new(shared.clone());
    let (drain, draining) = watch::channel(false);
    let server = Server {
        stack,
        shared: shared.clone(),
        draining,
    };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.tcp.accept() => match accepted {
                Ok((stream, address)) => {
                    let Some(place) = crowd.enter(address.ip()) else {
                        continue;
                    };
                    // Answers are written whole; waiting to fill a packet only delays.
                    let _ = stream.set_nodelay(true);
                    let (server, tls) = (server.clone(), listener.tls.clone());
                    connections.spawn(async move {
                        let _place = place;
                        server.tcp(stream, address, tls).await;
                    });
                }
                Err(error) => pause(&error).await,
            },
            accepted = accept_operator(listener.operator.as_ref()) => match accepted {
                Ok(stream) => {
                    let server = server.clone();
                    connections.spawn(async move { server.operator(stream).await });
                }
                Err(error) => pause(&error).await,
            },
            Some(_) = connections.join_next() => {}
            () = turned(&mut stop) => break,
        }
    }
    drop(listener);
    let _ = drain.send(true);
    let deadline = tokio::time::sleep(shared.transport.drain_timeout.0);
    tokio::pin!(deadline);
    while !connections.is_empty() {
        tokio::select! {
            _ = connections.join_next() => {}
            () = &mut deadline => {
                tracing::warn!(connections = connections.len(), "ending connections that did not drain");
                break;
            }
        }
    }
    connections.shutdown().await;
}

/// Out of descriptors, most likely: others will close.
async fn pause(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn accept_operator(listener: Option<&UnixListener>) -> io::Result<tokio::net::UnixStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

/// The other end of a connection of the operator's: its socket can be opened by
/// nobody else, nor can a connection that never leaves the process.
pub(crate) fn operator_peer() -> Peer {
    Peer {
        address: None,
        secure: false,
    }
}

/// Connections at once, in all and per address.
#[derive(Clone)]
struct Crowd {
    shared: Arc<Shared>,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    all: Arc<AtomicUsize>,
}

/// One connection's place in the crowd.
struct Place {
    crowd: Crowd,
    address: IpAddr,
}

impl Crowd {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            by_address: Arc::default(),
            all: Arc::default(),
        }
    }

    fn enter(&self, address: IpAddr) -> Option<Place> {
        let bounds = &self.shared.transport;
        if self.all.load(Ordering::Relaxed) >= bounds.max_connections {
            return None;
        }
        let mut by_address = self
            .by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(address).or_default();
        if *count >= bounds.max_connections_per_address {
            return None;
        }
        *count += 1;
        self.all.fetch_add(1, Ordering::Relaxed);
        self.shared.metrics.connections.inc();
        Some(Place {
            crowd: self.clone(),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let crowd = &self.crowd;
        crowd.all.fetch_sub(1, Ordering::Relaxed);
        crowd.shared.metrics.connections.dec();
        let mut by_address = crowd
            .by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

#[derive(Clone)]
struct Server {
    stack: Stack,
    shared: Arc<Shared>,
    draining: watch::Receiver<bool>,
}

impl Server {
    async fn tcp(
        self,
        stream: tokio::net::TcpStream,
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
    ) {
        let bounds = &self.shared.transport;
        let mut peer = Peer {
            address: Some(address),
            secure: false,
        };
        // Nothing bounds the wait for the first byte but this.
        let mut byte = [0];
        let first = tokio::time::timeout(bounds.first_byte_timeout.0, stream.peek(&mut byte));
        match first.await {
            Ok(Ok(n)) if n > 0 => {}
            Ok(_) | Err(_) => return,
        }
        let Some(tls) = tls else {
            return self.connection(stream, peer).await;
        };
        let handshake = tokio::time::timeout(bounds.tls_timeout.0, tls.accept(stream));
        let failure = match handshake.await {
            Ok(Ok(stream)) => {
                peer.secure = true;
                return self.connection(stream, peer).await;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it took too long".to_owned(),
        };
        self.shared.metrics.tls_failures.inc();
        tracing::debug!(client = %address.ip(), failure, "TLS handshake failed");
    }

    async fn operator(self, stream: tokio::net::UnixStream) {
        self.connection(stream, operator_peer()).await;
    }

    async fn connection<I>(mut self, io: I, peer: Peer)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Arc::new(Activity::new());
        let stack = self.stack.clone();
        let counted = activity.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let turn = counted.clone().begin();
            request.extensions_mut().insert(peer);
            let answer = stack.clone().call(request);
            // A request is over when its answer is, and a stream may take long.
            async move {
                answer
                    .await
                    .map(|answer| answer.map(|body| Held { body, held: turn }))
            }
        });
        let builder = builder(&self.shared.transport);
        let connection = builder.serve_connection(TokioIo::new(io), service);
        tokio::pin!(connection);
        loop {
            let quiet = activity.quiet_for(&self.shared.transport);
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "connection ended");
                    }
                    return;
                }
                () = tokio::time::sleep(quiet) => {
                    match activity.verdict(&self.shared.transport) {
                        Verdict::Keep => {}
                        Verdict::Drain => connection.as_mut().graceful_shutdown(),
                        Verdict::End => return,
                    }
                }
                () = turned(&mut self.draining) => {
                    connection.as_mut().graceful_shutdown();
                    // From here on the drain's own deadline ends it.
                    let _ = connection.await;
                    return;
                }
            }
        }
    }
}

/// Waits for a signal; the guard `wait_for` answers must not be held.
async fn turned(signal: &mut watch::Receiver<bool>) {
    let _ = signal.wait_for(|on| *on).await;
}

fn builder(bounds: &Transport) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_timeout.0)
        .max_headers(128);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.max_streams)
        .max_header_list_size(bounds.max_header_bytes)
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .keep_alive_interval(bounds.ping_interval.0)
        .keep_alive_timeout(bounds.ping_timeout.0);
    builder
}

/// What a connection has been doing, so that an idle one is ended.
struct Activity {
    opened: Instant,
    running: AtomicUsize,
    requests: AtomicUsize,
    /// Milliseconds after opening at which the last request ended.
    last: AtomicI64,
}

/// What becomes of a connection.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Keep,
    Drain,
    End,
}

impl Activity {
    fn new() -> Self {
        Self {
            opened: Instant::now(),
            running: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            last: AtomicI64::new(0),
        }
    }

    fn begin(self: Arc<Self>) -> impl Drop {
        struct Ending(Arc<Activity>);
        impl Drop for Ending {
            fn drop(&mut self) {
                let age = self.0.opened.elapsed().as_millis() as i64;
                self.0.last.store(age, Ordering::Relaxed);
                self.0.running.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.running.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        Ending(self)
    }

    fn idle(&self) -> Duration {
        if self.running.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed).max(0) as u64);
        self.opened.elapsed().saturating_sub(last)
    }

    /// A connection that has asked nothing yet is given as long as its headers.
    fn patience(&self, bounds: &Transport) -> Duration {
        match self.requests.load(Ordering::Relaxed) {
            0 => bounds.header_timeout.0,
            _ => bounds.idle_timeout.0,
        }
    }

    /// How long to wait before the next look.
    fn quiet_for(&self, bounds: &Transport) -> Duration {
        let left = self.patience(bounds).saturating_sub(self.idle());
        left.max(Duration::from_millis(100))
    }

    fn verdict(&self, bounds: &Transport) -> Verdict {
        if self.idle() >= self.patience(bounds) {
            Verdict::End
        } else if self.opened.elapsed() >= bounds.max_age.0 {
            Verdict::Drain
        } else {
            Verdict::Keep
        }
    }
}
