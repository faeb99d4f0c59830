//! What tests run in containers. It answers every request with its environment, a line
//! each; `/slow` after two seconds; `/exit` by ending; a request to upgrade by sending
//! back whatever comes. Every request is a line of its log. What `DATA` names is a file
//! that `POST /data` appends to and `GET /data` reads. On SIGTERM it takes no more
//! connections, answers what it has, and ends.
#![expect(
    clippy::disallowed_methods,
    reason = "it has no settings but its environment"
)]

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

/// How long it waits before it listens, if `DELAY_MS` says so.
fn delay() -> Duration {
    let text = variable("DELAY_MS");
    Duration::from_millis(text.parse().unwrap_or_default())
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    if variable("FAIL") == "1" {
        say("it was told to fail").await;
        std::process::exit(3);
    }
    let mut stop = signal(SignalKind::terminate())?;
    tokio::time::sleep(delay()).await;
    let port = variable("PORT").parse().unwrap_or(8080_u16);
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    say("it listens").await;
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                connections.spawn(serve(stream));
            }
            _ = stop.recv() => break,
        }
    }
    say("it stops").await;
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(Duration::from_secs(3), all).await;
    Ok(())
}

async fn say(line: &str) {
    let mut out = tokio::io::stdout();
    let _ = out.write_all(format!("{line}\n").as_bytes()).await;
    let _ = out.flush().await;
}

async fn serve(stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    while let Ok(true) = one(&mut stream).await {}
}

/// Answers a request; says whether another may come.
async fn one(stream: &mut BufReader<TcpStream>) -> std::io::Result<bool> {
    let mut first = String::new();
    if stream.read_line(&mut first).await? == 0 {
        return Ok(false);
    }
    let (mut length, mut upgrade, mut close) = (0_usize, false, false);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(false);
        }
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse().unwrap_or_default();
        }
        upgrade |= line.starts_with("upgrade:");
        close |= line == "connection: close";
    }
    let mut body = vec![0; length.min(64 * 1024 * 1024)];
    stream.read_exact(&mut body).await?;
    let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
    say(first.trim()).await;
    if upgrade {
        let head =
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
        stream.get_mut().write_all(head).await?;
        let mut piece = [0; 4096];
        loop {
            let read = stream.read(&mut piece).await?;
            if read == 0 {
                return Ok(false);
            }
            stream.get_mut().write_all(&piece[..read]).await?;
        }
    }
    let text = match path.as_str() {
        "/exit" => std::process::exit(1),
        "/slow" => {
            tokio::time::sleep(Duration::from_secs(2)).await;
            "slow\n".to_owned()
        }
        "/data" => data(first.starts_with("POST"), &body).await,
        "/length" => format!("{}\n", body.len()),
        _ => environment(),
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
        text.len()
    );
    let whole = [head.as_bytes(), text.as_bytes()].concat();
    stream.get_mut().write_all(&whole).await?;
    Ok(!close)
}

fn environment() -> String {
    let mut lines: Vec<String> = std::env::vars()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    lines.sort();
    lines.concat()
}

/// What is in the file of data, after something was added.
async fn data(adds: bool, more: &[u8]) -> String {
    let path = variable("DATA");
    let mut text = tokio::fs::read(&path).await.unwrap_or_default();
    if adds {
        text.extend(more);
        let _ = tokio::fs::write(&path, &text).await;
    }
    String::from_utf8_lossy(&text).into_owned()
}
