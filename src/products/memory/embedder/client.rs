//! One connection to the embedder, which is kept between two requests. The operator named
//! the address, so any may be dialled.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::Url;

use super::Failure;
use crate::error::{Error, Result};

/// Most bytes of an answer.
const MOST: usize = 32 << 20;

type Sender = SendRequest<Full<Bytes>>;

/// Requests to one address.
pub(super) struct Client {
    url: Url,
    host: HeaderValue,
    key: Option<HeaderValue>,
    tls: TlsConnector,
    /// A connection that nobody uses now.
    idle: Mutex<Option<Sender>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Of a base address such as https://api.openai.com/v1, and a key that may be empty.
    pub(super) fn new(base: &str, key: &str) -> Result<Self> {
        let wrong = |words: &str| Error::invalid(format!("embedding.base_url {words}"));
        let url = format!("{}/embeddings", base.trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|_| wrong("is no address"))?;
        let host = match (url.scheme(), url.host_str(), url.port()) {
            ("http" | "https", Some(host), Some(port)) => format!("{host}:{port}"),
            ("http" | "https", Some(host), None) => host.to_owned(),
            _ => return Err(wrong("is no http or https address")),
        };
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(Error::internal)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let bearer = |key: &str| {
            let mut bearer = HeaderValue::from_str(&format!("Bearer {key}"))
                .map_err(|_| Error::invalid("embedding.api_key is no text of a header"))?;
            bearer.set_sensitive(true);
            Ok::<_, Error>(bearer)
        };
        Ok(Self {
            host: HeaderValue::from_str(&host).map_err(|_| wrong("has no valid host"))?,
            url,
            key: Some(key)
                .filter(|key| !key.is_empty())
                .map(bearer)
                .transpose()?,
            tls: TlsConnector::from(Arc::new(config)),
            idle: Mutex::new(None),
        })
    }

    /// Sends a body; answers status and body.
    pub(super) async fn post(&self, body: String) -> Result<(u16, Bytes), Failure> {
        let body = Bytes::from(body);
        let idle = self.idle.lock().await.take();
        if let Some(mut sender) = idle
            && sender.ready().await.is_ok()
            && let Ok(answer) = self.ask(&mut sender, body.clone()).await
        {
            *self.idle.lock().await = Some(sender);
            return Ok(answer);
        }
        let mut sender = self.connect().await?;
        let answer = self.ask(&mut sender, body).await?;
        *self.idle.lock().await = Some(sender);
        Ok(answer)
    }

    async fn ask(&self, sender: &mut Sender, body: Bytes) -> Result<(u16, Bytes), Failure> {
        let mut request = Request::post(self.url.path())
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, key);
        }
        let request = request.body(Full::new(body));
        let request = request.map_err(|_| "no request could be made")?;
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|_| "the connection ended early")?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), MOST).collect().await;
        let body = body.map_err(|_| "the answer ended early, or did not end")?;
        Ok((status, body.to_bytes()))
    }

    async fn connect(&self) -> Result<Sender, Failure> {
        let port = self.url.port_or_known_default().unwrap_or_default();
        let host = self.url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((bare, port)).await;
        let stream = stream.map_err(|_| "no connection could be made")?;
        let _ = stream.set_nodelay(true);
        if self.url.scheme() != "https" {
            return shake(stream).await;
        }
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| "its host is not valid")?;
        let stream = self.tls.connect(name, stream).await;
        shake(stream.map_err(|_| "no secure connection could be made")?).await
    }
}

async fn shake<S>(stream: S) -> Result<Sender, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(|_| "the connection ended early")?;
    // It ends with the sender.
    tokio::spawn(connection);
    Ok(sender)
}
