//! Sends one request to an address somebody chose. The address is looked up here, so
//! that the one that is dialled is the one that was checked; nothing is followed, and
//! of the answer only the status is of interest.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::Url;

use super::reach::{Reach, is_port};
use crate::error::{Error, Result};

/// Most bytes of an answer that are read before the connection is ended.
const MOST_ANSWER: usize = 64 * 1024;
/// Addresses of a name that are tried.
const TRIED: usize = 3;
/// How long one of them may take to answer at all.
const CONNECT: Duration = Duration::from_secs(4);

/// Sends requests. Cheap to clone.
#[derive(Clone)]
pub(super) struct Sender {
    tls: TlsConnector,
    reach: Reach,
    timeout: Duration,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender")
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

/// A request to be sent.
pub(super) struct Letter {
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// Why a request was not answered, in words its owner may read. What the other side
/// said is not among them.
pub(super) type Failure = &'static str;

impl Sender {
    /// Makes a sender that trusts the public authorities.
    pub(super) fn new(reach: Reach, timeout: Duration) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(Error::internal)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            reach,
            timeout,
        })
    }

    /// Sends a request and answers the status it was given.
    pub(super) async fn post(&self, letter: Letter) -> Result<u16, Failure> {
        let sent = tokio::time::timeout(self.timeout, self.exchange(letter));
        sent.await.map_err(|_| "no answer in time")?
    }

    async fn exchange(&self, letter: Letter) -> Result<u16, Failure> {
        let url = Url::parse(&letter.url).map_err(|_| "the address cannot be read")?;
        let host = url.host_str().ok_or("the address has no host")?.to_owned();
        let stream = self.connect(&url).await?;
        if url.scheme() != "https" {
            return speak(stream, &url, letter).await;
        }
        let bare = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = ServerName::try_from(bare).map_err(|_| "the address has no valid host")?;
        let stream = self.tls.connect(name, stream).await;
        let stream = stream.map_err(|_| "no secure connection could be made")?;
        speak(stream, &url, letter).await
    }

    /// Connects to an address of the host that may be reached.
    async fn connect(&self, url: &Url) -> Result<TcpStream, Failure> {
        let port = url.port_or_known_default().unwrap_or_default();
        if !is_port(port) {
            return Err("the address must not be called");
        }
        let found = addresses(url, port).await?;
        let is_plain = url.scheme() != "https";
        let may = |address: &&SocketAddr| match is_plain {
            true => self.reach.names(address.ip()),
            false => self.reach.admits(address.ip()),
        };
        let admitted: Vec<&SocketAddr> = found.iter().filter(may).take(TRIED).collect();
        if admitted.is_empty() {
            return Err("the address must not be called");
        }
        for address in admitted {
            let connected = tokio::time::timeout(CONNECT, TcpStream::connect(address)).await;
            if let Ok(Ok(stream)) = connected {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
        }
        Err("no connection could be made")
    }
}

/// Looks a host up.
async fn addresses(url: &Url, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let name = match url.host() {
        Some(url::Host::Ipv4(address)) => return Ok(vec![(address, port).into()]),
        Some(url::Host::Ipv6(address)) => return Ok(vec![(address, port).into()]),
        Some(url::Host::Domain(name)) => name,
        None => return Err("the address has no host"),
    };
    let found = tokio::net::lookup_host((name, port)).await;
    Ok(found.map_err(|_| "the host was not found")?.collect())
}

async fn speak<S>(stream: S, url: &Url, letter: Letter) -> Result<u16, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |_| "the connection ended early";
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(failed)?;
    // It ends with the sender, or with this call.
    let driver = tokio::spawn(connection);
    let _ends = Ends(driver.abort_handle());
    let answer = sender.send_request(request(url, letter)?).await;
    let answer = answer.map_err(failed)?;
    let status = answer.status().as_u16();
    // Read, so that the other side is not cut off while it speaks; kept, it is not.
    let _ = Limited::new(answer.into_body(), MOST_ANSWER)
        .collect()
        .await;
    Ok(status)
}

struct Ends(tokio::task::AbortHandle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn request(url: &Url, letter: Letter) -> Result<Request<Full<Bytes>>, Failure> {
    let mut path = url.path().to_owned();
    if let Some(query) = url.query() {
        path.push('?');
        path.push_str(query);
    }
    let host = url.host_str().unwrap_or_default();
    let host = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let mut request = Request::post(path)
        .header(header::HOST, host)
        .header(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )
        .header(header::USER_AGENT, HeaderValue::from_static(AGENT));
    for (name, value) in letter.headers {
        request = request.header(name, value);
    }
    let body = Full::new(Bytes::from(letter.body));
    request
        .body(body)
        .map_err(|_| "the request could not be made")
}

const AGENT: &str = concat!("Apex-Webhooks/", env!("CARGO_PKG_VERSION"));
