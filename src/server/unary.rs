//! gRPC calls of one message each way, neither of them compressed, which most are. The
//! message is taken out of its frame, its method is called as REST calls it, and the
//! answer is framed. tonic's own server, which has all the others, comes to the same
//! through a service, two streams and four bodies in boxes of their own.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};
use http_body::Frame;
use http_body_util::BodyExt as _;
use tonic::body::Body;
use tonic::{Code, Status};

use super::call::Call;
use super::dispatch::{Answer, Asked, Endpoint, HEAD, MessageLimits, Messages, astray};
use super::headers::{GRPC_ACCEPT_ENCODING, GRPC_ENCODING, GRPC_STATUS};
use crate::policy::MethodSpec;

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const OK: HeaderValue = HeaderValue::from_static("0");

/// Whether a call is one of these.
pub(super) fn suits(spec: &MethodSpec, headers: &HeaderMap) -> bool {
    let compresses =
        headers.contains_key(&GRPC_ENCODING) || headers.contains_key(&GRPC_ACCEPT_ENCODING);
    !spec.client_streaming && !spec.server_streaming && !compresses
}

/// Answers a call.
pub(super) async fn answer<B>(
    endpoint: &dyn Endpoint,
    call: &Call,
    body: B,
    limits: MessageLimits,
) -> Result<Response<Body>, Status>
where
    B: http_body::Body<Data = Bytes, Error = Status> + Unpin,
{
    let asked = Asked {
        call: call.clone(),
        route: None,
        messages: Messages::One(message(body, limits.decoding).await?),
    };
    let Answer::One(one) = endpoint.dispatch(call.spec().index, asked).await? else {
        return Err(astray());
    };
    let (length, limit) = (one.frame.len() - HEAD, limits.encoding);
    if length > limit {
        return Err(Status::out_of_range(format!(
            "Error, encoded message length too large: found {length} bytes, the limit is: {limit} bytes"
        )));
    }
    let mut response = Response::new(Body::new(Framed::Message(one.frame)));
    let headers = response.headers_mut();
    for (name, value) in one.headers {
        headers.append(name, value);
    }
    headers.insert(CONTENT_TYPE, GRPC);
    Ok(response)
}

/// The message of a request. What follows it is looked at as tonic does, and left out.
async fn message<B>(mut body: B, limit: usize) -> Result<Bytes, Status>
where
    B: http_body::Body<Data = Bytes, Error = Status> + Unpin,
{
    let mut message = None;
    let mut buffer = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Err(status) if status.code() != Code::Cancelled => return Err(status),
            // There is nobody to be told.
            Err(_) => break,
            Ok(frame) => frame,
        };
        let Ok(data) = frame.into_data() else {
            break;
        };
        if message.is_none() && buffer.is_empty() && length(&data, limit)? == Some(data.len()) {
            // Most come whole.
            message = Some(data.slice(HEAD..));
            continue;
        }
        buffer.extend_from_slice(&data);
        while let Some(length) = length(&buffer, limit)? {
            if buffer.len() < length {
                buffer.reserve(length - buffer.len());
                break;
            }
            let mut whole = buffer.split_to(length);
            whole.advance(HEAD);
            message.get_or_insert_with(|| whole.freeze());
        }
    }
    if !buffer.is_empty() {
        return Err(Status::internal("Unexpected EOF decoding stream."));
    }
    message.ok_or_else(|| Status::internal("Missing request message."))
}

/// How long a message is with its frame, once the frame's head has come.
fn length(bytes: &[u8], limit: usize) -> Result<Option<usize>, Status> {
    let Some((&[flag, a, b, c, d], _)) = bytes.split_first_chunk::<HEAD>() else {
        return Ok(None);
    };
    match flag {
        0 => {}
        1 => {
            return Err(Status::internal(
                "protocol error: received message with compressed-flag but no grpc-encoding was specified",
            ));
        }
        _ => {
            return Err(Status::internal(format!(
                "protocol error: received message with invalid compression flag: {flag} (valid flags are 0 and 1), while sending request"
            )));
        }
    }
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length > limit {
        return Err(Status::out_of_range(format!(
            "Error, decoded message length too large: found {length} bytes, the limit is: {limit} bytes"
        )));
    }
    Ok(Some(HEAD + length))
}

/// What is left of an answer.
enum Framed {
    Message(Bytes),
    Trailers,
    Nothing,
}

impl http_body::Body for Framed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let (frame, left) = match std::mem::replace(&mut *self, Self::Nothing) {
            Self::Message(frame) => (Frame::data(frame), Self::Trailers),
            Self::Trailers => {
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert(&GRPC_STATUS, OK);
                (Frame::trailers(trailers), Self::Nothing)
            }
            Self::Nothing => return Poll::Ready(None),
        };
        *self = left;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a body that comes in these parts is read as.
    async fn read(parts: Vec<Vec<u8>>) -> Result<Bytes, String> {
        let frames = parts.into_iter().map(|part| Ok(Frame::data(part.into())));
        let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
        let read = message(body, 300).await;
        read.map_err(|status| status.message().to_owned())
    }

    fn framed(message: &[u8]) -> Vec<u8> {
        [&[0, 0, 0, 0, message.len() as u8], message].concat()
    }

    #[tokio::test]
    async fn messages_come_whole_however_they_are_cut() {
        let sent = [7; 200];
        for size in [1, 4, 5, 6, 100, 205] {
            let parts = framed(&sent).chunks(size).map(<[u8]>::to_vec).collect();
            assert_eq!(read(parts).await.unwrap(), sent.as_slice(), "{size}");
        }
        assert_eq!(read(vec![framed(&[])]).await.unwrap(), Bytes::new());
        // The first of several is the request.
        let several = [framed(&[1]), framed(&[2, 3])].concat();
        assert_eq!(read(vec![several]).await.unwrap(), [1].as_slice());
        let several = vec![framed(&[1]), framed(&[2])];
        assert_eq!(read(several).await.unwrap(), [1].as_slice());
    }

    #[tokio::test]
    async fn what_is_no_message_is_refused_in_the_words_of_tonic() {
        let begins = [
            (vec![], "Missing request message."),
            (vec![0, 0], "Unexpected EOF decoding stream."),
            (vec![0, 0, 0, 0, 2, 1], "Unexpected EOF decoding stream."),
            (
                vec![1, 0, 0, 0, 0],
                "protocol error: received message with compressed-flag",
            ),
            (
                vec![2, 0, 0, 0, 0],
                "protocol error: received message with invalid compression flag",
            ),
            (
                vec![0, 0, 0, 2, 0],
                "Error, decoded message length too large: found 512 bytes",
            ),
        ];
        for (body, words) in begins {
            let parts = if body.is_empty() { vec![] } else { vec![body] };
            let refused = read(parts).await.unwrap_err();
            assert!(refused.starts_with(words), "{refused}");
        }
        let after = vec![framed(&[1]), vec![0, 0]];
        assert_eq!(
            read(after).await.unwrap_err(),
            "Unexpected EOF decoding stream."
        );
    }
}
