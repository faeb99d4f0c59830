//! A receiver of webhooks: takes what is posted to it and answers as it is told.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the receiver does with a request.
#[derive(Debug, Clone)]
pub enum Reaction {
    /// Answers with a status and headers.
    Answer(u16, &'static str),
    /// Never answers.
    Hang,
}

/// A request that was received.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

#[derive(Debug, Default)]
struct State {
    received: Vec<Received>,
    planned: VecDeque<Reaction>,
}

/// A receiver on a port of its own. What is not planned is answered 204.
#[derive(Debug, Clone)]
pub struct Receiver {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("it"));
        let state = Arc::<Mutex<State>>::default();
        let own = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, own.clone()));
            }
        });
        Self { url, state }
    }

    /// What happens to the next requests, in turn.
    pub fn plan(&self, reactions: impl IntoIterator<Item = Reaction>) {
        self.state.lock().unwrap().planned.extend(reactions);
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    /// Waits until so many requests were received.
    pub async fn wait(&self, count: usize) -> Vec<Received> {
        let deadline = Instant::now() + Duration::from_secs(40);
        while Instant::now() < deadline {
            let received = self.received();
            if received.len() >= count {
                return received;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{count} requests did not come: {:?}", self.received());
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) -> Option<()> {
    let mut bytes = Vec::new();
    let head = loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).ok()?;
    let mut lines = text.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length")?.parse().ok()?;
    while bytes.len() < head + length {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
    }
    let body = String::from_utf8(bytes[head..head + length].to_vec()).ok()?;
    let reaction = {
        let mut state = state.lock().unwrap();
        state.received.push(Received {
            path,
            headers,
            body,
        });
        state.planned.pop_front()
    };
    match reaction.unwrap_or(Reaction::Answer(204, "")) {
        Reaction::Answer(status, more) => {
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n{more}\r\n");
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
        Reaction::Hang => {
            // Until the other side gives up.
            let mut rest = [0; 16];
            let _ = stream.read(&mut rest).await;
        }
    }
    Some(())
}

/// Checks both signatures with nothing of the server's own.
pub fn verify(received: &Received, secret: &str) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mac = |key: &[u8], text: String| {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes()
    };
    let (id, time) = (
        &received.headers["webhook-id"],
        &received.headers["webhook-timestamp"],
    );
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap())
        .unwrap();
    let standard = STANDARD.encode(mac(&key, format!("{id}.{time}.{}", received.body)));
    let sent = &received.headers["webhook-signature"];
    assert!(
        sent.split(' ').any(|one| one == format!("v1,{standard}")),
        "{sent}"
    );
    let plain = mac(secret.as_bytes(), format!("{time}.{}", received.body));
    let plain: String = plain.iter().map(|byte| format!("{byte:02x}")).collect();
    let sent = &received.headers["x-apex-signature"];
    assert!(sent.starts_with(&format!("t={time},v1=")), "{sent}");
    assert!(sent.contains(&format!("v1={plain}")), "{sent}");
}
