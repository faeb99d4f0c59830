//! TLS itself, by hand: what is agreed on, what fails, and that a failure is
//! nobody else's. Real clients speak over it in the other modules.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
};

use super::certificate::Certificate;
use super::setup::{Setup, Wire};
use crate::support::server::PASSWORD;

/// A client's side of TLS.
struct Client {
    roots: RootCertStore,
    versions: Vec<&'static SupportedProtocolVersion>,
    name: &'static str,
}

impl Client {
    /// Trusts a certificate.
    fn trusting(certificate: &Certificate) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der.clone()).unwrap();
        Self {
            roots,
            versions: vec![&TLS13, &TLS12],
            name: "localhost",
        }
    }

    /// Connects and offers protocols.
    async fn connect(&self, url: &str, alpn: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let tcp = TcpStream::connect(address(url)).await?;
        let name = ServerName::try_from(self.name).unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
    }
}

fn address(url: &str) -> &str {
    url.split("://").nth(1).unwrap()
}

/// Sends the last request of a connection and answers everything that comes.
async fn http1(stream: &mut TlsStream<TcpStream>, line: &str, body: &str) -> String {
    let request = format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn start(settings: &[(&str, &str)]) -> (Setup, Client) {
    let setup = Setup::new(Wire::Tls, settings);
    let client = Client::trusting(setup.certificate.as_ref().unwrap());
    (setup, client)
}

#[tokio::test]
async fn what_is_agreed_on() {
    let (setup, mut client) = start(&[]);
    let url = &setup.server.url;
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    for (offered, agreed) in [
        (&["h2"][..], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&["h2", "http/1.1"], Some("h2")),
        // The server's own preference counts.
        (&["http/1.1", "h2"], Some("h2")),
        (&["spdy/3", "http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let stream = client.connect(url, offered).await.unwrap();
        let (_, session) = stream.get_ref();
        let agreed = agreed.map(str::as_bytes);
        assert_eq!(session.alpn_protocol(), agreed, "{offered:?}");
        assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    }
    client.versions = vec![&TLS12];
    let stream = client.connect(url, &["h2"]).await.unwrap();
    let (_, session) = stream.get_ref();
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_2));
}

#[tokio::test]
async fn pages_over_http1() {
    let (setup, client) = start(&[("APEX_REQUIRE_HTTPS", "true")]);
    for offered in [&["http/1.1"][..], &[]] {
        let mut stream = client.connect(&setup.server.url, offered).await.unwrap();
        let answer = http1(&mut stream, "GET /api/v1/analytics", "").await;
        // Encrypted enough for require_https: what it lacks is a key.
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        let body = json!({"error": {
            "code": "UNAUTHORIZED", "message": "Authentication is required",
        }});
        assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
    }
}

#[tokio::test]
async fn a_cookie_stays_on_encrypted_connections() {
    let (setup, client) = start(&[]);
    let url = &setup.server.url;
    let mut stream = client.connect(url, &["http/1.1"]).await.unwrap();
    let owner = json!({"email": setup.organization.email, "password": PASSWORD});
    let line = "POST /api/auth/sign-in";
    let answer = http1(&mut stream, line, &owner.to_string()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let cookie = answer
        .lines()
        .find(|line| line.to_lowercase().starts_with("set-cookie:"));
    assert!(
        cookie.is_some_and(|line| line.contains("; Secure")),
        "{answer}"
    );
}

#[tokio::test]
async fn a_handshake_that_fails_is_counted_and_harms_nobody() {
    let (setup, client) = start(&[("APEX_LOG", "info,apex::server::listener=debug")]);
    let url = &setup.server.url;
    let mut open = client.connect(url, &["http/1.1"]).await.unwrap();

    // Nothing in common to speak.
    let error = client.connect(url, &["spdy/3"]).await.unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"));
    // A client that trusts somebody else, or was looking for somebody else.
    let stranger = Client::trusting(&Certificate::new());
    let error = stranger.connect(url, &["h2"]).await.unwrap_err();
    assert!(
        error.to_string().contains("invalid peer certificate"),
        "{error}"
    );
    let mistaken = Client {
        name: "apex.example.com",
        ..Client::trusting(setup.certificate.as_ref().unwrap())
    };
    let error = mistaken.connect(url, &["h2"]).await.unwrap_err();
    let other_name = "certificate not valid for name \"apex.example.com\"";
    assert!(error.to_string().contains(other_name), "{error}");
    // Plain text, of either version of HTTP, is no handshake.
    for plain in [
        &b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(address(url)).await.unwrap();
        stream.write_all(plain).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }

    // The server may notice a little later than the client; it counts, then logs.
    let told = || setup.server.log().matches("TLS handshake failed").count();
    let deadline = Instant::now() + Duration::from_secs(20);
    while told() < 5 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(told(), 5, "{}", setup.server.log());
    let answer = http1(&mut open, "GET /metrics", "").await;
    let counted = "\napex_tls_handshake_failures_total 5\n";
    assert!(answer.contains(counted), "{answer}");
}

#[tokio::test]
async fn a_handshake_that_stalls_is_ended() {
    let (setup, client) = start(&[("APEX_TRANSPORT_TLS_TIMEOUT", "250ms")]);
    let mut stalled = TcpStream::connect(address(&setup.server.url))
        .await
        .unwrap();
    // The head of a record that never comes.
    stalled.write_all(&[0x16, 3, 1, 2, 0, 1, 0]).await.unwrap();
    // Meanwhile others are served.
    let mut stream = client
        .connect(&setup.server.url, &["http/1.1"])
        .await
        .unwrap();
    let answer = http1(&mut stream, "GET /healthz", "").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let mut rest = Vec::new();
    stalled.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
}
