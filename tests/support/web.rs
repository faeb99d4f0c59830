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
    let encoded = request.encode_to_vec();
    let mut body = vec![0];
    body.extend((encoded.len() as u32).to_be_bytes());
    body.extend(encoded);
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

fn answer<O: Message + Default>(mut bytes: &[u8]) -> Result<O, Status> {
    let mut message = None;
    while let Some((head, rest)) = bytes.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let Some((frame, rest)) = rest.split_at_checked(length) else {
            break;
        };
        bytes = rest;
        if head[0] & 0x80 == 0 {
            let decoded = O::decode(frame).map_err(|error| Status::internal(error.to_string()));
            message = Some(decoded?);
            continue;
        }
        let trailers = String::from_utf8_lossy(frame).into_owned();
        let trailer = |name: &str| {
            let mut lines = trailers.lines().filter_map(|line| line.split_once(':'));
            let (_, value) = lines.find(|(own, _)| own.eq_ignore_ascii_case(name))?;
            Some(value.trim().to_owned())
        };
        let code = trailer("grpc-status").and_then(|text| text.parse().ok());
        let code = Code::from_i32(code.unwrap_or(2));
        return match (code, message) {
            (Code::Ok, Some(message)) => Ok(message),
            (code, _) => Err(Status::new(
                code,
                trailer("grpc-message").unwrap_or_default(),
            )),
        };
    }
    // Without trailers nobody knows what became of it.
    Err(Status::unknown("the answer ended early"))
}
