//! Accepts connections, plain, encrypted and on the operator's socket, and serves
//! HTTP/1.1 and HTTP/2 on each. Nothing waits without a bound, and a drain lets
//! requests finish before it ends what is left.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::header::CONNECTION;
use http::{HeaderValue, Request, Version};
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::activity::{Activity, Verdict};
use super::client::Peer;
use super::company::Company;
use super::crowd::Crowd;
use super::held::Held;
use super::shared::Shared;
use super::stack::Stack;
use super::wire::Wire;
use crate::config::Transport;

/// Bytes of a connection of HTTP/1.1 that are buffered.
const HTTP1_BUFFER: usize = 128 * 1024;

/// Streams the server may be made to reset in the life of a connection of HTTP/2. An
/// attacker makes it do so on purpose; but part of an upload that was refused, which
/// was on its way, counts too, so that honest connections come to thousands.
const RESETS: usize = 10_000;

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
    let server = Server {
        stack,
        closing: shared.closing.subscribe(),
        shared: shared.clone(),
    };
    let mut connections = JoinSet::new();
    let mut trouble = Trouble::default();
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
                Err(error) => trouble.pause(&error).await,
            },
            accepted = accept_operator(listener.operator.as_ref()) => match accepted {
                Ok(stream) => {
                    let server = server.clone();
                    connections.spawn(async move { server.operator(stream).await });
                }
                Err(error) => trouble.pause(&error).await,
            },
            Some(_) = connections.join_next() => {}
            () = turned(&mut stop) => break,
        }
    }
    drop(listener);
    shared.closing.send_replace(true);
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

/// Connections that cannot be accepted.
#[derive(Default)]
struct Trouble {
    told: Option<Instant>,
}

impl Trouble {
    /// Out of descriptors, most likely: others will close. It is said at once, and
    /// then every ten seconds.
    async fn pause(&mut self, error: &io::Error) {
        let long_ago = |told: Instant| told.elapsed() > Duration::from_secs(10);
        if self.told.is_none_or(long_ago) {
            tracing::warn!(%error, "cannot accept a connection");
            self.told = Some(Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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

#[derive(Clone)]
struct Server {
    stack: Stack,
    shared: Arc<Shared>,
    closing: watch::Receiver<bool>,
}

impl Server {
    async fn tcp(
        mut self,
        stream: tokio::net::TcpStream,
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
    ) {
        let shared = self.shared.clone();
        let bounds = &shared.transport;
        let mut peer = Peer {
            address: Some(address),
            secure: false,
        };
        // Nothing bounds the wait for the first byte but this.
        let mut byte = [0];
        let first = tokio::time::timeout(bounds.first_byte_timeout.0, stream.peek(&mut byte));
        match self.unless_closing(first).await {
            Some(Ok(Ok(n))) if n > 0 => {}
            Some(_) | None => return,
        }
        let Some(tls) = tls else {
            return self.connection(stream, peer).await;
        };
        let handshake = tokio::time::timeout(bounds.tls_timeout.0, tls.accept(stream));
        let failure = match self.unless_closing(handshake).await {
            Some(Ok(Ok(stream))) => {
                peer.secure = true;
                return self.connection(stream, peer).await;
            }
            Some(Ok(Err(error))) => error.to_string(),
            Some(Err(_)) => "it took too long".to_owned(),
            None => return,
        };
        shared.metrics.tls_failures.inc();
        tracing::debug!(client = %address.ip(), failure, "TLS handshake failed");
    }

    /// Waits for something nobody needs once the server closes.
    async fn unless_closing<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = turned(&mut self.closing) => None,
        }
    }

    async fn operator(self, stream: tokio::net::UnixStream) {
        self.connection(stream, operator_peer()).await;
    }

    async fn connection<I>(mut self, io: I, peer: Peer)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shared = self.shared.clone();
        let bounds = &shared.transport;
        let salt = peer.address.map_or(0, |address| address.port());
        let activity = Arc::new(Activity::new(bounds, salt));
        let stack = self.stack.clone();
        let counted = activity.clone();
        let carries_several = Arc::new(AtomicBool::new(false));
        let several = carries_several.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let turn = counted.begin();
            several.store(request.version() == Version::HTTP_2, Ordering::Relaxed);
            let long = has_long_body(&request);
            let answer = stack.serve(peer, request);
            // A request is over when its answer is, and a stream may take long.
            async move {
                let mut answer = answer.await?;
                if long && !answer.status().is_success() {
                    // What is left of the body may not be read: the connection ends,
                    // which a client that means to use it again must know.
                    let close = HeaderValue::from_static("close");
                    answer.headers_mut().insert(CONNECTION, close);
                }
                Ok::<_, Infallible>(answer.map(|body| Held::new(body, turn)))
            }
        });
        let builder = builder(bounds);
        let io = TokioIo::new(Wire::new(io, bounds));
        let connection = builder.serve_connection(io, service);
        let connection = Company::new(connection, carries_several);
        tokio::pin!(connection);
        let mut closing = None;
        loop {
            let quiet = match closing {
                None => activity.quiet_for(bounds),
                Some(_) => Duration::from_millis(250),
            };
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "connection ended");
                    }
                    return;
                }
                () = tokio::time::sleep(quiet) => match activity.verdict(bounds) {
                    Verdict::End => return,
                    // A client may ignore that the server goes.
                    _ if closing.is_some_and(|at: Instant| activity.is_over(at.elapsed())) => {
                        return;
                    }
                    Verdict::Drain => connection.as_mut().connection().graceful_shutdown(),
                    Verdict::Keep => {}
                },
                () = turned(&mut self.closing), if closing.is_none() => {
                    closing = Some(Instant::now());
                    connection.as_mut().connection().graceful_shutdown();
                }
            }
        }
    }
}

/// Whether a request of HTTP/1 has a body that may not have come with its head.
fn has_long_body(request: &Request<Incoming>) -> bool {
    const SHORT: u64 = 4096;
    let length = request.body().size_hint().upper();
    request.version() < Version::HTTP_2 && length.is_none_or(|length| length > SHORT)
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
        // Above what a header list and a path may have, which are refused in words.
        .max_buf_size(HTTP1_BUFFER)
        .max_headers(128);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.max_streams)
        .max_header_list_size(bounds.max_header_bytes)
        .max_local_error_reset_streams(RESETS)
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .keep_alive_interval(bounds.ping_interval.0)
        .keep_alive_timeout(bounds.ping_timeout.0);
    builder
}
