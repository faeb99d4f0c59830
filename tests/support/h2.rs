//! HTTP/2 by hand, frame by frame: whatever the protocol allows, and what it does
//! not. What the server sends is read all the while, so that nothing blocks.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use super::attacker::{address, patiently};

/// How a connection begins.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames.
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// END_STREAM, or ACK.
pub const END: u8 = 1;
/// END_HEADERS.
pub const WHOLE: u8 = 4;

/// A frame.
#[derive(Debug, Clone)]
pub struct Frame {
    pub kind: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With GOAWAY: its code and what it said.
    GoAway(u32, String),
    /// Without a word.
    Closed,
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header block without Huffman codes and without a table.
pub fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        bytes.push(0);
        for text in [name, value] {
            integer(&mut bytes, 0, 7, text.len());
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

/// An integer of HPACK behind a pattern of bits.
pub fn integer(bytes: &mut Vec<u8>, pattern: u8, prefix: u32, value: usize) {
    let most = (1 << prefix) - 1;
    if value < most {
        return bytes.push(pattern | value as u8);
    }
    bytes.push(pattern | most as u8);
    let mut rest = value - most;
    while rest >= 128 {
        bytes.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    bytes.push(rest as u8);
}

/// A connection of HTTP/2.
#[derive(Debug)]
pub struct H2 {
    writer: OwnedWriteHalf,
    frames: mpsc::UnboundedReceiver<Frame>,
    authority: String,
}

impl H2 {
    /// Connects and says hello.
    pub async fn open(url: &str) -> Self {
        Self::with(url, &[]).await
    }

    /// Connects and says hello with settings.
    pub async fn with(url: &str, settings: &[(u16, u32)]) -> Self {
        let stream = TcpStream::connect(address(url)).await;
        let stream = stream.expect("a connection");
        stream.set_nodelay(true).expect("an option");
        let (reader, writer) = stream.into_split();
        let (sender, frames) = mpsc::unbounded_channel();
        tokio::spawn(read(reader, sender));
        let mut own = Self {
            writer,
            frames,
            authority: address(url).to_string(),
        };
        // No table, so that every answer's head can be read by itself.
        let settings = [&[(1, 0)], settings].concat();
        let payload = settings.iter().flat_map(|(id, value)| {
            let (id, value) = (id.to_be_bytes(), value.to_be_bytes());
            id.into_iter().chain(value).collect::<Vec<u8>>()
        });
        let hello = frame(kind::SETTINGS, 0, 0, &payload.collect::<Vec<u8>>());
        assert!(own.send([PREFACE, &hello].concat()).await);
        own.next_of(kind::SETTINGS).await.expect("its settings");
        assert!(own.frame(kind::SETTINGS, END, 0, &[]).await);
        // The connection as a whole has room for every answer.
        let room = 0x7000_0000_u32.to_be_bytes();
        assert!(own.frame(kind::WINDOW_UPDATE, 0, 0, &room).await);
        own
    }

    /// Sends bytes; says whether the connection still takes them.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.writer.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Sends a frame.
    pub async fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.send(frame(kind, flags, stream, payload)).await
    }

    /// The frame that begins a request.
    pub fn head(&self, verb: &str, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        let own = [
            (":method", verb),
            (":scheme", "http"),
            (":authority", self.authority.as_str()),
            (":path", path),
        ];
        block(&[&own, headers].concat())
    }

    /// Begins a request; `flags` may end it.
    pub async fn begin(&mut self, stream: u32, verb: &str, path: &str, flags: u8) -> bool {
        let head = self.head(verb, path, &[]);
        self.frame(kind::HEADERS, WHOLE | flags, stream, &head)
            .await
    }

    /// The next frame; nothing once the connection is closed.
    pub async fn next(&mut self) -> Option<Frame> {
        patiently("a frame", self.frames.recv()).await
    }

    /// The next frame of a kind.
    pub async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// The status a stream is answered with; nothing if it is reset. The connection
    /// must go on.
    pub async fn status(&mut self, stream: u32) -> Option<u16> {
        self.look_for(stream, true).await
    }

    /// The status a stream is answered with; nothing if it is reset, or the whole
    /// connection ended.
    pub async fn fate(&mut self, stream: u32) -> Option<u16> {
        self.look_for(stream, false).await
    }

    async fn look_for(&mut self, stream: u32, goes_on: bool) -> Option<u16> {
        loop {
            let frame = self.next().await;
            let ended = frame.as_ref().is_none_or(|own| own.kind == kind::GOAWAY);
            assert!(!(ended && goes_on), "{frame:?}");
            match frame.filter(|_| !ended)? {
                own if own.stream != stream => {}
                own if own.kind == kind::HEADERS => return Some(status(&own.payload)),
                own if own.kind == kind::RST_STREAM => return None,
                _ => {}
            }
        }
    }

    /// Whether a new stream is answered.
    pub async fn serves(&mut self, stream: u32) -> bool {
        self.begin(stream, "GET", "/healthz", END).await && self.status(stream).await == Some(200)
    }

    /// How the server ends the connection.
    pub async fn ended(&mut self) -> Ended {
        match self.next_of(kind::GOAWAY).await {
            None => Ended::Closed,
            Some(frame) => {
                let code = frame.payload[4..8].try_into().expect("a code");
                let words = String::from_utf8_lossy(&frame.payload[8..]);
                Ended::GoAway(u32::from_be_bytes(code), words.into_owned())
            }
        }
    }
}

async fn read(mut reader: OwnedReadHalf, frames: mpsc::UnboundedSender<Frame>) {
    loop {
        let mut head = [0; 9];
        if reader.read_exact(&mut head).await.is_err() {
            return;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        if reader.read_exact(&mut payload).await.is_err() {
            return;
        }
        let frame = Frame {
            kind: head[3],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
            payload,
        };
        if frames.send(frame).is_err() {
            return;
        }
    }
}

/// The status of an answer, which is its first header.
fn status(block: &[u8]) -> u16 {
    // The encoder may say first that its table has no size.
    let block = match block {
        [0x20, rest @ ..] => rest,
        whole => whole,
    };
    match block[0] {
        0x88 => 200,
        0x89 => 204,
        0x8a => 206,
        0x8b => 304,
        0x8c => 400,
        0x8d => 404,
        0x8e => 500,
        _ => literal(&block[1..]),
    }
}

/// Three digits, as they are or in their Huffman codes.
fn literal(text: &[u8]) -> u16 {
    let length = usize::from(text[0] & 0x7f);
    let bytes = &text[1..=length];
    if text[0] & 0x80 == 0 {
        return std::str::from_utf8(bytes).unwrap().parse().unwrap();
    }
    let mut bits = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1));
    let mut status = 0;
    for _ in 0..3 {
        // 0 to 2 have five bits, the other digits six.
        let mut take = |n, from| (0..n).fold(from, |code, _| code << 1 | bits.next().unwrap());
        let code: u8 = take(5, 0);
        let digit = if code < 3 {
            code
        } else {
            take(1, code) - 0b01_1001 + 3
        };
        status = status * 10 + u16::from(digit);
    }
    status
}
