//! Connections that say nothing, or never finish saying it: each is closed in time,
//! and hundreds of them keep nobody from being served.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::Target;
use crate::support::Server;
use crate::support::attacker::{Attacker, address};
use crate::support::h2::{PREFACE, frame, kind};

const SHORT: &[(&str, &str)] = &[
    ("APEX_TRANSPORT_FIRST_BYTE_TIMEOUT", "400ms"),
    ("APEX_TRANSPORT_TLS_TIMEOUT", "400ms"),
    ("APEX_TRANSPORT_HEADER_TIMEOUT", "400ms"),
    ("APEX_TRANSPORT_MAX_CONNECTIONS_PER_ADDRESS", "5000"),
];

/// How a request of HTTP/1.1 or a connection of HTTP/2 may begin and not go on.
fn beginnings() -> Vec<Vec<u8>> {
    let settings = frame(kind::SETTINGS, 0, 0, &[]);
    vec![
        b"".to_vec(),
        b"G".to_vec(),
        b"PRI * HT".to_vec(),
        PREFACE.to_vec(),
        [PREFACE, &settings].concat(),
        // The head of a frame that never comes.
        [PREFACE, &settings, &[0, 0x40, 0, 1, 0, 0, 0, 0, 1]].concat(),
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n".to_vec(),
        b"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nX-A: ".to_vec(),
    ]
}

#[tokio::test]
async fn hundreds_that_say_nothing_are_closed() {
    let target = Target::new(SHORT);
    let honest = target.honest();
    let mut attackers = JoinSet::new();
    for (at, beginning) in beginnings().into_iter().cycle().take(600).enumerate() {
        let mut attacker = Attacker::connect(target.url()).await;
        attacker.send(&beginning).await;
        if at % 50 == 0 {
            // Connections are taken in in their order: whoever waits was taken in, and
            // none was left standing by the system before the server saw it.
            target.server.http().get("/healthz").await.expect(200);
        }
        attackers.spawn(async move {
            let said = attacker.closed().await;
            let shown = String::from_utf8_lossy(&beginning);
            assert!(!said.contains("200 OK"), "{shown:?}: {said}");
        });
    }
    attackers.join_all().await;
    honest.was_served().await;
    target.alive().await;
}

#[tokio::test]
async fn headers_that_trickle_are_not_waited_for() {
    let target = Target::new(SHORT);
    let mut attackers = JoinSet::new();
    // The first request of a connection, and one after another.
    for before in ["", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let url = target.url().to_owned();
        attackers.spawn(async move {
            let mut attacker = Attacker::connect(&url).await;
            attacker.send(before).await;
            attacker.send("GET /healthz HTTP/1.1\r\n").await;
            // Every line starts some clock anew, if that clock is the wrong one.
            while attacker.send("X-More: x\r\n").await {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            attacker.closed().await;
        });
    }
    attackers.join_all().await;
    target.alive().await;
}

#[tokio::test]
async fn handshakes_that_stall_are_ended() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let (cert_file, key_file) = (folder.path().join("cert"), folder.path().join("key"));
    std::fs::write(&cert_file, cert.pem()).unwrap();
    std::fs::write(&key_file, signing_key.serialize_pem()).unwrap();
    let tls = [
        ("APEX_TLS_CERT", cert_file.to_str().unwrap()),
        ("APEX_TLS_KEY", key_file.to_str().unwrap()),
    ];
    let server = Server::with(&[SHORT, &tls].concat());
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();

    let mut attackers = JoinSet::new();
    // Nothing; the head of a record; a ClientHello that is cut off.
    let record = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    for length in [0, 5, 11].into_iter().cycle().take(300) {
        let url = server.url.clone();
        attackers.spawn(async move {
            let mut attacker = Attacker::connect(&url).await;
            attacker.send(&record[..length]).await;
            assert_eq!(attacker.closed().await, "");
        });
    }
    loop {
        let answer = healthz(&server.url, roots.clone()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        if attackers.try_join_next().is_none() && attackers.is_empty() {
            break;
        }
    }
}

/// Asks over TLS.
async fn healthz(url: &str, roots: RootCertStore) -> String {
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(address(url)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, tcp).await.unwrap();
    let request = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}
