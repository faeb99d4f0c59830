//! gRPC-Web by hand: one request message in a frame, and an answer of frames of
//! which the last holds the trailers.

use prost::Message;
use tonic::{Code, Status};

use super::http::Http;

/// Calls a method with one answer, such as `apex.metrics.v1.MetricsService/SendEvent`.
pub async fn call<O: Message + Default>(
    http: &Http,
    method: &str,
    request: &impl Message,
) -> Result<O, Status> {
    let body = frame(request);
    let client = http
        .with("content-type", "application/grpc-web+proto")
        .with("x-grpc-web", "1");
    let path = format!("/{method}");
    let sent = client.try_send_bytes(&path, body).await;
    let (headers, bytes) = sent.map_err(|error| Status::unavailable(error.to_string()))?;
    // A failure without a message may come in the headers alone.
    if let Some(code) = headers.get("grpc-status").filter(|code| *code != "0") {
        let code = code.to_str().ok().and_then(|text| text.parse().ok());
        return Err(Status::new(Code::from_i32(code.unwrap_or(2)), "refused"));
    }
    answer(&bytes)
}

/// A request in its frame.
fn frame(request: &impl Message) -> Vec<u8> {
    let encoded = request.encode_to_vec();
    let mut body = vec![0];
    body.extend((encoded.len() as u32).to_be_bytes());
    body.extend(encoded);
    body
}

/// Takes a frame off what came: whether it holds the trailers, and what it holds.
fn split(bytes: &[u8]) -> Option<(bool, &[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<5>()?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    let (frame, rest) = rest.split_at_checked(length)?;
    Some((head[0] & 0x80 != 0, frame, rest))
}

fn message<O: Message + Default>(frame: &[u8]) -> Result<O, Status> {
    O::decode(frame).map_err(|error| Status::internal(error.to_string()))
}

/// The status in trailers.
fn status(frame: &[u8]) -> Status {
    let trailers = String::from_utf8_lossy(frame).into_owned();
    let trailer = |name: &str| {
        let mut lines = trailers.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(own, _)| own.eq_ignore_ascii_case(name))?;
        Some(value.trim().to_owned())
    };
    let code = trailer("grpc-status").and_then(|text| text.parse().ok());
    let words = trailer("grpc-message").unwrap_or_default();
    Status::new(Code::from_i32(code.unwrap_or(2)), words)
}

fn answer<O: Message + Default>(mut bytes: &[u8]) -> Result<O, Status> {
    let mut told = None;
    while let Some((is_last, frame, rest)) = split(bytes) {
        bytes = rest;
        if !is_last {
            told = Some(message(frame)?);
            continue;
        }
        let status = status(frame);
        return match (status.code(), told) {
            (Code::Ok, Some(told)) => Ok(told),
            _ => Err(status),
        };
    }
    // Without trailers nobody knows what became of it.
    Err(Status::unknown("the answer ended early"))
}

/// Answers of a method, as they come.
#[derive(Debug)]
pub struct Stream {
    answer: reqwest::Response,
    bytes: Vec<u8>,
}

impl Stream {
    /// Calls a method that answers with a stream.
    pub async fn open(url: &str, key: &str, method: &str, request: &impl Message) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client
            .post(format!("{url}/{method}"))
            .header("content-type", "application/grpc-web+proto")
            .header("x-grpc-web", "1")
            .header("x-api-key", key)
            .body(frame(request))
            .send();
        Self {
            answer: answer.await.expect("an answer"),
            bytes: Vec::new(),
        }
    }

    /// The next message, or what the stream ended with.
    pub async fn next<O: Message + Default>(&mut self) -> Result<O, Status> {
        loop {
            if let Some((is_last, frame, rest)) = split(&self.bytes) {
                let told = match is_last {
                    true => Err(status(frame)),
                    false => message(frame),
                };
                self.bytes = rest.to_vec();
                return told;
            }
            match self.answer.chunk().await {
                Ok(Some(chunk)) => self.bytes.extend(chunk),
                Ok(None) => return Err(Status::unknown("the answer ended early")),
                Err(error) => return Err(Status::unavailable(error.to_string())),
            }
        }
    }
}
