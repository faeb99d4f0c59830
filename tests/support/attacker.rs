//! An attacker: a raw socket, for what no honest client does. HTTP/2 by hand is in
//! `h2`.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// A test that waits longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The address a URL names.
pub fn address(url: &str) -> SocketAddr {
    let (_, address) = url.split_once("://").expect("a URL");
    address.parse().expect("an address")
}

/// Waits for what must happen.
pub async fn patiently<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("{what} did not happen"),
    }
}

/// Asks again and again until something holds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let polled = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    patiently(what, polled).await;
}

/// A connection of the attacker's.
#[derive(Debug)]
pub struct Attacker {
    pub stream: TcpStream,
    /// Bytes that came after an answer.
    ahead: Vec<u8>,
}

/// An answer of HTTP/1.1.
#[derive(Debug)]
pub struct Raw {
    /// Status.
    pub status: u16,
    /// Status line and headers, in lower case.
    pub head: String,
    /// Body.
    pub body: String,
}

impl Attacker {
    /// Connects.
    pub async fn connect(url: &str) -> Self {
        let stream = TcpStream::connect(address(url)).await;
        Self::of(stream.expect("a connection"))
    }

    /// Connects from an address of its own.
    pub async fn from(source: &str, url: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        let source = SocketAddr::new(source.parse().expect("an address"), 0);
        socket.bind(source).expect("an address of this machine");
        Self::of(socket.connect(address(url)).await.expect("a connection"))
    }

    /// Connects with a buffer of this size, or of the least the system has.
    pub async fn narrow(url: &str, buffer: u32) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(buffer).expect("a buffer");
        Self::of(socket.connect(address(url)).await.expect("a connection"))
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("an option");
        Self {
            stream,
            ahead: Vec::new(),
        }
    }

    /// Sends bytes; says whether the connection still takes them.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Sends the head of a request that expects to be told to go on, which it is when
    /// its body is waited for: it has its place then.
    pub async fn begin(&mut self, head: impl AsRef<[u8]>) {
        assert!(self.send(head).await);
        let told = self.answer().await;
        assert_eq!(told.status, 100, "{}", told.body);
    }

    /// Everything that comes until the server closes the connection.
    pub async fn closed(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.ahead);
        // To be reset is to be closed.
        let rest = self.stream.read_to_end(&mut bytes);
        let _ = patiently("closing", rest).await;
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether there is an answer rather than the end of the connection.
    pub async fn closed_or_answered(&mut self) -> bool {
        let read = self.stream.read_buf(&mut self.ahead);
        patiently("an answer or the end", read).await.unwrap_or(0) > 0
    }

    /// The next answer.
    pub async fn answer(&mut self) -> Raw {
        patiently("an answer", self.read_answer()).await
    }

    async fn read_answer(&mut self) -> Raw {
        let end = self.read_until(b"\r\n\r\n").await;
        let head: Vec<u8> = self.ahead.drain(..end).collect();
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|text| text.parse().ok());
        let length = head.lines().find_map(|line| {
            let length = line.strip_prefix("content-length: ")?;
            length.parse::<usize>().ok()
        });
        let length = length.unwrap_or(0);
        while self.ahead.len() < length {
            self.read_more().await;
        }
        let body: Vec<u8> = self.ahead.drain(..length).collect();
        Raw {
            status: status.unwrap_or_else(|| panic!("no answer: {head}")),
            head,
            body: String::from_utf8(body).expect("text"),
        }
    }

    async fn read_until(&mut self, mark: &[u8]) -> usize {
        loop {
            let mut windows = self.ahead.windows(mark.len());
            if let Some(at) = windows.position(|own| own == mark) {
                return at + mark.len();
            }
            self.read_more().await;
        }
    }

    async fn read_more(&mut self) {
        let read = self.stream.read_buf(&mut self.ahead).await;
        let seen = || String::from_utf8_lossy(&self.ahead);
        assert_ne!(read.unwrap_or(0), 0, "closed after `{}`", seen());
    }
}
