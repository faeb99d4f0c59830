//! Whether a container is ready. Engines' own checks are not used: not every engine runs
//! them, and images without one are checked all the same.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a check may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a connection must stay open to count: an engine's forwarder takes connections
/// before anybody listens inside, and closes them at once.
const STAYS: Duration = Duration::from_millis(100);

/// Where a port of a container is on this machine.
pub(super) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Whether what listens at an address is ready.
pub(super) async fn is_ready(address: SocketAddr, path: &str) -> bool {
    let check = async {
        match path {
            "" => takes(address).await,
            path => answers(address, path).await,
        }
    };
    timeout(PATIENCE, check).await.unwrap_or(false)
}

async fn takes(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return false;
    };
    match timeout(STAYS, stream.read(&mut [0; 1])).await {
        // Some speak first.
        Ok(Ok(read)) => read > 0,
        Ok(Err(_)) => false,
        Err(_) => true,
    }
}

async fn answers(address: SocketAddr, path: &str) -> bool {
    let asked = async {
        let stream = TcpStream::connect(address).await.ok()?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        let connection = tokio::spawn(connection);
        let request = http::Request::get(path)
            .header(http::header::HOST, "localhost")
            .header(http::header::USER_AGENT, "apex-health-check")
            .body(Empty::<Bytes>::new());
        let answer = sender.send_request(request.ok()?).await.ok()?;
        connection.abort();
        Some(answer.status())
    };
    let status = asked.await;
    status.is_some_and(|status| status.is_success() || status.is_redirection())
}
